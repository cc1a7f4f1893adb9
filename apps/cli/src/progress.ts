/** Milliseconds between two updates of the line. */
const PERIOD_MS = 200;

/** One line on a terminal that says how far a command is; nothing in a pipe. */
export class Progress {
  private readonly shown: boolean;
  private last = 0;
  private width = 0;

  constructor(quiet: boolean) {
    this.shown = !quiet && process.stderr.isTTY === true;
  }

  /** Shows the line that `text` gives, if it is time for one. */
  update(text: () => string): void {
    if (!this.shown || performance.now() - this.last < PERIOD_MS) return;
    this.last = performance.now();
    const line = text();
    process.stderr.write(`\r${line.padEnd(this.width)}`);
    this.width = line.length;
  }

  /** Takes the line away. */
  end(): void {
    if (this.shown && this.width > 0) process.stderr.write(`\r${' '.repeat(this.width)}\r`);
    this.width = 0;
  }
}

/** 12345678 → `12.3 M`: counts in progress lines and summaries. */
export function compact(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return String(Math.round(value));
}

/** Bytes with a binary unit. */
export function byteText(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  return `${power === 0 ? value : (value / 2 ** (10 * power)).toFixed(1)} ${units[power]}`;
}

/** Virtual nanoseconds with the unit that suits them. */
export function virtualText(ns: number): string {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(3)} ms`;
  return `${(ns / 1e3).toFixed(1)} µs`;
}
