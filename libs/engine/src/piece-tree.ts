/** A piece of a machine's state: never changed once it is in a tree. */
export type Piece = Int32Array | Uint32Array | Uint16Array | Uint8Array | Float64Array;

/** Children of a node: nodes, or pieces in the lowest ones; absent where nothing was put. */
type Node = readonly (Node | Piece | undefined)[];

const BITS = 5;
const WIDTH = 1 << BITS;
const EMPTY_NODE: Node = [];

/**
 * Pieces by number, never changed: putting one makes a new tree that shares with the old one all but the path to it. So a state in which little
 * changed costs little to keep, however large it is, and two states are told apart in proportion to what differs.
 */
export class PieceTree {
  /** Without a piece. */
  static readonly EMPTY = new PieceTree(EMPTY_NODE, 0);

  private readonly root: Node;
  /** Levels of nodes above the lowest ones. */
  private readonly height: number;

  private constructor(root: Node, height: number) {
    this.root = root;
    this.height = height;
  }

  /** Piece `i`; undefined if none was put there. */
  get(i: number): Piece | undefined {
    if (i >= WIDTH ** (this.height + 1)) return undefined;
    let node: Node = this.root;
    for (let level = this.height; level > 0; level -= 1)
      node = (node[(i >>> (BITS * level)) & (WIDTH - 1)] as Node | undefined) ?? EMPTY_NODE;
    return node[i & (WIDTH - 1)] as Piece | undefined;
  }

  /** This tree with `piece` as piece `i`. */
  with(i: number, piece: Piece): PieceTree {
    if (this.get(i) === piece) return this;
    let { root, height } = this;
    for (; i >= WIDTH ** (height + 1); height += 1) root = [root];
    return new PieceTree(put(root, height, i, piece), height);
  }

  /** Visits each number whose piece in `other` is not the one here, with that of `other`. */
  forEachDifference(other: PieceTree, visit: (i: number, piece: Piece | undefined) => void): void {
    const height = Math.max(this.height, other.height);
    visitDifferences(lifted(this.root, height - this.height), lifted(other.root, height - other.height), height, 0, visit);
  }
}

function put(node: Node, level: number, i: number, piece: Piece): Node {
  const slot = (i >>> (BITS * level)) & (WIDTH - 1);
  const copy = node.slice();
  while (copy.length < slot) copy.push(undefined);
  copy[slot] = level === 0 ? piece : put((copy[slot] as Node | undefined) ?? EMPTY_NODE, level - 1, i, piece);
  return copy;
}

function lifted(root: Node, levels: number): Node {
  let node = root;
  for (let level = 0; level < levels; level += 1) node = [node];
  return node;
}

function visitDifferences(a: Node, b: Node, level: number, first: number, visit: (i: number, piece: Piece | undefined) => void): void {
  if (a === b) return;
  for (let slot = 0; slot < Math.max(a.length, b.length); slot += 1) {
    const here = a[slot];
    const there = b[slot];
    if (here === there) continue;
    const i = first + slot * WIDTH ** level;
    if (level === 0) visit(i, there as Piece | undefined);
    else visitDifferences((here as Node | undefined) ?? EMPTY_NODE, (there as Node | undefined) ?? EMPTY_NODE, level - 1, i, visit);
  }
}
