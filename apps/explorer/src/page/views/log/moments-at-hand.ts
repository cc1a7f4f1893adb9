import type { LogOracle, Moment, MomentQuestion } from '../../../log/answers.ts';
import type { Stage2State } from '@s2lab/stage2-map';
import { stateFromJson } from '@s2lab/stage2-map';

/** What of a log is looked at, at whatever event: machine, part of the map, open tables. */
export type Aspect = Omit<MomentQuestion, 'seq' | 'mapSeq' | 'mapVmid'>;

/** A moment and its map, whole. */
export interface MappedMoment {
  readonly moment: Moment;
  readonly map: Stage2State;
}

/** Moments brought at once when a reader steps on. */
const AHEAD = 16;
/** Steps that must be at hand in the direction in which a reader goes; below that the next are brought. */
const LEAD = 8;
/** Moments kept on this page. */
const KEPT_MAX = 64;
/** Milliseconds after a jump until its neighbours are brought: who drags along the time line wants none of them. */
const REST_MS = 60;

/**
 * Moments of a log near the one that is shown, brought before they are asked for, so that a step draws from memory. At most KEPT_MAX are
 * kept, those nearest to the reader; another aspect empties the shelf.
 */
export class MomentsAtHand {
  private readonly oracle: LogOracle;
  private readonly kept = new Map<number, MappedMoment>();
  private key = '';
  /** The last map that came, for those whose levels are the same. */
  private base: (MappedMoment & { readonly key: string }) | undefined;
  private onWay: { readonly key: string; readonly from: number; readonly end: number; readonly done: Promise<void> } | undefined;
  private resting: ReturnType<typeof setTimeout> | undefined;

  constructor(oracle: LogOracle) {
    this.oracle = oracle;
  }

  /** A moment, if it is at hand. */
  known(aspect: Aspect, seq: number): MappedMoment | undefined {
    return this.key === JSON.stringify(aspect) ? this.kept.get(seq) : undefined;
  }

  /**
   * A moment, from whoever has the log.
   * @throws Error with one line for people
   */
  async fetch(aspect: Aspect, seq: number): Promise<MappedMoment> {
    clearTimeout(this.resting);
    const key = this.turnTo(aspect);
    const { onWay } = this;
    if (onWay?.key === key && onWay.from <= seq && seq < onWay.end) await onWay.done;
    return this.known(aspect, seq) ?? (await this.bring(aspect, seq, 1))[0]!;
  }

  /**
   * Has the neighbours of a moment brought, as many as its reader is likely to want next.
   * @param by how the reader came: 1 or -1 by a step, anything else by a jump
   * @param last last event there is
   */
  bringNext(aspect: Aspect, seq: number, by: number, last: number): void {
    clearTimeout(this.resting);
    if (Math.abs(by) !== 1) {
      this.resting = setTimeout(() => void this.bringAhead(aspect, Math.max(0, seq - LEAD), Math.min(last, seq + LEAD) + 1), REST_MS);
      return;
    }
    let next = seq + by;
    while (this.kept.has(next)) next += by;
    if (Math.abs(next - seq) > LEAD || next < 0 || next > last) return;
    if (by > 0) void this.bringAhead(aspect, next, Math.min(last + 1, next + AHEAD));
    else void this.bringAhead(aspect, Math.max(0, next + 1 - AHEAD), next + 1);
  }

  /** Nothing is brought any more. */
  end(): void {
    clearTimeout(this.resting);
  }

  /** One such journey at a time; what fails is told when it is asked for. */
  private async bringAhead(aspect: Aspect, from: number, end: number): Promise<void> {
    if (this.onWay !== undefined) return;
    const key = this.turnTo(aspect);
    const done = this.bring(aspect, from, end - from).then(
      () => {},
      () => {},
    );
    this.onWay = { key, from, end, done };
    await done;
    this.onWay = undefined;
  }

  private turnTo(aspect: Aspect): string {
    const key = JSON.stringify(aspect);
    if (key !== this.key) this.kept.clear();
    this.key = key;
    return key;
  }

  private async bring(aspect: Aspect, seq: number, count: number): Promise<readonly MappedMoment[]> {
    const mapKey = JSON.stringify({ ...aspect, vmid: undefined, open: undefined });
    let base: MappedMoment | undefined = this.base?.key === mapKey ? this.base : undefined;
    const mapSeq = base?.moment.seq;
    const mapVmid = base?.moment.vmid ?? undefined;
    const moments = await this.oracle.ask('moments', { ...aspect, seq, count, mapSeq, mapVmid });
    const mapped = moments.map((moment) => (base = { moment, map: wholeMap(moment, base?.map) }));
    const first = mapped[0];
    if (first === undefined) throw new Error(`the log has no event ${seq}`);
    if (first.moment.vmid !== null) this.base = { ...first, key: mapKey };
    if (this.key === JSON.stringify(aspect)) this.keep(mapped, seq);
    return mapped;
  }

  private keep(mapped: readonly MappedMoment[], near: number): void {
    for (const one of mapped) this.kept.set(one.moment.seq, one);
    const farthest = [...this.kept.keys()].toSorted((a, b) => Math.abs(b - near) - Math.abs(a - near));
    for (const seq of farthest.slice(0, Math.max(0, farthest.length - KEPT_MAX))) this.kept.delete(seq);
  }
}

/** The map of a moment, with the levels of the one that its asker had where they are the same. */
function wholeMap(moment: Moment, before: Stage2State | undefined): Stage2State {
  const map = stateFromJson(moment.map);
  if (!moment.sameLevels || before === undefined) return map;
  const { levels, from, to, exact } = before;
  return { ...map, levels, from, to, exact };
}
