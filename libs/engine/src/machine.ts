import { isTable } from '@s2lab/arch';
import type { EventColumns } from '@s2lab/events';
import { K } from '@s2lab/events';
import type { MachineConfig } from './config.ts';
import { Contention, CONTENDED } from './contention.ts';
import { costByKind } from './costs.ts';
import { Hypervisor } from './hypervisor.ts';
import type { Lock } from './lock.ts';
import type { Backing } from './memslots.ts';
import { PC } from './pc.ts';
import type { PolicyMachine, ReclaimPolicy } from './policy.ts';
import { Prng } from './prng.ts';
import type { Stage2 } from './stage2.ts';
import type { StateWords } from './state-words.ts';
import type { StoreBuffers } from './store-buffers.ts';
import { Walker, REGISTER_COUNT, WIDE_COUNT } from './walker.ts';
import type { Workload } from './workload.ts';
import { Command } from './workload.ts';
import { firstVmid, World } from './world.ts';

/** State of a policy that has none. */
const NO_WORDS = new Int32Array(0);

/** Most concatenated root pages. @source Arm ARM DDI 0487 D8.2 */
const ROOT_PAGES_MAX = 16;

/** Most events one step of a machine with one stage-2 commits: the columns must have this much room before a step. */
export const EVENTS_PER_STEP = 4;

/**
 * One simulated machine: the shared world, its actors' registers, the policy and the workload that drives it. `step` (step.ts)
 * decides; `commit` is the only way to an effect: it records the event and lets the world evolve by it.
 */
export class Machine implements PolicyMachine {
  readonly config: MachineConfig;
  /** Policy of the guests' stage-2s. */
  readonly policy: ReclaimPolicy;
  /** Policy of each stage-2, by VMID. */
  readonly policies: ReclaimPolicy[] = [];
  readonly workload: Workload;
  readonly world: World;
  readonly walkers: readonly Walker[];
  /** Words that belong to the policy of each stage-2, by VMID. */
  private readonly words: Int32Array[] = [];
  /** Where the table pages of pKVM come from; undefined under KVM, whose allocator has no end. */
  readonly hypervisor: Hypervisor | undefined;
  readonly prng: Prng;
  readonly command = new Command();
  /** How the host backs each memslot. */
  readonly backings = new Map<number, Backing>();
  /** Virtual time of each actor, ns; Infinity while it waits or is done. */
  readonly clock: Float64Array;
  /** Where the events go; exchanged by the owner when full. */
  columns: EventColumns;
  /** Walks begun. */
  walks = 0;
  /** Actors that have nothing more to do. */
  finished = 0;
  private woken = false;
  /** Time and cost of the present step. */
  at = 0;
  private cost = 0;
  private waited = 0;
  private readonly costs: Readonly<Float64Array>;
  private readonly readCost: number;
  readonly contention: Contention;
  /** Stores that others do not see yet; undefined where memory is sequentially consistent (BufferedMachine). */
  readonly buffers: StoreBuffers | undefined = undefined;

  /** @param hostPolicy of the host's stage-2, under pKVM */
  constructor(config: MachineConfig, policy: ReclaimPolicy, workload: Workload, columns: EventColumns, hostPolicy = policy) {
    this.config = config;
    this.policy = policy;
    this.workload = workload;
    this.columns = columns;
    this.world = new World(config);
    const actors = this.world.actors;
    this.hypervisor = config.kind === 'pkvm' ? new Hypervisor(this.world.shape.pageBytes) : undefined;
    this.prng = new Prng(config.seed);
    this.clock = new Float64Array(actors);
    this.costs = costByKind(config.costs, config);
    this.readCost = this.costs[K.descriptorRead]!;
    this.contention = new Contention(config, actors);
    this.walkers = makeWalkers(actors);
    this.seat(firstVmid(config), config.kind === 'pkvm' ? hostPolicy : policy);
    for (const walker of this.walkers) walker.vmid = firstVmid(config);
    for (const walker of this.walkers) walker.pc = walker.actor === this.reclaimActor ? PC.reclaimIdle : PC.idle;
    // The VMM thread creates the stage-2 before any vCPU runs.
    this.walkers[this.vmmActor]!.pc = PC.hostBoot;
    this.clock.fill(Infinity);
    this.clock[this.vmmActor] = 0;
    this.clock[this.reclaimActor] = 0;
  }

  /** Gives a stage-2 its policy, with fresh state. */
  seat(vmid: number, policy: ReclaimPolicy): void {
    while (this.policies.length < vmid) {
      this.policies.push(policy);
      this.words.push(NO_WORDS);
    }
    this.policies[vmid] = policy;
    this.words[vmid] = new Int32Array(policy.stateWords(this.world.actors));
  }

  /** Writes the state of the policies of all stage-2s. */
  savePolicies(into: StateWords): void {
    into.put(this.words.length);
    for (const words of this.words) {
      into.put(words.length);
      into.putAll(words);
    }
  }

  /** Reads what `savePolicies` wrote. A stage-2 that this machine has not had yet gets the guests' policy. */
  loadPolicies(from: StateWords): void {
    const count = from.get();
    for (let vmid = 0; vmid < count; vmid += 1) {
      const length = from.get();
      this.policies[vmid] ??= this.policy;
      if (this.words[vmid]?.length !== length) this.words[vmid] = new Int32Array(length);
      from.getAll(this.words[vmid]!);
    }
  }

  /** Puts `rename` of each table that a policy's words hold in the place of it. */
  renamePolicies(rename: (table: number) => number): void {
    this.policies.forEach((policy, vmid) => policy.renameTables?.(this.words[vmid]!, this.world.actors, rename));
  }

  /** Grace periods and epochs of every stage-2 count from 0 again. */
  rebaseEpochs(): void {
    const { stage2s, actors } = this.world;
    for (let vmid = 0; vmid < stage2s.length; vmid += 1) {
      const stage2 = stage2s[vmid];
      if (stage2 === undefined) continue;
      const policy = this.policies[vmid];
      if (policy?.rebaseEpochs === undefined) stage2.rebaseGracePeriods();
      else policy.rebaseEpochs(this.words[vmid]!, actors, stage2);
    }
  }

  /** On no stage-2 is anything retired, nor will be: nobody asks any more who reads tables. */
  forgetReaders(): void {
    this.policies.forEach((policy, vmid) => policy.forgetReaders?.(this.words[vmid]!, this.world.actors));
  }

  /** Exchanges what the policies' words hold about two actors. */
  swapInPolicies(a: number, b: number): void {
    this.policies.forEach((policy, vmid) => policy.swapActors?.(this.words[vmid]!, a, b));
  }

  /** The stage-2 that the walker stands on. */
  stage2(walker: Walker): Stage2 {
    return this.world.stage2s[walker.vmid]!;
  }

  /** The policy of that stage-2. */
  policyOf(walker: Walker): ReclaimPolicy {
    return this.policies[walker.vmid]!;
  }

  /** Words that belong to that policy, for that stage-2. */
  policyWords(walker: Walker): Int32Array {
    return this.words[walker.vmid]!;
  }

  /** Words that belong to the policy of the stage-2 with `vmid`. */
  protected wordsOf(vmid: number): Int32Array {
    return this.words[vmid]!;
  }

  get vmmActor(): number {
    return this.config.vcpus;
  }

  get reclaimActor(): number {
    return this.config.vcpus + 1;
  }

  /** Most events that one step commits: the hypervisor takes all root pages of a stage-2 at once. */
  get eventsPerStep(): number {
    return this.hypervisor === undefined ? EVENTS_PER_STEP : EVENTS_PER_STEP + ROOT_PAGES_MAX;
  }

  /** Whether every actor with a workload is done and nothing is pending. */
  get done(): boolean {
    return this.finished === this.config.vcpus + 1 && this.world.retiredCount === 0 && !this.reclaiming;
  }

  /** Whether the reclaim worker has something in hand. */
  get reclaiming(): boolean {
    return this.walkers[this.reclaimActor]!.pc !== PC.reclaimIdle;
  }

  /** Begins a step of an actor at its own time. */
  beginStep(at: number): void {
    this.at = at;
    this.cost = 0;
    this.waited = 0;
  }

  /**
   * Virtual ns the step took so far: what it did with a seeded spread of ±1/8, so that walkers do not march in lockstep, and what it waited for
   * others exactly, or those in the queue would overtake each other.
   */
  stepCost(): number {
    const cost = this.cost;
    if (cost < 8) return cost + this.waited;
    return this.waited + cost - (cost >>> 3) + Math.floor(((cost >>> 2) + 1) * (this.prng.next() / 0x1_0000_0000));
  }

  /** Adds virtual time to the present step. */
  spend(ns: number): void {
    this.cost += ns;
  }

  /** Lets the present step wait for the DSB after a broadcast TLBI. */
  spendInvalidation(): void {
    this.waited += this.contention.invalidationNs(this.at + this.waited);
  }

  /** Lets the present step wait while the host zeroes `bytes` of guest memory for `walker`. */
  spendZeroing(walker: Walker, bytes: number): void {
    this.waited += this.contention.zeroingNs(walker.actor, this.at + this.waited, bytes);
  }

  /** Records one event of `walker` and lets the world evolve by it. Arguments are the columns of the event schema. */
  commit(
    walker: Walker,
    kind: number,
    level: number,
    slot: number,
    table: number,
    oldLo: number,
    oldHi: number,
    newLo: number,
    newHi: number,
    ipa: number,
    arg: number,
    aux: number,
  ): void {
    const { columns } = this;
    columns.append(kind, this.at, walker.actor, walker.walkId, walker.vmid, level, slot, table, oldLo, oldHi, newLo, newHi, ipa, arg, aux);
    this.settle(columns, kind);
  }

  /** The event just recorded costs its actor time, and the world evolves by it. */
  protected settle(columns: EventColumns, kind: number): void {
    const row = columns.length - 1;
    this.cost += this.costs[kind]!;
    if (CONTENDED[kind] !== 0) this.waited += this.contention.extraNs(columns, row, this.at + this.waited);
    this.world.evolve(columns, row);
  }

  /*
   * Commits of few arguments: a step makes most of its events through one of these. A call that takes all columns of an event as arguments
   * costs as much as recording it.
   */

  /** Records an event that carries only arguments and an address. */
  note(walker: Walker, kind: number, ipa: number, arg: number, aux: number): void {
    const { columns } = this;
    columns.append(kind, this.at, walker.actor, walker.walkId, walker.vmid, 0, 0, 0, 0, 0, 0, 0, ipa, arg, aux);
    this.settle(columns, kind);
  }

  /** Records an event that carries only a table page and arguments. */
  noteTable(walker: Walker, kind: number, level: number, table: number, arg: number, aux: number): void {
    const { columns } = this;
    columns.append(kind, this.at, walker.actor, walker.walkId, walker.vmid, level, 0, table, 0, 0, 0, 0, 0, arg, aux);
    this.settle(columns, kind);
  }

  /**
   * Stores a word of the walker's policy, told by an event of `kind`. Others may see it late; a `fence` makes sure that they do before the walker
   * goes on.
   */
  storeWord(walker: Walker, index: number, value: number, kind: number, level: number, table: number, arg: number): void {
    this.policyWords(walker)[index] = value;
    this.noteTable(walker, kind, level, table, arg, 0);
  }

  /** Everything that the walker has stored is seen by all before it goes on, as it is at once where memory is. @source Linux smp_mb() */
  fence(_walker: Walker): void {}

  /** Loads the descriptor the walker stands at into its `old` registers. */
  readDescriptor(walker: Walker): void {
    const { pages } = this.world;
    const { table, slot, level } = walker;
    const i = pages.indexOf(table, slot);
    const lo = pages.descriptors[i]!;
    const hi = pages.descriptors[i + 1]!;
    walker.oldLo = lo;
    walker.oldHi = hi;
    this.columns.append(
      K.descriptorRead,
      this.at,
      walker.actor,
      walker.walkId,
      walker.vmid,
      level,
      slot,
      table,
      lo,
      hi,
      0,
      0,
      walker.addr,
      0,
      0,
    );
    this.cost += this.readCost;
  }

  /** Writes the descriptor the walker stands at, by `kind` of store; `old` in the event is what memory held. */
  storeDescriptor(walker: Walker, kind: number, lo: number, hi: number): void {
    const { columns } = this;
    const { pages } = this.world;
    const { table, slot, level } = walker;
    const i = pages.indexOf(table, slot);
    const oldLo = pages.descriptors[i]!;
    const oldHi = pages.descriptors[i + 1]!;
    columns.append(
      kind,
      this.at,
      walker.actor,
      walker.walkId,
      walker.vmid,
      level,
      slot,
      table,
      oldLo,
      oldHi,
      lo,
      hi,
      walker.visitAddr,
      0,
      0,
    );
    this.settle(columns, kind);
  }

  /**
   * Sets the descriptor the walker stands at: a plain store for an exclusive walk, compare-and-exchange against what it read for a shared one.
   * @returns whether it was set. @source Linux hyp/pgtable.c stage2_try_set_pte()
   */
  trySet(walker: Walker, shared: boolean, lo: number, hi: number): boolean {
    if (!shared) {
      this.storeDescriptor(walker, K.descriptorStored, lo, hi);
      return true;
    }
    const i = this.world.pages.indexOf(walker.table, walker.slot);
    const words = this.world.pages.descriptors;
    const won = words[i] === walker.oldLo && words[i + 1] === walker.oldHi;
    this.storeDescriptor(walker, won ? K.descriptorSwapped : K.descriptorSwapFailed, lo, hi);
    return won;
  }

  /**
   * Raises (+1) or drops (-1) the reference count of a table page; returns the count after. An unsafe policy may tear a page down twice and
   * so bring it below zero: that is recorded for the verifier to judge.
   */
  changeReference(walker: Walker, table: number, by: 1 | -1): number {
    const count = this.world.pages.references[table]! + by;
    this.noteTable(walker, by === 1 ? K.referenceGot : K.referencePut, 0, table, count, 0);
    return count;
  }

  /** Drops a reference of a table page and lets the page go when it was the last. */
  putTable(walker: Walker, table: number, level: number): void {
    if (this.changeReference(walker, table, -1) === 0) this.releaseTable(walker, table, level);
  }

  /**
   * Nothing leads to the table page and nothing is in it any more: it is freed. Where holders are counted its link lets go of it; if a walker
   * that came by an old link still holds it, that walker frees it.
   */
  releaseTable(walker: Walker, table: number, level: number): void {
    const held = this.policyOf(walker).countsHolders && this.world.pages.holders[table]! > 0;
    if (held && this.putHolder(walker, table, 1) > 0) return;
    this.freeTable(walker, table, level);
  }

  /** The page goes back to its allocator. */
  freeTable(walker: Walker, table: number, level: number): void {
    this.noteTable(walker, K.tableFreed, level, table, 0, 0);
    this.hypervisor?.putTablePage(walker.vmid, table);
  }

  /** A walker counts itself among those who hold a table page. Returns how many there are. */
  getHolder(walker: Walker, table: number): number {
    const count = this.world.pages.holders[table]! + 1;
    this.noteTable(walker, K.walkerReferenceGot, 0, table, count, 0);
    return count;
  }

  /** A walker, or (link = 1) the link that led to it, lets go of a table page. Returns how many still hold it. */
  putHolder(walker: Walker, table: number, link: 0 | 1): number {
    const count = this.world.pages.holders[table]! - 1;
    this.noteTable(walker, K.walkerReferencePut, 0, table, count, link);
    return count;
  }

  /** Reads again the descriptor by which the walker came to its present table; returns whether it still leads there. */
  linkStands(walker: Walker): boolean {
    const level = walker.level - 1;
    const i = this.world.pages.indexOf(walker.parentTable, walker.parentSlot);
    const lo = this.world.pages.descriptors[i]!;
    const hi = this.world.pages.descriptors[i + 1]!;
    this.commit(walker, K.descriptorRead, level, walker.parentSlot, walker.parentTable, lo, hi, 0, 0, walker.addr, 0, 0);
    return lo === walker.linkLo && hi === walker.linkHi;
  }

  /**
   * Takes a zeroed table page from the allocator; the caller has accounted for its cache. Returns its frame.
   * @param page address of the page behind it, where the hypervisor gave one
   */
  allocateTable(walker: Walker, level: number, root: 0 | 1, page = 0): number {
    const { pages } = this.world;
    // Concatenated root pages lie one behind the other, as only frames that were never used do for certain.
    const frame = root !== 0 && this.stage2(walker).shape.rootPages > 1 ? pages.used : pages.nextFrame();
    const kind = frame < pages.used ? K.tableReused : K.tableAllocated;
    if (this.hypervisor !== undefined) this.hypervisor.frameAddresses[frame] = page;
    this.noteTable(walker, kind, level, frame, root, 0);
    return frame;
  }

  /** Whether the descriptor in the walker's `old` registers is a table. */
  oldIsTable(walker: Walker): boolean {
    return isTable(walker.oldLo, walker.level);
  }

  /** Table the descriptor in the walker's `old` registers points to. */
  oldChild(walker: Walker): number {
    return this.world.pages.frameOf(walker.oldLo, walker.oldHi);
  }

  /** Makes the actors waiting for `lock` that could now have it runnable, at the present time. */
  wakeLock(lock: Lock): void {
    for (let i = 0; i < lock.waitingCount; i += 1) {
      const actor = lock.waiting[i]!;
      if (!lock.isFree(actor, lock.waitingMode[i]!)) return;
      this.wake(actor);
    }
  }

  /** Makes `actor` runnable from the present time on, if it waits. */
  wake(actor: number): void {
    const walker = this.walkers[actor]!;
    if (walker.blocked === 0) return;
    walker.blocked = 0;
    this.clock[actor] = this.at;
    this.woken = true;
  }

  /** Whether clocks other than the stepping actor's changed since this was last asked. */
  takeWoken(): boolean {
    const woken = this.woken;
    this.woken = false;
    return woken;
  }

  /** Lets an actor run from the present time on that has not run before. */
  start(actor: number): void {
    this.clock[actor] = this.at;
    this.woken = true;
  }

  /** Commits the machine's last event. */
  stop(cause: 0 | 1): void {
    const vmm = this.walkers[this.vmmActor]!;
    vmm.walkId = 0;
    this.note(vmm, K.machineStopped, 0, cause, 0);
  }

  /** Which actors wait, for the report of a machine that cannot go on. */
  describeWaiting(): string {
    const waiting = this.walkers.filter((walker) => walker.blocked !== 0);
    return `actors ${waiting.map((walker) => `${walker.actor} (pc ${walker.pc})`).join(', ')} wait at ${this.at} ns`;
  }

  /** Lets the present actor wait until somebody wakes it. */
  block(walker: Walker): void {
    walker.blocked = 1;
  }
}

/** The walkers of `actors` actors, their registers in one piece of memory. */
function makeWalkers(actors: number): Walker[] {
  const addresses = 8 * WIDE_COUNT * actors;
  const memory = new ArrayBuffer(addresses + 4 * REGISTER_COUNT * actors);
  return Array.from({ length: actors }, (_, actor) => {
    const r = new Int32Array(memory, addresses + 4 * REGISTER_COUNT * actor, REGISTER_COUNT);
    const a = new Float64Array(memory, 8 * WIDE_COUNT * actor, WIDE_COUNT);
    return new Walker(actor, r, a);
  });
}
