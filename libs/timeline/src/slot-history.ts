import type { Geometry } from '@s2lab/arch';
import { geometry, spanBytes } from '@s2lab/arch';
import type { EventRows, KindName } from '@s2lab/events';
import { K, kindName, wide } from '@s2lab/events';
import { ActorActivity } from './actor-activity.ts';
import { reasonText } from './activity-words.ts';
import type { DescriptorWords } from './descriptor-words.ts';
import { describeDescriptor } from './descriptor-words.ts';
import { actorName, featuresOf, TimelineError, VCPUS_MAX } from './machine-view.ts';

/** Which descriptors are asked about: one slot, or those that translate an address, at one level or at all. */
export type SlotQuery = { readonly table: number; readonly slot: number } | { readonly ipa: number; readonly level?: number };

/** One thing that happened to a descriptor. */
export interface HistoryEntry {
  readonly seq: number;
  /** Virtual time, ns. */
  readonly at: number;
  readonly actor: number;
  readonly who: string;
  readonly kind: KindName;
  readonly table: number;
  /** -1 for what happened to the whole table page. */
  readonly slot: number;
  readonly level: number;
  readonly ipa: number;
  /** Walk, fault or operation it was done for; empty when the log names none. */
  readonly why: string;
  /** Null for what happened to the whole table page. */
  readonly old: DescriptorWords | null;
  readonly new: DescriptorWords | null;
}

/** Every write to the descriptors asked about, in order; for a slot also what became of its table page. One machine. */
export class SlotHistory {
  readonly entries: HistoryEntry[] = [];
  private readonly query: SlotQuery;
  private vcpus = 0;
  private pageShift = 0;
  private indexBits = 0;
  private shape: Geometry | undefined;
  private features = featuresOf(0);
  private actors = new ActorActivity(0);

  constructor(query: SlotQuery) {
    this.query = query;
  }

  /** Folds consecutive events of the machine, from its first one on. */
  fold(rows: EventRows, firstSeq: number): void {
    const { kind } = rows;
    for (let i = 0; i < rows.length; i += 1) {
      this.actors.fold(rows, i, firstSeq + i);
      const k = kind[i]!;
      if (k < K.descriptorRead) this.foldShape(k, rows, i, firstSeq + i);
      else if (k >= K.descriptorStored && k <= K.descriptorHardwareUpdated) {
        if (k !== K.descriptorSwapFailed && this.isAsked(rows, i)) this.addWrite(rows, i, firstSeq + i);
      } else if ((k === K.tableAllocated || k === K.tableReused || k === K.tableFreed) && 'table' in this.query) {
        if (rows.table[i] === this.query.table) this.addTable(rows, i, firstSeq + i);
      }
    }
  }

  private foldShape(kind: number, rows: EventRows, i: number, seq: number): void {
    if (kind === K.machineStarted) {
      this.vcpus = Math.min(rows.arg[i]!, VCPUS_MAX);
      this.pageShift = rows.aux[i]!;
      this.indexBits = rows.slot[i]!;
      this.actors = new ActorActivity(this.vcpus + 2);
    } else if (kind === K.stage2Created) {
      this.features = featuresOf(rows.aux[i]!);
      try {
        this.shape = geometry(this.pageShift, rows.slot[i]!, this.features.lpa2, this.indexBits);
      } catch (cause) {
        throw new TimelineError(`event ${seq}: no such machine: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      }
    }
  }

  private isAsked(rows: EventRows, i: number): boolean {
    const { query, shape } = this;
    if ('table' in query) return rows.table[i] === query.table && rows.slot[i] === query.slot;
    const level = rows.level[i]!;
    if (shape === undefined || level < 0 || (query.level !== undefined && query.level !== level)) return false;
    const span = spanBytes(shape, level);
    return Math.floor(wide(rows.ipa, i) / span) === Math.floor(query.ipa / span);
  }

  private addWrite(rows: EventRows, i: number, seq: number): void {
    const { shape, features } = this;
    if (shape === undefined) return;
    const level = rows.level[i]!;
    const j = 2 * i;
    this.entries.push({
      ...this.base(rows, i, seq),
      slot: rows.slot[i]!,
      why: rows.kind[i] === K.descriptorHardwareUpdated ? 'the hardware walker set the access flag' : this.why(rows, i),
      old: describeDescriptor(shape, features, rows.old[j]!, rows.old[j + 1]!, level),
      new: describeDescriptor(shape, features, rows.new[j]!, rows.new[j + 1]!, level),
    });
  }

  private addTable(rows: EventRows, i: number, seq: number): void {
    this.entries.push({ ...this.base(rows, i, seq), slot: -1, why: this.why(rows, i), old: null, new: null });
  }

  private why(rows: EventRows, i: number): string {
    const actor = rows.actor[i]!;
    return actor < this.vcpus + 2 ? reasonText(this.actors.of(actor)) : '';
  }

  private base(rows: EventRows, i: number, seq: number) {
    const actor = rows.actor[i]!;
    return {
      seq,
      at: wide(rows.at, i),
      actor,
      who: actorName(actor, this.vcpus),
      kind: kindName(rows.kind[i]!)!,
      table: rows.table[i]!,
      level: rows.level[i]!,
      ipa: wide(rows.ipa, i),
    };
  }
}

/** One entry on two lines: who and why, then what it was and what it is. */
export function historyText(entry: HistoryEntry): string {
  const when = `${String(entry.seq).padStart(9)}  ${(entry.at / 1000).toFixed(3).padStart(13)} µs`;
  const why = entry.why === '' ? '' : `, ${entry.why}`;
  if (entry.old === null || entry.new === null) return `${when}  ${entry.who}: ${entry.kind} table ${entry.table}${why}`;
  const place = `table ${entry.table} slot ${entry.slot} level ${entry.level}`;
  return `${when}  ${entry.who}: ${entry.kind} ${place}${why}\n${' '.repeat(29)}${entry.old.text}  ⟶  ${entry.new.text}`;
}
