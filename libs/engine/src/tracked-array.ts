import { ChangeList } from './change-list.ts';
import type { Piece } from './piece-tree.ts';
import { PieceTree } from './piece-tree.ts';

/** log2 of the elements of a piece. */
const PIECE_SHIFT = 8;
const PIECE_LENGTH = 1 << PIECE_SHIFT;

/**
 * A typed array that knows which of its pieces changed since it was last taken or restored: copies of it cost what changed in between. Whoever
 * writes into `data` says so with `touch`. New data is zero.
 */
export class TrackedArray<T extends Piece> {
  data: T;
  private readonly changes = new ChangeList();
  /** What was taken or restored last. */
  private kept = PieceTree.EMPTY;

  constructor(data: T) {
    this.data = data;
  }

  /** Elements [from, to) changed. */
  touch(from: number, to: number): void {
    this.changes.markRange(from >>> PIECE_SHIFT, (to + PIECE_LENGTH - 1) >>> PIECE_SHIFT);
  }

  /** Element `i` changed. */
  touchAt(i: number): void {
    this.changes.mark(i >>> PIECE_SHIFT);
  }

  /** Goes on with a larger array that begins with the same elements. */
  grow(into: T): void {
    into.set(this.data);
    this.data = into;
  }

  /** Begins anew with `data`, which is zero. */
  renew(data: T): void {
    this.data = data;
    this.changes.clear();
    this.kept = PieceTree.EMPTY;
  }

  /** The array as it is now; it shares with what was taken before all pieces that are the same. */
  take(): PieceTree {
    const { changes, data } = this;
    changes.watch(piecesOf(data));
    for (let n = 0; n < changes.count; n += 1) {
      const i = changes.at(n);
      const from = i << PIECE_SHIFT;
      const before = this.kept.get(i);
      if (before === undefined || !holds(data, from, before)) this.kept = this.kept.with(i, data.slice(from, from + PIECE_LENGTH));
    }
    changes.clear();
    return this.kept;
  }

  /** Makes the array what it was when `tree` was taken, of an array of its present length. */
  restore(tree: PieceTree): void {
    const { changes } = this;
    changes.watch(piecesOf(this.data));
    for (let n = 0; n < changes.count; n += 1) this.put(changes.at(n), tree.get(changes.at(n)));
    changes.clear();
    this.kept.forEachDifference(tree, (i, piece) => this.put(i, piece));
    this.kept = tree;
  }

  private put(i: number, piece: Piece | undefined): void {
    const from = i << PIECE_SHIFT;
    if (from >= this.data.length) return;
    if (piece !== undefined) this.data.set(piece, from);
    this.data.fill(0, from + (piece?.length ?? 0), from + PIECE_LENGTH);
  }
}

function piecesOf(data: Piece): number {
  return Math.ceil(data.length / PIECE_LENGTH);
}

function holds(data: Piece, from: number, piece: Piece): boolean {
  if (piece.length !== Math.min(PIECE_LENGTH, data.length - from)) return false;
  for (let i = 0; i < piece.length; i += 1) if (data[from + i] !== piece[i]) return false;
  return true;
}
