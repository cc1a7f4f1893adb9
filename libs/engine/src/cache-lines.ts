import type { PieceTree } from './piece-tree.ts';
import { TrackedArray } from './tracked-array.ts';

/** Cache lines at one moment. */
export interface LinesTaken {
  readonly length: number;
  readonly pieces: PieceTree;
}

/**
 * Cache lines that many actors change, by number: who changed each last, and until when it is on its way to the next one. Room grows with the
 * largest number in use.
 */
export class CacheLines {
  /** Two elements a line: 1 + the actor that changed it last, 0 nobody; and when it has come over. */
  private readonly lines = new TrackedArray(new Float64Array(2 * 4));
  private readonly transferNs: number;

  /** @param transferNs what moving a line to another actor takes; 0 = lines are free */
  constructor(transferNs: number) {
    this.transferNs = transferNs;
  }

  /** Time from `now` until `line` has come over to `actor` and was changed `changes` times; nothing if the actor was the last to change it. */
  changeNs(line: number, actor: number, now: number, changes: number): number {
    if (this.transferNs === 0) return 0;
    const i = 2 * line;
    if (i >= this.lines.data.length) this.lines.grow(new Float64Array(2 * i));
    const { data } = this.lines;
    const before = data[i]!;
    if (before === actor + 1) return 0;
    this.lines.touchAt(i);
    data[i] = actor + 1;
    if (before === 0) return 0;
    const free = Math.max(now, data[i + 1]!) + changes * this.transferNs;
    data[i + 1] = free;
    return free - now;
  }

  /** The lines as they are now. */
  take(): LinesTaken {
    return { length: this.lines.data.length, pieces: this.lines.take() };
  }

  /** Makes the lines what they were when `taken` was taken. */
  restore({ length, pieces }: LinesTaken): void {
    if (this.lines.data.length !== length) this.lines.renew(new Float64Array(length));
    this.lines.restore(pieces);
  }
}
