import type { StateWords } from './state-words.ts';

/**
 * Cache lines that many actors change, by number: who changed each last, and until when it is on its way to the next one. Room grows with the
 * largest number in use.
 */
export class CacheLines {
  /** Two elements a line: 1 + the actor that changed it last, 0 nobody; and when it has come over. */
  private lines: Float64Array = new Float64Array(2 * 4);
  private readonly transferNs: number;

  /** @param transferNs what moving a line to another actor takes; 0 = lines are free */
  constructor(transferNs: number) {
    this.transferNs = transferNs;
  }

  /** Time from `now` until `line` has come over to `actor` and was changed `changes` times; nothing if the actor was the last to change it. */
  changeNs(line: number, actor: number, now: number, changes: number): number {
    if (this.transferNs === 0) return 0;
    const i = 2 * line;
    if (i >= this.lines.length) this.grow(i);
    const before = this.lines[i]!;
    if (before === actor + 1) return 0;
    this.lines[i] = actor + 1;
    if (before === 0) return 0;
    const free = Math.max(now, this.lines[i + 1]!) + changes * this.transferNs;
    this.lines[i + 1] = free;
    return free - now;
  }

  /** Writes the lines that somebody has changed. */
  save(into: StateWords): void {
    for (let i = 0; i < this.lines.length; i += 2) {
      if (this.lines[i] === 0) continue;
      into.put(i);
      into.put(this.lines[i]!);
      into.putWide(this.lines[i + 1]!);
    }
    into.put(-1);
  }

  /** Reads what `save` wrote. */
  load(from: StateWords): void {
    this.lines.fill(0);
    for (let i = from.get(); i >= 0; i = from.get()) {
      if (i >= this.lines.length) this.grow(i);
      this.lines[i] = from.get();
      this.lines[i + 1] = from.getWide();
    }
  }

  private grow(i: number): void {
    const lines = new Float64Array(2 * Math.max(this.lines.length, i));
    lines.set(this.lines);
    this.lines = lines;
  }
}
