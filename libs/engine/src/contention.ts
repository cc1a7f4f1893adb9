import type { EventRows } from '@s2lab/events';
import { K, wide } from '@s2lab/events';
import type { MachineConfig } from './config.ts';
import type { CostSet } from './costs.ts';
import { CacheLines } from './cache-lines.ts';
import { kindFlags } from './kind-flags.ts';
import type { StateWords } from './state-words.ts';

/** Lines of the locks: a lock is named by its stage-2 and by `arg` of its events, of which there are fewer than this. */
const LOCKS_PER_STAGE2 = 16;
const LOCK_LINES = 64 * LOCKS_PER_STAGE2;
/** The line of the host's mmap lock. */
const HOST_LINE = 0;
const FIRST_LOCK_LINE = 1;
/** How often a fault changes the host's mmap lock: it is taken and released around the look-up of the VMA. @source mmu.c user_mem_abort() */
const HOST_CHANGES = 2;
/** Pages of the smallest granule, the unit in which cache maintenance and zeroing are counted. */
const PAGE_BYTES = 4096;

/**
 * What actors wait for each other without a lock, in virtual time: cache lines that all of them change, the interconnect that carries TLB
 * invalidations to every core, and memory while pages are zeroed. Each is served in order of arrival. It decides nothing but time: it is no
 * state of the tables, and a fold of the log needs none of it.
 */
export class Contention {
  private readonly costs: CostSet;
  private readonly dic: boolean;
  private readonly fwb: boolean;
  private readonly vcpus: number;
  /** Lines of the locks. */
  readonly lockLines: CacheLines;
  /** Lines of the counts of table pages, by frame. */
  readonly tableLines: CacheLines;
  private invalidationFreeNs = 0;
  private memoryFreeNs = 0;
  /** Until when each actor zeroes pages, or cleans them. */
  private readonly zeroingUntilNs: Float64Array;
  private readonly cleaningUntilNs: Float64Array;

  constructor(config: MachineConfig, actors: number) {
    this.costs = config.costs;
    this.dic = config.dic;
    this.fwb = config.fwb;
    this.vcpus = config.vcpus;
    this.lockLines = new CacheLines(config.costs.lineTransferNs);
    this.tableLines = new CacheLines(config.costs.lineTransferNs);
    // Who is busy matters only where it costs something.
    this.zeroingUntilNs = new Float64Array(config.costs.zeroPageNs === 0 ? 0 : actors);
    this.cleaningUntilNs = new Float64Array(config.costs.cleanBesideNs === 0 ? 0 : actors);
  }

  /** What event `i` of `rows`, of a CONTENDED kind, adds at `now` beyond its own cost, ns. */
  extraNs(rows: EventRows, i: number, now: number): number {
    const actor = rows.actor[i]!;
    switch (rows.kind[i]!) {
      case K.lockAcquired:
      case K.lockReleased:
      case K.lockContended:
        return this.lockLines.changeNs(FIRST_LOCK_LINE + ((rows.stage2[i]! * LOCKS_PER_STAGE2 + rows.arg[i]!) % LOCK_LINES), actor, now, 1);
      case K.mappingSizeChosen:
        return this.lockLines.changeNs(HOST_LINE, actor, now, HOST_CHANGES);
      case K.icacheInvalidated:
        return this.dic ? 0 : this.maintenanceNs(actor, now, wide(rows.old, i));
      case K.dcacheCleaned:
        return this.fwb ? 0 : this.maintenanceNs(actor, now, wide(rows.old, i));
      default:
        return this.tableLines.changeNs(rows.table[i]!, actor, now, 1);
    }
  }

  /** Maintenance of a range beyond that of its first page, which is the event's own cost. */
  private maintenanceNs(actor: number, now: number, bytes: number): number {
    const { cacheMaintenanceNs, cleanBesideNs } = this.costs;
    const pages = bytes / PAGE_BYTES;
    const beside = cleanBesideNs === 0 ? 0 : othersBusy(this.cleaningUntilNs, now) * cleanBesideNs;
    const ns = pages * (cacheMaintenanceNs + beside) - cacheMaintenanceNs;
    if (cleanBesideNs !== 0) this.cleaningUntilNs[actor] = now + cacheMaintenanceNs + ns;
    return ns;
  }

  /** Writes until when what is served in order is taken; the lines are pieces of their own. */
  save(into: StateWords): void {
    into.putWide(this.invalidationFreeNs);
    into.putWide(this.memoryFreeNs);
    into.putAllWide(this.zeroingUntilNs);
    into.putAllWide(this.cleaningUntilNs);
  }

  /** Reads what `save` wrote. */
  load(from: StateWords): void {
    this.invalidationFreeNs = from.getWide();
    this.memoryFreeNs = from.getWide();
    from.getAllWide(this.zeroingUntilNs);
    from.getAllWide(this.cleaningUntilNs);
  }

  /** Time from `now` until a DSB is over that waits for broadcast TLBIs. */
  invalidationNs(now: number): number {
    const service = this.costs.dsbAfterTlbiNs + (this.vcpus - 1) * this.costs.dsbCoreNs;
    this.invalidationFreeNs = Math.max(now, this.invalidationFreeNs) + service;
    return this.invalidationFreeNs - now;
  }

  /** Time from `now` until `bytes` of guest memory that nobody touched before are zeroed by `actor`. */
  zeroingNs(actor: number, now: number, bytes: number): number {
    const { zeroPageNs, zeroBesideNs, memoryPageNs } = this.costs;
    const pages = bytes / PAGE_BYTES;
    const beside = othersBusy(this.zeroingUntilNs, now);
    this.memoryFreeNs = Math.max(now, this.memoryFreeNs) + pages * memoryPageNs;
    const end = Math.max(now + pages * (zeroPageNs + beside * zeroBesideNs), this.memoryFreeNs);
    this.zeroingUntilNs[actor] = end;
    return end - now;
  }
}

function othersBusy(untilNs: Float64Array, now: number): number {
  let busy = 0;
  for (let actor = 0; actor < untilNs.length; actor += 1) if (untilNs[actor]! > now) busy += 1;
  return busy;
}

/** 1 for the kinds of event that `Contention.extraNs` answers for. */
export const CONTENDED: Readonly<Uint8Array> = kindFlags(
  K.lockAcquired,
  K.lockReleased,
  K.lockContended,
  K.mappingSizeChosen,
  K.dcacheCleaned,
  K.icacheInvalidated,
  K.referenceGot,
  K.referencePut,
  K.walkerReferenceGot,
  K.walkerReferencePut,
  K.walkerReferenceRefused,
);
