import type { Finding } from './findings.ts';

/** Most roots, locks held, and trees with a lock at one time. @source casemate 3.0.2 */
const CAPACITY = 64;

/** A lock that somebody holds, or that belongs to a tree. */
export interface TraceLock {
  readonly address: number;
  /** Who holds it, -1 = nobody. */
  holder: number;
  /** The next store of a descriptor may be plain. */
  mayPlain: boolean;
  count: number;
  /** Trees that it belongs to. */
  trees: number;
  since: number;
}

/** A root that was loaded into VTTBR_EL2 (stage 2) or TTBR0_EL2 (stage 1). */
export interface TraceRoot {
  readonly index: number;
  readonly base: number;
  readonly stage1: boolean;
  /** VMID or ASID. */
  readonly id: number;
  /** Threads that have it loaded. */
  loaded: number;
  lock: TraceLock | undefined;
  live: boolean;
}

/** Locks by address, and which tree each belongs to. */
export class TraceLocks {
  private readonly locks = new Map<number, TraceLock>();
  private readonly ofRoot = new Map<number, TraceLock | undefined>();
  private held = 0;
  /** Locks that each thread holds. */
  private readonly holds: TraceLock[][] = [];

  /** The lock of the tree whose root lies at `base`. */
  of(base: number): TraceLock | undefined {
    return this.ofRoot.get(base);
  }

  /** Gives the tree at `base` its lock; address 0 is no lock. */
  assign(base: number, address: number): Finding | undefined {
    if (!this.ofRoot.has(base) && this.ofRoot.size >= CAPACITY) return 'rootLocks';
    this.forget(base);
    const lock = address === 0 ? undefined : this.lock(address);
    if (lock !== undefined) lock.trees += 1;
    this.ofRoot.set(base, lock);
    return undefined;
  }

  /** Forgets the lock of the tree at `base`. */
  forget(base: number): void {
    const lock = this.ofRoot.get(base);
    this.ofRoot.delete(base);
    if (lock === undefined) return;
    lock.trees -= 1;
    this.drop(lock);
  }

  take(address: number, thread: number, attempt: boolean, seq: number): Finding | undefined {
    const lock = this.lock(address);
    if (lock.holder >= 0) {
      if (!attempt) return 'lockedAlready';
      if (lock.holder !== thread) return 'triedElsewhere';
      lock.count += 1;
      return undefined;
    }
    if (this.held >= CAPACITY) return 'locksAtOnce';
    this.held += 1;
    lock.holder = thread;
    lock.mayPlain = true;
    lock.count = 1;
    lock.since = seq;
    (this.holds[thread] ??= []).push(lock);
    return undefined;
  }

  release(address: number, thread: number): Finding | undefined {
    const lock = this.locks.get(address);
    if (lock === undefined || lock.holder < 0) return 'unlockedFree';
    if (lock.holder !== thread) return 'unlockedElsewhere';
    lock.count -= 1;
    if (lock.count > 0) return undefined;
    lock.holder = -1;
    this.held -= 1;
    const own = this.holds[thread]!;
    own.splice(own.indexOf(lock), 1);
    this.drop(lock);
    return undefined;
  }

  /** A DSB of `thread`: the next store under each lock it holds may be plain. */
  barrier(thread: number): void {
    const own = this.holds[thread];
    if (own !== undefined) for (let i = 0; i < own.length; i++) own[i]!.mayPlain = true;
  }

  private lock(address: number): TraceLock {
    let lock = this.locks.get(address);
    if (lock === undefined) {
      lock = { address, holder: -1, mayPlain: false, count: 0, trees: 0, since: -1 };
      this.locks.set(address, lock);
    }
    return lock;
  }

  /** Keeps only locks that are held or belong to a tree, so that a long trace with many locks stays small. */
  private drop(lock: TraceLock): void {
    if (lock.holder < 0 && lock.trees === 0) this.locks.delete(lock.address);
  }
}

/** Roots by place and identifier. */
export class TraceRoots {
  readonly all: TraceRoot[] = [];

  at(base: number): TraceRoot | undefined {
    for (const root of this.all) if (root.live && root.base === base) return root;
    return undefined;
  }

  /** Registers a root that is not known yet. */
  add(base: number, stage1: boolean, id: number): TraceRoot | Finding {
    let live = 0;
    for (const root of this.all) {
      if (!root.live) continue;
      live += 1;
      if (root.id === id) return 'sameId';
    }
    if (live >= CAPACITY) return 'manyRoots';
    const free = this.all.findIndex((root) => !root.live);
    const root: TraceRoot = { index: free >= 0 ? free : this.all.length, base, stage1, id, loaded: 0, lock: undefined, live: true };
    this.all[root.index] = root;
    return root;
  }
}
