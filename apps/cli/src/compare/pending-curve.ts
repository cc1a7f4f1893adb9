import type { EventSink, Frame } from '@s2lab/events';
import { K, wide } from '@s2lab/events';

/** Most points a curve is drawn with; the integral and the extremes are exact however many there are. */
const POINTS_MAX = 600;

/**
 * Pending frees of a fleet over virtual time: a step function that rises when a sub-tree is retired and falls when its teardown is
 * complete. Machines are added up.
 */
export class PendingCurve implements EventSink {
  /** Sub-trees × virtual nanoseconds: what was pending, times how long. */
  integral = 0;
  peak = 0;
  /** Longest that one sub-tree was pending, virtual nanoseconds. */
  oldestNs = 0;
  private readonly retiredAt = new Map<string, number>();
  private readonly changes: (readonly [at: number, by: 1 | -1])[] = [];

  async write(frame: Frame): Promise<void> {
    const { rows, origin } = frame;
    for (let i = 0; i < rows.length; i += 1) {
      const kind = rows.kind[i];
      if (kind === K.tableRetired) this.retire(`${origin.machine}/${rows.table[i]}`, wide(rows.at, i));
      else if (kind === K.reclaimEnded) this.reclaim(`${origin.machine}/${rows.table[i]}`, wide(rows.at, i));
    }
  }

  async close(): Promise<void> {}

  private retire(table: string, at: number): void {
    this.retiredAt.set(table, at);
    this.changes.push([at, 1]);
  }

  /** Sub-trees freed at once were never retired: nothing was pending. */
  private reclaim(table: string, at: number): void {
    const since = this.retiredAt.get(table);
    if (since === undefined) return;
    this.retiredAt.delete(table);
    this.changes.push([at, -1]);
    this.integral += at - since;
    this.oldestNs = Math.max(this.oldestNs, at - since);
  }

  /** Ends of the steps, at most POINTS_MAX of them: virtual nanoseconds and sub-trees pending (the most of those left out between). */
  points(): { readonly at: number[]; readonly pending: number[] } {
    const changes = this.changes.toSorted((a, b) => a[0] - b[0]);
    const each = Math.max(1, Math.ceil(changes.length / POINTS_MAX));
    const at: number[] = [];
    const pending: number[] = [];
    let now = 0;
    let most = 0;
    changes.forEach(([when, by], i) => {
      now += by;
      most = Math.max(most, now);
      this.peak = Math.max(this.peak, now);
      if ((i + 1) % each !== 0 && i !== changes.length - 1) return;
      at.push(when);
      pending.push(i === changes.length - 1 ? now : most);
      most = 0;
    });
    return { at, pending };
  }
}
