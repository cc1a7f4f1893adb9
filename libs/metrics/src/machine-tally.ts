import type { EventRows, FrameOrigin } from '@s2lab/events';
import { K, LINK_CAUSE, PHASE, UNLINK_CAUSE, wide } from '@s2lab/events';
import { LockedDescriptors } from './locked-descriptors.ts';
import { LEAF_LEVELS, MappedLeaves, PAGE_LEVEL } from './mapped-leaves.ts';
import { LOCK_WAIT_BUCKETS } from './definitions.ts';
import { PageOwnership } from './page-ownership.ts';

/** Results of walks and fault handlers that have a name of their own in metrics; the last one stands for all others. */
export const RESULT_NAMES = ['ok', 'eagain', 'enomem', 'eexist', 'einval', 'efault', 'other'] as const;
const RESULT_COLUMN = new Map<number, number>([
  [0, 0],
  [-11, 1],
  [-12, 2],
  [-17, 3],
  [-22, 4],
  [-14, 5],
]);
const RESULT_OTHER = RESULT_NAMES.length - 1;

/** VMID of a pKVM host’s stage-2; machines without one count from 1. */
const HOST_VMID = 0;

const OPS = 32;
const CODES = 8;
const WAIT_BUCKETS = LOCK_WAIT_BUCKETS.length + 1;
const WAIT_LIMITS_NS = LOCK_WAIT_BUCKETS.map((seconds) => seconds * 1e9);

const WALK = 264 + 7 * CODES + CODES * LEAF_LEVELS + 3 * WAIT_BUCKETS;
const PKVM = WALK + OPS * RESULT_NAMES.length;
/** Components of a pKVM machine: places of a pair are from × COMPONENT_COUNT + to. */
export const COMPONENT_COUNT = 3;
const PAIRS = COMPONENT_COUNT ** 2;

/** Places of counters in a tally's `counts`. Events by kind come first, at the kind's code. */
export const AT = {
  collapses: 256,
  splits: 257,
  retries: 258,
  lockedMet: 259,
  tlbHits: 260,
  tlbMisses: 261,
  reclaims: 262,
  rows: 263,
  /** + TLBI code. */
  tlbi: 264,
  /** + DSB code. */
  dsb: 264 + CODES,
  /** + INJECTED code. */
  injected: 264 + 2 * CODES,
  /** + LOCK_MODE. */
  contended: 264 + 3 * CODES,
  /** + LOCK_MODE: nanoseconds waited. */
  waitNs: 264 + 4 * CODES,
  /** + PHASE code. */
  phase: 264 + 5 * CODES,
  /** + index in RESULT_NAMES. */
  faultResult: 264 + 6 * CODES,
  /** + FAULT code × LEAF_LEVELS + level. */
  fault: 264 + 7 * CODES,
  /** + LOCK_MODE × wait buckets + bucket. */
  wait: 264 + 7 * CODES + CODES * LEAF_LEVELS,
  /** + OP × RESULT_NAMES + index in RESULT_NAMES. */
  walk: WALK,
  /** Blocks of a pKVM host replaced by a table, and tables by a block. */
  hostBroken: PKVM,
  hostCoalesced: PKVM + 1,
  /** + COMPONENT from × COMPONENT_COUNT + COMPONENT to. */
  donated: PKVM + 2,
  shared: PKVM + 2 + PAIRS,
  unshared: PKVM + 2 + 2 * PAIRS,
  /** + 1 when the guest lives on. */
  takenBack: PKVM + 2 + 3 * PAIRS,
  blocksBack: PKVM + 4 + 3 * PAIRS,
} as const;

/** Numbers in `counts` of a tally. */
export const COUNTS = AT.blocksBack + 1;

/** Buckets of the lock wait, with the one above the last bound. */
export const LOCK_WAIT_BUCKET_COUNT = WAIT_BUCKETS;

/** One machine's events, counted. Folding is one pass over the kinds; it allocates only where a walk or a free is outstanding. */
export class MachineTally {
  readonly origin: FrameOrigin;
  /** Counters by place (AT); doubles, exact below 2^53. */
  readonly counts = new Float64Array(COUNTS);
  virtualNs = 0;
  tables = 0;
  /** Most table pages that ever lived at once. */
  tablesPeak = 0;
  /** Bytes that pages and blocks mapped when blocks had last had their time to come back: at the end of a collapse phase, or at the teardown. */
  readonly settled = { pageBytes: 0, blockBytes: 0 };
  pageShift = 12;
  private indexBits = 0;
  pendingPeak = 0;
  phase = 0;
  pass = 0;
  running = true;
  /** Retired sub-trees by table page, in order of retirement: when each was retired, virtual nanoseconds. */
  private readonly pending = new Map<number, number>();
  private readonly mapped = new MappedLeaves();
  /** Who has which memory of a pKVM machine. */
  readonly ownership = new PageOwnership();
  private readonly walkOp = new Map<number, number>();
  private readonly blockedSince: number[] = [];
  private readonly locked = new LockedDescriptors();
  private loggingEnded = false;
  private hasCollapsed = false;

  constructor(origin: FrameOrigin) {
    this.origin = origin;
  }

  /** Sub-trees retired and not yet reclaimed. */
  get pendingFrees(): number {
    return this.pending.size;
  }

  /** Virtual nanoseconds since the oldest pending free was retired; 0 when none is pending. */
  get oldestPendingNs(): number {
    for (const retiredAt of this.pending.values()) return this.virtualNs - retiredAt;
    return 0;
  }

  /** Faults of one kind (FAULT), at all levels. */
  faultsOf(fault: number): number {
    let sum = 0;
    for (let level = 0; level < LEAF_LEVELS; level += 1) sum += this.counts[AT.fault + fault * LEAF_LEVELS + level]!;
    return sum;
  }

  /** Bytes of the table pages that live. */
  get tableBytes(): number {
    return this.tables * 2 ** this.pageShift;
  }

  /** Bytes that valid page descriptors map. */
  get pageBytes(): number {
    return this.mapped.pageBytes(this.pageShift);
  }

  /** Bytes that valid block descriptors map. */
  get blockBytes(): number {
    return this.mapped.blockBytes(this.pageShift, this.indexBits);
  }

  /** Folds consecutive rows of this machine. */
  fold(rows: EventRows): void {
    const { kind, level, arg, aux, length } = rows;
    const { counts, mapped } = this;
    for (let i = 0; i < length; i += 1) {
      const code = kind[i]!;
      counts[code]! += 1;
      switch (code) {
        case K.descriptorRead:
          if (this.locked.meets(rows, i)) counts[AT.lockedMet]! += 1;
          break;
        case K.descriptorStored:
        case K.descriptorReleased:
        case K.descriptorSwapped:
          if (mapped.replace(rows, i) > 0 && this.loggingEnded && level[i]! < PAGE_LEVEL) counts[AT.blocksBack]! += 1;
          this.locked.write(rows, i);
          break;
        case K.guestAccessed:
          counts[aux[i] === 1 ? AT.tlbHits : AT.tlbMisses]! += 1;
          break;
        case K.tlbiIssued:
          counts[AT.tlbi + (arg[i]! & 7)]! += 1;
          break;
        case K.dsbCompleted:
          counts[AT.dsb + (arg[i]! & 7)]! += 1;
          break;
        case K.faultTaken:
          counts[AT.fault + (arg[i]! & 7) * LEAF_LEVELS + Math.max(0, level[i]!)]! += 1;
          break;
        case K.faultHandled:
          counts[AT.faultResult + resultColumn(arg[i]! | 0)]! += 1;
          break;
        case K.walkBegan:
          this.walkOp.set(rows.walk[i]!, arg[i]! & (OPS - 1));
          break;
        case K.walkEnded:
          this.endWalk(rows.walk[i]!, arg[i]! | 0, aux[i]!);
          break;
        default:
          this.foldRare(rows, i, code);
      }
    }
    counts[AT.rows]! += length;
    if (length > 0) this.virtualNs = Math.max(this.virtualNs, wide(rows.at, length - 1));
  }

  /** Kinds that are few among the events. */
  private foldRare(rows: EventRows, i: number, code: number): void {
    switch (code) {
      case K.tableAllocated:
      case K.tableReused:
        this.tables += 1;
        if (this.tables > this.tablesPeak) this.tablesPeak = this.tables;
        break;
      case K.tableFreed:
        this.tables -= 1;
        this.locked.dropTable(rows.table[i]!);
        this.mapped.dropTable(rows.table[i]!);
        break;
      case K.tableLinked:
        if (rows.aux[i] === LINK_CAUSE.split) this.countOfStage2(rows, i, AT.splits, AT.hostBroken);
        break;
      case K.tableUnlinked:
        this.mapped.dropTable(rows.table[i]!);
        if (rows.aux[i] === UNLINK_CAUSE.collapse || rows.aux[i] === UNLINK_CAUSE.idle)
          this.countOfStage2(rows, i, AT.collapses, AT.hostCoalesced);
        break;
      case K.tableRetired:
        this.pending.set(rows.table[i]!, wide(rows.at, i));
        if (this.pending.size > this.pendingPeak) this.pendingPeak = this.pending.size;
        break;
      case K.reclaimEnded:
        this.pending.delete(rows.table[i]!);
        break;
      case K.lockContended:
        this.counts[AT.contended + (rows.aux[i]! & 3)]! += 1;
        this.blockedSince[rows.actor[i]!] = wide(rows.at, i);
        break;
      case K.lockAcquired:
        this.endWait(rows.actor[i]!, wide(rows.at, i), rows.aux[i]! & 3);
        break;
      case K.faultInjected:
        this.counts[AT.injected + (rows.arg[i]! & 7)]! += 1;
        break;
      case K.dirtyLogStarted:
      case K.dirtyLogStopped:
        this.loggingEnded = code === K.dirtyLogStopped;
        break;
      case K.memslotDeleted:
        if (this.blocksReturn) this.settle();
        this.loggingEnded = false;
        break;
      case K.phaseBegan:
        if (this.blocksReturn || (rows.arg[i] === PHASE.teardown && !this.hasCollapsed)) this.settle();
        if (rows.arg[i] === PHASE.collapse) this.hasCollapsed = true;
        this.phase = rows.arg[i]!;
        this.counts[AT.phase + (this.phase & 7)]! += 1;
        this.pass = rows.aux[i]!;
        break;
      case K.machineStarted:
        this.pageShift = rows.aux[i]!;
        this.ownership.setGranule(this.pageShift);
        this.indexBits = rows.slot[i]!;
        break;
      case K.machineStopped:
        this.running = false;
        this.mapped.clear();
        this.ownership.clear();
        break;
      default:
        if (code >= K.memoryRegionAdded && code <= K.hostAborted) this.foldPkvm(rows, i, code);
    }
  }

  /** Kinds that only pKVM machines make. */
  private foldPkvm(rows: EventRows, i: number, code: number): void {
    const { counts } = this;
    const pair = Math.min(PAIRS - 1, rows.arg[i]! * COMPONENT_COUNT + rows.aux[i]!);
    if (code === K.pageDonated) counts[AT.donated + pair]! += 1;
    else if (code === K.pageShared) counts[AT.shared + pair]! += 1;
    else if (code === K.pageUnshared) counts[AT.unshared + pair]! += 1;
    else if (code === K.pageReclaimed) counts[AT.takenBack + (rows.arg[i]! & 1)]! += 1;
    this.ownership.fold(rows, i);
  }

  /** Counts at `place`, and at `hosts` too when the stage-2 is a pKVM host’s. */
  private countOfStage2(rows: EventRows, i: number, place: number, hosts: number): void {
    this.counts[place]! += 1;
    if (rows.stage2[i] === HOST_VMID) this.counts[hosts]! += 1;
  }

  /** Whether this is a collapse phase whose memslots are still there: what ends it ends the time in which blocks come back. */
  private get blocksReturn(): boolean {
    return this.phase === PHASE.collapse && this.loggingEnded;
  }

  private settle(): void {
    this.settled.pageBytes = this.pageBytes;
    this.settled.blockBytes = this.blockBytes;
  }

  private endWalk(walk: number, result: number, retries: number): void {
    const op = this.walkOp.get(walk);
    if (op === undefined) return; // it began before this reader joined
    this.walkOp.delete(walk);
    this.counts[AT.walk + op * RESULT_NAMES.length + resultColumn(result)]! += 1;
    this.counts[AT.retries]! += retries;
  }

  private endWait(actor: number, at: number, mode: number): void {
    const since = this.blockedSince[actor];
    if (since === undefined || since < 0) return;
    this.blockedSince[actor] = -1;
    const waited = at - since;
    let bucket = 0;
    while (bucket < WAIT_LIMITS_NS.length && waited > WAIT_LIMITS_NS[bucket]!) bucket += 1;
    this.counts[AT.wait + mode * WAIT_BUCKETS + bucket]! += 1;
    this.counts[AT.waitNs + mode]! += waited;
  }
}

/** Index in RESULT_NAMES. An age walk returns 1 for "was young", which is no error. */
function resultColumn(result: number): number {
  if (result >= 0) return 0;
  return RESULT_COLUMN.get(result) ?? RESULT_OTHER;
}
