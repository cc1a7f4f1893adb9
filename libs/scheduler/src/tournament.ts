/**
 * Finds the smallest of n clocks in O(log n) after one of them changed: a tournament tree of indices in a typed array. Ties go to the
 * lower index, so the order is deterministic.
 */
export class Tournament {
  private readonly clocks: Float64Array;
  private readonly leaves: number;
  private readonly tree: Int32Array;

  constructor(clocks: Float64Array) {
    this.clocks = clocks;
    let leaves = 1;
    while (leaves < clocks.length) leaves *= 2;
    this.leaves = leaves;
    this.tree = new Int32Array(2 * leaves);
    this.rebuild();
  }

  /** Index of the smallest clock. */
  get first(): number {
    return this.tree[1]!;
  }

  /** Plays every match anew: after several clocks changed. */
  rebuild(): void {
    for (let i = 0; i < this.leaves; i += 1) this.tree[this.leaves + i] = i < this.clocks.length ? i : this.clocks.length - 1;
    for (let node = this.leaves - 1; node >= 1; node -= 1) this.play(node);
  }

  /** Plays the matches of clock `i`, which has changed. */
  update(i: number): void {
    const { tree, clocks } = this;
    let winner = i;
    let least = clocks[i]!;
    for (let node = this.leaves + i; node > 1; node >>>= 1) {
      const other = tree[node ^ 1]!;
      const clock = clocks[other]!;
      if (clock < least || (clock === least && other < winner)) {
        winner = other;
        least = clock;
      }
      tree[node >>> 1] = winner;
    }
  }

  private play(node: number): void {
    const left = this.tree[2 * node]!;
    const right = this.tree[2 * node + 1]!;
    this.tree[node] = this.clocks[right]! < this.clocks[left]! ? right : left;
  }
}
