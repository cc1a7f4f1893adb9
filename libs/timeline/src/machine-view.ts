import type { LeafFeatures } from '@s2lab/arch';
import { isTable, outputAddress } from '@s2lab/arch';
import type { EventRows } from '@s2lab/events';
import { FEATURE, K, copyRows, sliceRows, wide } from '@s2lab/events';
import type { Stage2 } from '@s2lab/engine';
import { FRAME, World, machineConfig } from '@s2lab/engine';
import { ActorActivity } from './actor-activity.ts';
import { PendingFrees } from './pending-frees.ts';

/**
 * TLB sizes of the rebuilt world. A log does not say how large the TLBs were, but it records every eviction, and in a direct-mapped cache
 * of a larger power of two only that collides which collided in the smaller one: so any size from the machine's own on is exact.
 */
const TLB_ENTRIES = 256;
const WALK_CACHE_ENTRIES = 64;

/** Most page frames a log may number its tables with: descriptors of 4 GiB. */
const FRAMES_MAX = 1 << 20;

/** Most events before the first stage-2. */
const EARLY_MAX = 10_000;

/** Kinds by which no world evolves while there is no stage-2: those of other programs' traces, and barriers. */
function isForeign(kind: number): boolean {
  return (kind >= K.memoryInitialised && kind <= K.invalidationIssued) || kind === K.dsbCompleted || kind === K.isbCompleted;
}

/** Most vCPUs of a machine. */
export const VCPUS_MAX = 1024;

/** What fixes the shape of a rebuilt world: from machine-started and stage2-created. */
export interface ViewShape {
  readonly vcpus: number;
  readonly pageShift: number;
  /** VMID, address size and features of the first stage-2. */
  readonly vmid: number;
  readonly ipaBits: number;
  /** log2 of the descriptors in a table, 0 for those of the granule. */
  readonly indexBits: number;
  /** `features` of stage2-created. */
  readonly features: number;
}

/** A log that cannot be the log of a machine. The message is one line: which event, and why. */
export class TimelineError extends Error {
  override readonly name = 'TimelineError';
}

/**
 * One machine at one moment of its log: folds its events in order, the world by the engine's own `World.evolve`, the actors by what
 * their events say. Folding a row allocates nothing once the stage-2 exists.
 */
export class MachineView {
  /** Sequence number of the next event to fold. */
  nextSeq = 0;
  /** Virtual time of the last event folded, ns. */
  at = 0;
  vcpus = 0;
  pageShift = 0;
  indexBits = 0;
  /** Physical address of table page 0; NaN until a link was seen. */
  tableBase = NaN;
  shape: ViewShape | undefined;
  /** Undefined until the log tells the size of the stage-2. */
  world: World | undefined;
  actors = new ActorActivity(0);
  readonly pending = new PendingFrees();
  /** The first events of the machine, until its world can be made. */
  private early: (readonly [row: EventRows, seq: number])[] = [];

  /** The stage-2s that were ever created and whose VMIDs were not used again, by VMID. */
  get stage2s(): readonly Stage2[] {
    return this.world?.stage2s.filter((stage2) => stage2 !== undefined) ?? [];
  }

  /** Makes the world of `shape`, empty. */
  build(shape: ViewShape): World {
    const { vcpus, pageShift, vmid, ipaBits, indexBits, features } = shape;
    this.shape = shape;
    this.world = new World(
      machineConfig({
        kind: vmid === 0 ? 'pkvm' : 'kvm',
        vcpus,
        pageShift,
        ipaBits,
        indexBits,
        ...featuresOf(features),
        tlbEntries: TLB_ENTRIES,
        walkCacheEntries: WALK_CACHE_ENTRIES,
        reuseFrames: true,
      }),
    );
    return this.world;
  }

  /**
   * Folds events up to and with number `last`; the first row is event `firstSeq`. Rows that were folded before are passed over.
   * @throws TimelineError for a gap before the rows, and for events that no machine makes.
   */
  fold(rows: EventRows, firstSeq: number, last = Infinity): void {
    if (firstSeq > this.nextSeq)
      throw new TimelineError(
        `events ${this.nextSeq} to ${firstSeq - 1} are missing: what follows them cannot be rebuilt; the last event that can is ${this.nextSeq - 1}`,
      );
    const end = Math.min(rows.length, last - firstSeq + 1);
    let i = this.nextSeq - firstSeq;
    try {
      for (; i < end; i += 1) {
        this.evolve(rows, i, firstSeq + i);
        this.actors.fold(rows, i, firstSeq + i);
        this.pending.fold(rows, i);
      }
    } catch (cause) {
      if (cause instanceof TimelineError) throw cause;
      // The engine never made such an event; its world need not be ready for it.
      throw new TimelineError(`event ${firstSeq + i}: no machine makes it: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
    if (end > this.nextSeq - firstSeq) {
      this.nextSeq = firstSeq + end;
      this.at = wide(rows.at, end - 1);
    }
  }

  private evolve(rows: EventRows, i: number, seq: number): void {
    const kind = rows.kind[i]!;
    const world = this.world;
    if (world === undefined) {
      this.begin(rows, i, seq);
      return;
    }
    if (kind >= K.descriptorRead && kind <= K.referenceRead) {
      if (kind === K.tableAllocated || kind === K.tableReused) this.makeRoom(world, rows.table[i]!, kind, seq);
      else if (rows.table[i]! >= world.pages.used) throw new TimelineError(`event ${seq}: table ${rows.table[i]} was never allocated`);
    }
    if (kind === K.memslotCreated && wide(rows.old, i) > world.shape.ipaBytes)
      throw new TimelineError(`event ${seq}: memslot ${rows.arg[i]} is larger than the address space`);
    if (kind === K.dirtyLogCleared && wide(rows.old, i) > (world.stage2s[rows.stage2[i]!]?.memslotById(rows.arg[i]!)?.bytes ?? Infinity))
      throw new TimelineError(`event ${seq}: clears more dirty bits than memslot ${rows.arg[i]} has`);
    if (kind === K.stage2Created && rows.table[i]! + rows.arg[i]! > world.pages.used)
      throw new TimelineError(
        `event ${seq}: a stage-2 of ${rows.arg[i]} root pages from table ${rows.table[i]}, which were never allocated`,
      );
    world.evolve(rows, i);
    if (kind === K.tableLinked && Number.isNaN(this.tableBase)) this.learnBase(world, rows, i);
  }

  private begin(rows: EventRows, i: number, seq: number): void {
    const kind = rows.kind[i]!;
    if (kind === K.machineStarted) {
      if (rows.arg[i]! > VCPUS_MAX)
        throw new TimelineError(`event ${seq}: a machine of ${rows.arg[i]} vCPUs; there are at most ${VCPUS_MAX}`);
      this.vcpus = rows.arg[i]!;
      this.pageShift = rows.aux[i]!;
      this.indexBits = rows.slot[i]!;
      this.actors = new ActorActivity(this.vcpus + 2);
    } else if (seq === 0) {
      throw new TimelineError('event 0 is no machine-started: the log does not begin with its machine');
    }
    if (isForeign(kind)) return;
    if (this.early.length === EARLY_MAX)
      throw new TimelineError(`the first ${EARLY_MAX} events create no stage-2: there is nothing to show`);
    this.early.push([copyRows(sliceRows(rows, i, i + 1)), seq]);
    if (kind !== K.stage2Created) return;
    try {
      const { vcpus, pageShift, indexBits } = this;
      this.build({ vcpus, pageShift, indexBits, vmid: rows.stage2[i]!, ipaBits: rows.slot[i]!, features: rows.aux[i]! });
    } catch (cause) {
      throw new TimelineError(`event ${seq}: no such machine: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    for (const [row, number] of this.early) this.evolve(row, 0, number);
    this.early = [];
  }

  /** Imported logs may number their frames with holes; the engine's store grows one frame at a time. */
  private makeRoom(world: World, table: number, kind: number, seq: number): void {
    if (table >= FRAMES_MAX) throw new TimelineError(`event ${seq}: table ${table}; tables are numbered from 0 to ${FRAMES_MAX - 1}`);
    const { pages } = world;
    if (table < pages.used && pages.state[table] === FRAME.live)
      throw new TimelineError(`event ${seq}: table ${table} is allocated while it is live (kind ${kind})`);
    while (pages.used < table) {
      const frame = pages.used;
      pages.allocate(frame, -1);
      pages.free(frame);
      pages.state[frame] = FRAME.never;
    }
  }

  private learnBase(world: World, rows: EventRows, i: number): void {
    const parent = rows.arg[i]!;
    if (parent >= world.pages.used) return;
    const d = world.pages.indexOf(parent, rows.slot[i]!);
    const lo = world.pages.descriptors[d]!;
    const hi = world.pages.descriptors[d + 1]!;
    if (isTable(lo, rows.level[i]!)) this.tableBase = outputAddress(world.shape, lo, hi) - rows.table[i]! * world.shape.pageBytes;
  }

  /** Table page a table descriptor points to, or -1 when it is none of the machine's. */
  childOf(world: World, lo: number, hi: number): number {
    const frame = (outputAddress(world.shape, lo, hi) - this.tableBase) / world.shape.pageBytes;
    return Number.isInteger(frame) && frame >= 0 && frame < world.pages.used ? frame : -1;
  }

  /** Name of an actor: `vCPU 3`, `VMM`, `reclaim worker`. */
  actorName(actor: number): string {
    return actorName(actor, this.vcpus);
  }
}

/** What the bits of `features` in stage2-created say. */
export function featuresOf(features: number): LeafFeatures & { readonly lpa2: boolean } {
  return {
    fwb: (features & FEATURE.fwb) !== 0,
    lpa2: (features & FEATURE.lpa2) !== 0,
    xnx: (features & FEATURE.xnx) !== 0,
    asStage1: (features & FEATURE.asStage1) !== 0,
  };
}

/** Name of an actor of a machine with `vcpus` vCPUs. */
export function actorName(actor: number, vcpus: number): string {
  if (actor < vcpus) return `vCPU ${actor}`;
  return actor === vcpus ? 'VMM' : actor === vcpus + 1 ? 'reclaim worker' : `actor ${actor}`;
}
