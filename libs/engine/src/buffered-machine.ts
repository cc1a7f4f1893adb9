import type { EventColumns } from '@s2lab/events';
import { K } from '@s2lab/events';
import { assert } from './assert.ts';
import type { MachineConfig } from './config.ts';
import { kindFlags } from './kind-flags.ts';
import { Machine } from './machine.ts';
import type { ReclaimPolicy } from './policy.ts';
import type { Row } from './store-buffers.ts';
import { STORED, StoreBuffers } from './store-buffers.ts';
import type { Walker } from './walker.ts';
import type { Workload } from './workload.ts';

/**
 * 1 for kinds of events whose access orders all stores before it: barriers, locks, atomics that the kernel has fully ordered, and what is handed
 * to others through them.
 */
const ORDERS = kindFlags(
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
);
/** Under total store order every atomic does; on Arm taking a reference, or setting a bit, does not. */
const ORDERS_UNDER_TSO = kindFlags(K.referenceGot, K.pageDirtied);
/** Events that tell what a store did to the tree: they come with it. */
const COMES_WITH_STORE = kindFlags(K.tableLinked, K.tableUnlinked);

const TWO_32 = 0x1_0000_0000;

/**
 * A machine whose stores others see late, under `tso` or `pso`. Each becomes visible by a step of its own (`drain`), or where its actor goes on to
 * something that orders them. Its event is recorded then, so a log tells in which order memory changed.
 */
export class BufferedMachine extends Machine {
  override readonly buffers: StoreBuffers;
  private draining = false;

  /** @param hostPolicy of the host's stage-2, under pKVM */
  constructor(config: MachineConfig, policy: ReclaimPolicy, workload: Workload, columns: EventColumns, hostPolicy = policy) {
    super(config, policy, workload, columns, hostPolicy);
    assert(config.memory !== 'sc', 'a machine with store buffers is not sequentially consistent');
    this.buffers = new StoreBuffers(config.memory, this.world.actors);
  }

  /** The event just recorded is a store, which others see later; or orders those before it; or neither. */
  protected override settle(columns: EventColumns, kind: number): void {
    const actor = columns.actor[columns.length - 1]!;
    if (this.draining) super.settle(columns, kind);
    else if (kind === K.descriptorStored || kind === K.descriptorReleased) {
      const row = takeLast(columns);
      this.store(actor, STORED.descriptor, row[5], row[4], 0, [row]);
    } else if (this.buffers.isDrained(actor)) this.settleNow(columns, kind, actor);
    else if (COMES_WITH_STORE[kind] === 1) this.buffers.tell(actor, takeLast(columns));
    else if (ORDERS[kind] === 1 || (this.config.memory === 'tso' && ORDERS_UNDER_TSO[kind] === 1)) {
      const row = takeLast(columns);
      this.drainAll(actor);
      this.append(actor, row, row[6], row[7]);
      super.settle(columns, kind);
    } else this.settleNow(columns, kind, actor);
  }

  private settleNow(columns: EventColumns, kind: number, actor: number): void {
    const table = columns.table[columns.length - 1]!;
    super.settle(columns, kind);
    if (kind === K.tableAllocated || kind === K.tableReused) this.store(actor, STORED.page, table, 0, 0, []);
  }

  override storeWord(walker: Walker, index: number, value: number, kind: number, level: number, table: number, arg: number): void {
    const row: Row = [kind, walker.walkId, walker.vmid, level, 0, table, 0, 0, 0, 0, 0, arg, 0];
    this.store(walker.actor, STORED.word, walker.vmid, index, value, [row]);
  }

  override fence(walker: Walker): void {
    this.drainAll(walker.actor);
  }

  override readDescriptor(walker: Walker): void {
    super.readDescriptor(walker);
    const { columns, buffers, world } = this;
    walker.oldLo = buffers.seen(world, walker.actor, walker.table, walker.slot, 0);
    walker.oldHi = buffers.seen(world, walker.actor, walker.table, walker.slot, 1);
    columns.old[2 * columns.length - 2] = walker.oldLo;
    columns.old[2 * columns.length - 1] = walker.oldHi;
  }

  override linkStands(walker: Walker): boolean {
    super.linkStands(walker);
    const { columns, buffers, world } = this;
    const lo = buffers.seen(world, walker.actor, walker.parentTable, walker.parentSlot, 0);
    const hi = buffers.seen(world, walker.actor, walker.parentTable, walker.parentSlot, 1);
    columns.old[2 * columns.length - 2] = lo;
    columns.old[2 * columns.length - 1] = hi;
    return lo === walker.linkLo && hi === walker.linkHi;
  }

  override trySet(walker: Walker, shared: boolean, lo: number, hi: number): boolean {
    // A compare-and-exchange looks at memory, and the kernel's is a full barrier.
    if (shared) this.drainAll(walker.actor);
    return super.trySet(walker, shared, lo, hi);
  }

  /** A store of `actor` becomes visible: that in `lane` of those that may be next. */
  drain(actor: number, lane: number): void {
    const { what, owner, at, value, rows } = this.buffers.take(actor, lane);
    if (what === STORED.word) this.wordsOf(owner)[at] = value;
    const { pages } = this.world;
    const i = what === STORED.descriptor ? pages.indexOf(owner, at) : 0;
    const oldLo = pages.descriptors[i]!;
    const oldHi = pages.descriptors[i + 1]!;
    this.draining = true;
    rows.forEach((row, n) => {
      const stores = n === 0 && what === STORED.descriptor;
      this.append(actor, row, stores ? oldLo : 0, stores ? oldHi : 0);
      this.settle(this.columns, row[0]);
    });
    this.draining = false;
  }

  private store(actor: number, what: number, owner: number, at: number, value: number, rows: Row[]): void {
    if (this.buffers.isFull(actor)) this.drain(actor, 0);
    this.buffers.push(actor, { what, owner, at, value, rows });
  }

  private drainAll(actor: number): void {
    while (!this.buffers.isDrained(actor)) this.drain(actor, 0);
  }

  private append(actor: number, row: Row, oldLo: number, oldHi: number): void {
    const [kind, walk, vmid, level, slot, table, , , newLo, newHi, ipa, arg, aux] = row;
    this.columns.append(kind, this.at, actor, walk, vmid, level, slot, table, oldLo, oldHi, newLo, newHi, ipa, arg, aux);
  }
}

/** Takes the last event out again. */
function takeLast(columns: EventColumns): Row {
  const i = columns.length - 1;
  const { kind, walk, stage2, level, slot, table, old, new: made, ipa, arg, aux } = columns;
  columns.length = i;
  const at = ipa[2 * i]! + ipa[2 * i + 1]! * TWO_32;
  const before = [old[2 * i]! | 0, old[2 * i + 1]! | 0] as const;
  const after = [made[2 * i]! | 0, made[2 * i + 1]! | 0] as const;
  return [kind[i]!, walk[i]!, stage2[i]!, level[i]!, slot[i]!, table[i]!, ...before, ...after, at, arg[i]! | 0, aux[i]! | 0];
}
