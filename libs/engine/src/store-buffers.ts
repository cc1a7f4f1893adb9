import { LAST_LEVEL } from '@s2lab/arch';
import type { MEMORY } from '@s2lab/events';
import { K } from '@s2lab/events';
import type { Machine } from './machine.ts';
import type { StateWords } from './state-words.ts';
import type { Walker } from './walker.ts';
import type { World } from './world.ts';

/**
 * A memory model by name: `sc` is sequential consistency, `tso` total store order, `pso` partial store order with releases.
 * @source P. Sewell et al., "x86-TSO", CACM 53(7), 2010; The SPARC Architecture Manual, Version 9, appendix D (TSO, PSO)
 */
export type MemoryModel = keyof typeof MEMORY;

/** An observer that is no actor: a hardware walker, which does not see what its own core holds back. */
export const HARDWARE = -1;
/** Stores that a core holds back at most; one more makes the oldest visible. */
const CAPACITY = 3;
/** What is written: a descriptor, a word of a policy, or a fresh table page as a whole. */
const STORED = { descriptor: 0, word: 1, page: 2 } as const;
/** What an event will say, in this order; the walk, its VMID and what a descriptor held before are added. */
type Row = [kind: number, level: number, slot: number, table: number, newLo: number, newHi: number, ipa: number, arg: number, aux: number];
const ROW_WORDS = 9;
const IPA_AT = 6;

/** A store that others do not see yet. */
interface PendingStore {
  /** STORED. */
  readonly what: number;
  readonly vmid: number;
  readonly walkId: number;
  /** Table page of a descriptor, or that is initialised. */
  readonly table: number;
  /** Slot of a descriptor, or index of a word. */
  readonly at: number;
  /** Of a word. */
  readonly value: number;
  /** Events that tell of it once it is visible: the store first. */
  readonly rows: Row[];
}

/**
 * Kinds of events whose access orders all stores before it: barriers, locks, atomics that the kernel has fully ordered, and what is handed to
 * others through them.
 */
const ORDERS: ReadonlySet<number> = new Set([
  K.dsbCompleted,
  K.lockAcquired,
  K.lockReleased,
  K.descriptorSwapped,
  K.descriptorSwapFailed,
  K.referencePut,
  K.walkerReferenceGot,
  K.walkerReferencePut,
  K.walkerReferenceRefused,
  K.tableFreed,
  K.tableRetired,
  K.reclaimBegan,
  K.hazardCleared,
  K.epochWithdrawn,
  K.epochAdvanced,
  K.readSectionEntered,
  K.readSectionLeft,
  K.gracePeriodBegan,
  K.gracePeriodEnded,
  K.stage2Created,
  K.stage2Destroyed,
  K.memslotCreated,
  K.memslotDeleted,
  K.dirtyLogStarted,
  K.dirtyLogStopped,
  K.dirtyLogCleared,
  K.operationBegan,
  K.operationEnded,
  K.pageStateChanged,
  K.guestCreated,
  K.guestDestroyed,
]);
/** Under total store order every atomic does; on Arm taking a reference, or setting a bit, does not. */
const ORDERS_UNDER_TSO: ReadonlySet<number> = new Set([K.referenceGot, K.pageDirtied]);
/** Events that tell what a store did to the tree: they come with it. */
const COMES_WITH_STORE: ReadonlySet<number> = new Set([K.tableLinked, K.tableUnlinked]);

/** What a page holds that was not initialised, as bad as it may be: mappings that may be read and written, to memory that is nobody's. */
const GARBAGE = 0x0bad_07c0;

/**
 * The stores that each actor has made and that others do not see yet, under `tso` and `pso`. Each becomes visible by a step of its own (`drain`),
 * or where the actor goes on to something that orders them. Its event is recorded then, so a log tells in which order memory changed.
 */
export class StoreBuffers {
  /** How many stores of one actor there may be of which each could be next. */
  readonly lanes: number;
  private readonly total: boolean;
  private readonly queues: PendingStore[][];
  private draining = false;

  constructor(model: Exclude<MemoryModel, 'sc'>, actors: number) {
    this.total = model === 'tso';
    this.lanes = this.total ? 1 : CAPACITY;
    this.queues = Array.from({ length: actors }, () => []);
  }

  /** Whether nobody holds anything back. */
  get isEmpty(): boolean {
    return this.queues.every((queue) => queue.length === 0);
  }

  /** Whether the actor holds nothing back. */
  isDrained(actor: number): boolean {
    return this.queues[actor]!.length === 0;
  }

  /** The walker stores a descriptor. */
  storeDescriptor(machine: Machine, walker: Walker, row: Row): void {
    this.push(machine, walker, { what: STORED.descriptor, table: row[3], at: row[2], value: 0, rows: [row] });
  }

  /** The walker stores a word of its policy. */
  storeWord(machine: Machine, walker: Walker, index: number, value: number, row: Row): void {
    this.push(machine, walker, { what: STORED.word, table: 0, at: index, value, rows: [row] });
  }

  /** The walker initialises a page that it has taken from the allocator. */
  initialisePage(machine: Machine, walker: Walker, table: number): void {
    this.push(machine, walker, { what: STORED.page, table, at: 0, value: 0, rows: [] });
  }

  private push(machine: Machine, { actor, vmid, walkId }: Walker, store: Omit<PendingStore, 'vmid' | 'walkId'>): void {
    const queue = this.queues[actor]!;
    if (queue.length === CAPACITY) this.drain(machine, actor, 0);
    queue.push({ ...store, vmid, walkId });
  }

  /** Whether an event about to be committed comes later, with the store before it. What orders stores makes them visible first. */
  delays(
    machine: Machine,
    { actor }: Walker,
    kind: number,
    level: number,
    slot: number,
    table: number,
    ipa: number,
    arg: number,
    aux: number,
  ): boolean {
    if (this.draining) return false;
    const last = this.queues[actor]!.at(-1);
    if (last === undefined) return false;
    if (COMES_WITH_STORE.has(kind)) {
      last.rows.push([kind, level, slot, table, 0, 0, ipa, arg, aux]);
      return true;
    }
    if (ORDERS.has(kind) || (this.total && ORDERS_UNDER_TSO.has(kind))) this.drainAll(machine, actor);
    return false;
  }

  /** Half 0 or 1 of a descriptor as `actor` reads it: its own store, or what is visible to it. */
  seen({ pages }: World, actor: number, table: number, slot: number, half: 0 | 1): number {
    const own = actor === HARDWARE ? undefined : this.queues[actor]!.findLast((store) => isStoreTo(store, table, slot));
    if (own !== undefined) return own.rows[0]![half === 0 ? 4 : 5];
    const hidden = this.queues.some((queue, owner) => owner !== actor && queue.some((store) => initialises(store, table)));
    if (!hidden) return pages.descriptors[pages.indexOf(table, slot) + half]!;
    // The type of a page at the last level, of a block above.
    return half === 1 ? 0 : GARBAGE | (pages.level[table] === LAST_LEVEL ? 3 : 1);
  }

  /** Whether the store in `lane` may become visible next. */
  canDrain(actor: number, lane: number): boolean {
    const queue = this.queues[actor]!;
    const store = queue[lane];
    if (store === undefined) return false;
    return lane === 0 || (!this.total && !isRelease(store) && !queue.slice(0, lane).some((before) => overlaps(before, store)));
  }

  /** The store in `lane` becomes visible. */
  drain(machine: Machine, actor: number, lane: number): void {
    const { what, table, at, value, vmid, walkId, rows } = this.queues[actor]!.splice(lane, 1)[0]!;
    const walker = machine.walkers[actor]!;
    const now = { vmid: walker.vmid, walkId: walker.walkId };
    walker.vmid = vmid;
    walker.walkId = walkId;
    if (what === STORED.word) machine.policyWords(walker)[at] = value;
    const { descriptors } = machine.world.pages;
    const i = machine.world.pages.indexOf(table, at);
    this.draining = true;
    rows.forEach(([kind, level, slot, place, newLo, newHi, ipa, arg, aux], n) => {
      const stores = n === 0 && what === STORED.descriptor;
      const oldLo = stores ? descriptors[i]! : 0;
      const oldHi = stores ? descriptors[i + 1]! : 0;
      machine.commit(walker, kind, level, slot, place, oldLo, oldHi, newLo, newHi, ipa, arg, aux);
    });
    this.draining = false;
    walker.vmid = now.vmid;
    walker.walkId = now.walkId;
  }

  /** All that the actor holds back becomes visible, in the order in which it was stored. */
  drainAll(machine: Machine, actor: number): void {
    while (!this.isDrained(actor)) this.drain(machine, actor, 0);
  }

  /** Writes what is held back. @param canonical without numbers of walks */
  save(into: StateWords, canonical: boolean): void {
    for (const queue of this.queues) {
      into.put(queue.length);
      for (const { what, vmid, walkId, table, at, value, rows } of queue) {
        for (const word of [what, vmid, canonical ? 0 : walkId, table, at, value, rows.length]) into.put(word);
        for (const row of rows) row.forEach((word, i) => (i === IPA_AT ? into.putWide(word) : into.put(word)));
      }
    }
  }

  /** Reads what `save` wrote. */
  load(from: StateWords): void {
    for (const queue of this.queues) {
      queue.length = 0;
      for (let left = from.get(); left > 0; left -= 1) {
        const rows: Row[] = [];
        const [what, vmid, walkId] = [from.get(), from.get(), from.get()];
        queue.push({ what, vmid, walkId, table: from.get(), at: from.get(), value: from.get(), rows });
        for (let more = from.get(); more > 0; more -= 1)
          rows.push(Array.from({ length: ROW_WORDS }, (_, i) => (i === IPA_AT ? from.getWide() : from.get())) as Row);
      }
    }
  }
}

function isStoreTo({ what, table, at }: PendingStore, page: number, slot: number): boolean {
  return what === STORED.descriptor && table === page && at === slot;
}

function initialises({ what, table }: PendingStore, page: number): boolean {
  return what === STORED.page && table === page;
}

/** Whether nothing that was stored before may be seen after it. */
function isRelease({ rows }: PendingStore): boolean {
  return rows[0]?.[0] === K.descriptorReleased;
}

/** Whether two stores of one actor are to one location: they keep their order. */
function overlaps(a: PendingStore, b: PendingStore): boolean {
  if (a.what === STORED.word || b.what === STORED.word) return a.what === b.what && a.vmid === b.vmid && a.at === b.at;
  return a.table === b.table && (a.what === STORED.page || b.what === STORED.page || a.at === b.at);
}
