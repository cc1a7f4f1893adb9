import type { MachineConfig } from './config.ts';
import type { Stage2 } from './stage2.ts';
import type { Walker } from './walker.ts';
import type { World } from './world.ts';

/**
 * What a policy's hook did: it is done, it needs another step, the walk must start anew, the actor must wait until somebody wakes it, or
 * the actor was the last to hold the sub-tree under the table at hand: it tears that down, and then the hook counts as done (descend: the
 * walk starts anew). `held`, of `unlinked` only: somebody is inside, and the last to leave will tear the sub-tree down.
 */
export const HOOK = { done: 0, again: 1, restart: 2, wait: 3, reclaim: 4, held: 5 } as const;

/**
 * What a hook touches beside what is the walker's own (its words, its section), which other walkers' hooks do not look at but only the reclaim
 * worker: the link by which it came to the table at hand, how many hold that table, or anything. Bits.
 */
export const TOUCHES = { own: 0, link: 1, holders: 2, anything: 4 } as const;

/** What a policy needs and allows. A machine that cannot give it refuses the policy by name. */
export interface PolicyCapabilities {
  /** Needs RCU, which does not exist at EL2. */
  readonly needsRcu: boolean;
  readonly usableAtEl2: boolean;
  /** Other walkers may be inside the tables while a sub-tree is collapsed. */
  readonly collapsesInParallel: boolean;
}

/** What a policy may touch of the machine: it reads the world, and each effect is one of these calls. */
export interface PolicyMachine {
  readonly config: MachineConfig;
  readonly world: World;
  readonly reclaimActor: number;
  /** The stage-2 that the walker stands on: sections, retired queue, grace periods. */
  stage2(walker: Walker): Stage2;
  /** Words that belong to the policy, for that stage-2. */
  policyWords(walker: Walker): Int32Array;
  /** Records an event that carries only arguments and an address. */
  note(walker: Walker, kind: number, ipa: number, arg: number, aux: number): void;
  /** Records an event that carries only a table page and arguments. */
  noteTable(walker: Walker, kind: number, level: number, table: number, arg: number, aux: number): void;
  /** Stores one of the policy's words, told by an event of `kind`; others may see it late. */
  storeWord(walker: Walker, index: number, value: number, kind: number, level: number, table: number, arg: number): void;
  /** Everything that the walker has stored is seen by all before it goes on. */
  fence(walker: Walker): void;
  /** Reads again the link by which the walker came to its table; returns whether it still leads there. */
  linkStands(walker: Walker): boolean;
  /** Counts the walker among those who hold `table`. Returns how many there are. */
  getHolder(walker: Walker, table: number): number;
  /** A walker, or (link = 1) the link that led to `table`, lets go of it. Returns how many still hold it. */
  putHolder(walker: Walker, table: number, link: 0 | 1): number;
  /** `table` goes back to its allocator. */
  freeTable(walker: Walker, table: number, level: number): void;
  /** Adds virtual time to the present step, ns. */
  spend(ns: number): void;
  /** Makes `actor` runnable from the present time on, if it waits. */
  wake(actor: number): void;
}

/**
 * When may an unlinked table be freed? The one question in which the designs differ; everything else is the one walker.
 * Each hook makes at most one shared-memory access a call, through `PolicyMachine`, so that the scheduler can interleave between calls.
 * State of a policy lives, for each stage-2 apart, in `machine.policyWords(walker)` and in `machine.stage2(walker)` (sections, retired queue,
 * grace periods); the reclaim worker stands on the stage-2 it is asked about.
 */
export interface ReclaimPolicy {
  readonly name: string;
  /** One line for `s2lab policies`. */
  readonly summary: string;
  readonly capabilities: PolicyCapabilities;
  /** LOCK_MODE in which a guest fault holds the mmu lock, 0 = none. */
  readonly faultLock: number;
  /** Visitors of an older page-table library that the design belongs to; absent = today's. Walks are then never shared. */
  readonly visitors?: 'v6.1';
  /** Words of its own that the policy needs for `actors` actors. */
  stateWords(actors: number): number;
  /** Exchanges what its words hold about two actors. Absent, though it has words = it tells actors apart, as one that polls them in turn. */
  swapActors?(words: Int32Array, a: number, b: number): void;
  /** Puts `rename` of each table that its words hold in the place of it. Absent = they hold none. */
  renameTables?(words: Int32Array, actors: number, rename: (table: number) => number): void;
  /** Epochs that its words hold count from 0 again, with those of `stage2`; all that are over become alike. Absent = only the stage-2 has such numbers. */
  rebaseEpochs?(words: Int32Array, actors: number, stage2: Stage2): void;
  /** Nothing is retired, and nothing will be: its words forget who reads which tables, or since when, as nobody will ask. Absent = they do not say. */
  forgetReaders?(words: Int32Array, actors: number): void;
  /** Whether enter and exit do anything. */
  readonly guardsWalks: boolean;
  /** A shared walk begins. */
  enter(machine: PolicyMachine, walker: Walker): number;
  /** A shared walk ends. */
  exit(machine: PolicyMachine, walker: Walker): number;
  /** Whether descend and ascend do anything. */
  readonly tracksTables: boolean;
  /** A shared walk is about to read in `table`, whose link it has just read; a hook that says `restart` holds nothing on `table`. */
  descend(machine: PolicyMachine, walker: Walker, table: number): number;
  /** A shared walk leaves `table`. */
  ascend(machine: PolicyMachine, walker: Walker, table: number): number;
  /**
   * What the next call of a hook that `walker` is about to make touches (TOUCHES); of `unlinked`, that it touches nothing but the holders of the table.
   * Absent = anything. The checker leaves schedules out that differ in the order of hooks that do not touch the same.
   */
  touches?(machine: PolicyMachine, walker: Walker): number;
  /** The sub-tree under `table` was unlinked and flushed. HOOK.done: `defersFrees` says what becomes of it; HOOK.held: its last holder frees it. */
  unlinked(machine: PolicyMachine, walker: Walker, table: number): number;
  /** A page goes back to the allocator when its last holder lets go, be it a walker that came by an old link (`machine.releaseTable`). */
  readonly countsHolders: boolean;
  /** Whether the teardown runs beside other walkers: it locks every descriptor by compare-and-exchange, and spins on those that others lock. */
  readonly locksTeardown: boolean;
  /** Whether an unlinked sub-tree is retired, to be freed by the reclaim worker; otherwise who unlinked it frees it at once. */
  readonly defersFrees: boolean;
  /** The reclaim worker asks whether the oldest retired sub-tree may be torn down now (HOOK.done), after more steps or a wait. */
  mayReclaim(machine: PolicyMachine, worker: Walker): number;
  /**
   * Whether the next call of `mayReclaim` may as well be made at once, whatever others do meanwhile: it reads nothing that they may still change
   * and changes nothing that they read, or it only begins to wait for what will wake the worker. Absent = never.
   * @param mayWalk whether an actor may still begin or be in a shared walk
   */
  asksInPrivate?(machine: PolicyMachine, worker: Walker, mayWalk: (actor: number) => boolean): boolean;
}
