/** Runs there is room for at first; grows by doubling. */
const ROOM = 64;

/**
 * Slots of one level, by input address: runs of neighbouring slots of one table that say the same, as columns. A run is one descriptor, or
 * a series of equal invalid ones, or of leaves whose output goes on.
 */
export class LevelRuns {
  length = 0;
  /** First input address, bytes. */
  ipa = new Float64Array(ROOM);
  /** Slots in the run. */
  count = new Uint32Array(ROOM);
  table = new Int32Array(ROOM);
  /** First slot. */
  slot = new Uint16Array(ROOM);
  /** SLOT code. Of merged runs: that of the rarest kind that must be seen, else the one that covers most. */
  state = new Uint8Array(ROOM);
  /** First descriptor, low and high half. */
  lo = new Uint32Array(ROOM);
  hi = new Uint32Array(ROOM);
  /** Runs that were merged into this one; 1 = exact. */
  merged = new Uint32Array(ROOM);
  /** Share of the run's bytes that is in `state`: 1 when exact. */
  share = new Float32Array(ROOM);

  /** Adds a run behind the last; `ipa` must not be below the end of that. */
  add(ipa: number, count: number, table: number, slot: number, state: number, lo: number, hi: number, merged = 1, share = 1): void {
    if (this.length === this.ipa.length) this.grow();
    const i = this.length;
    this.ipa[i] = ipa;
    this.count[i] = count;
    this.table[i] = table;
    this.slot[i] = slot;
    this.state[i] = state;
    this.lo[i] = lo;
    this.hi[i] = hi;
    this.merged[i] = merged;
    this.share[i] = share;
    this.length = i + 1;
  }

  /** The last run that begins at or below `ipa`; -1 when there is none. */
  lastAt(ipa: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ipa[middle]! <= ipa) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The run that holds `ipa`; -1 when there is none. @param span bytes of one slot of this level */
  at(ipa: number, span: number): number {
    const i = this.lastAt(ipa);
    return i >= 0 && ipa < this.ipa[i]! + this.count[i]! * span ? i : -1;
  }

  private grow(): void {
    const room = 2 * this.ipa.length;
    this.ipa = grown(this.ipa, new Float64Array(room));
    this.count = grown(this.count, new Uint32Array(room));
    this.table = grown(this.table, new Int32Array(room));
    this.slot = grown(this.slot, new Uint16Array(room));
    this.state = grown(this.state, new Uint8Array(room));
    this.lo = grown(this.lo, new Uint32Array(room));
    this.hi = grown(this.hi, new Uint32Array(room));
    this.merged = grown(this.merged, new Uint32Array(room));
    this.share = grown(this.share, new Float32Array(room));
  }
}

function grown<T extends Float64Array | Float32Array | Uint32Array | Int32Array | Uint16Array | Uint8Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
