import type { EventRows } from '@s2lab/events';
import { K, wide } from '@s2lab/events';
import type { MachineConfig } from './config.ts';
import type { CostSet } from './costs.ts';
import { kindFlags } from './kind-flags.ts';
import type { StateWords } from './state-words.ts';

/** Lines of the locks: a lock is named by its stage-2 and by `arg` of its events, of which there are fewer than this. */
const LOCKS_PER_STAGE2 = 16;
const LOCK_LINES = 64 * LOCKS_PER_STAGE2;
/** The line of the host's mmap lock. */
const HOST_LINE = LOCK_LINES;
const FIRST_TABLE_LINE = LOCK_LINES + 1;
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
  /** Line l: the actor that changed it last, -1 nobody, and until when it is on its way. */
  private lineOwner = new Int32Array(FIRST_TABLE_LINE + 64).fill(-1);
  private lineFreeNs = new Float64Array(FIRST_TABLE_LINE + 64);
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
    this.zeroingUntilNs = new Float64Array(actors);
    this.cleaningUntilNs = new Float64Array(actors);
  }

  /** What event `i` of `rows`, of a CONTENDED kind, adds at `now` beyond its own cost, ns. */
  extraNs(rows: EventRows, i: number, now: number): number {
    const actor = rows.actor[i]!;
    switch (rows.kind[i]!) {
      case K.lockAcquired:
      case K.lockReleased:
      case K.lockContended:
        return this.lineNs((rows.stage2[i]! * LOCKS_PER_STAGE2 + rows.arg[i]!) % LOCK_LINES, actor, now, 1);
      case K.mappingSizeChosen:
        return this.lineNs(HOST_LINE, actor, now, HOST_CHANGES);
      case K.icacheInvalidated:
        return this.dic ? 0 : this.maintenanceNs(actor, now, wide(rows.old, i));
      case K.dcacheCleaned:
        return this.fwb ? 0 : this.maintenanceNs(actor, now, wide(rows.old, i));
      default:
        return this.lineNs(FIRST_TABLE_LINE + rows.table[i]!, actor, now, 1);
    }
  }

  /** Maintenance of a range beyond that of its first page, which is the event's own cost. */
  private maintenanceNs(actor: number, now: number, bytes: number): number {
    const { cacheMaintenanceNs, cleanBesideNs } = this.costs;
    const pages = bytes / PAGE_BYTES;
    const beside = cleanBesideNs === 0 ? 0 : othersBusy(this.cleaningUntilNs, now) * cleanBesideNs;
    const ns = pages * (cacheMaintenanceNs + beside) - cacheMaintenanceNs;
    this.cleaningUntilNs[actor] = now + cacheMaintenanceNs + ns;
    return ns;
  }

  /** Time until a line has come over and was changed `changes` times; nothing if the actor was the last to change it. */
  private lineNs(line: number, actor: number, now: number, changes: number): number {
    const { lineTransferNs } = this.costs;
    if (lineTransferNs === 0) return 0;
    if (line >= this.lineOwner.length) this.growLines(line);
    if (this.lineOwner[line] === actor) return 0;
    const first = this.lineOwner[line] === -1;
    this.lineOwner[line] = actor;
    if (first) return 0;
    const free = Math.max(now, this.lineFreeNs[line]!) + changes * lineTransferNs;
    this.lineFreeNs[line] = free;
    return free - now;
  }

  private growLines(line: number): void {
    const lines = Math.max(2 * this.lineOwner.length, line + 1);
    const owner = new Int32Array(lines).fill(-1);
    const free = new Float64Array(lines);
    owner.set(this.lineOwner);
    free.set(this.lineFreeNs);
    this.lineOwner = owner;
    this.lineFreeNs = free;
  }

  /** Writes who changed which line last, and until when what is served in order is taken. */
  save(into: StateWords): void {
    for (let line = 0; line < this.lineOwner.length; line += 1) {
      if (this.lineOwner[line] === -1) continue;
      into.put(line);
      into.put(this.lineOwner[line]!);
      into.putWide(this.lineFreeNs[line]!);
    }
    into.put(-1);
    into.putWide(this.invalidationFreeNs);
    into.putWide(this.memoryFreeNs);
    into.putAllWide(this.zeroingUntilNs);
    into.putAllWide(this.cleaningUntilNs);
  }

  /** Reads what `save` wrote. */
  load(from: StateWords): void {
    this.lineOwner.fill(-1);
    this.lineFreeNs.fill(0);
    for (let line = from.get(); line >= 0; line = from.get()) {
      if (line >= this.lineOwner.length) this.growLines(line);
      this.lineOwner[line] = from.get();
      this.lineFreeNs[line] = from.getWide();
    }
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
