import { isTable } from '@s2lab/arch';
import type { StateWords, Walker } from '@s2lab/engine';
import { GROUP, PC } from '@s2lab/engine';
import type { EventRows } from '@s2lab/events';
import { K, OP } from '@s2lab/events';

const LEVELS = 4;
/** Added to a frame: it was freed since the link was read. */
const FREED = 1 << 24;

/** Steps after which a walk comes to tables below by links that it reads then. */
const READS_ANEW = new Set<number>([PC.walkBegin, PC.walkEnter, PC.walkRead, PC.walkReread, PC.walkExit, PC.walkEnd]);

/**
 * By which links each actor came to the tables it stands in, and which of those tables were freed since. The rules know (I1: a walker stays
 * with one incarnation of a table); the machine does not: a page that was freed and handed out again looks the same to it. So that two
 * states are not taken for one where the rules tell them apart, this is part of a state.
 */
export class StaleLinks {
  /** Frame + 1, and FREED, by actor and level; 0 = none. */
  private readonly path: Int32Array;
  private readonly frames: Int32Array;

  constructor(actors: number) {
    this.path = new Int32Array(actors * LEVELS);
    this.frames = new Int32Array(actors * LEVELS);
  }

  /** Folds the events of one step. */
  fold(rows: EventRows, from: number): void {
    for (let i = from; i < rows.length; i += 1) {
      const at = rows.actor[i]! * LEVELS;
      switch (rows.kind[i]) {
        case K.descriptorRead: {
          const lo = rows.old[2 * i]!;
          const level = rows.level[i]!;
          if (level >= 0 && level < LEVELS - 1 && isTable(lo, level)) this.path[at + level + 1] = 1 + this.frameOf(rows, i);
          break;
        }
        case K.walkEnded:
          this.path.fill(0, at, at + LEVELS);
          break;
        case K.tableFreed:
          this.free(rows.table[i]!);
          break;
        default:
      }
    }
  }

  /** Frames are few here: the low bits of their number, which the descriptor holds, tell them apart. */
  private frameOf(rows: EventRows, i: number): number {
    return (rows.old[2 * i]! >>> 12) & 0xfff;
  }

  private free(frame: number): void {
    for (let i = 0; i < this.path.length; i += 1) if (this.path[i] === frame + 1) this.path[i] = (frame + 1) | FREED;
  }

  /** Forgets links by which `walker` will not go on: below where it stands it reads them anew. */
  prune(walker: Walker): void {
    const { pc, op } = walker;
    if (pc >> 5 !== GROUP.walk || op === OP.freeUnlinked || op === OP.createUnlinked || !READS_ANEW.has(pc)) return;
    const entered = pc !== PC.walkExit && pc !== PC.walkEnd && walker.topLevel >= 0;
    const at = walker.actor * LEVELS;
    this.path.fill(0, entered ? at + walker.level + 1 : at, at + LEVELS);
  }

  /** The tables that actors stand in, until they are asked for again; -1 = none. */
  get tables(): Int32Array {
    const { path, frames } = this;
    for (let i = 0; i < path.length; i += 1) frames[i] = (path[i]! & ~FREED) - 1;
    return frames;
  }

  /** Puts `rename` of each table in the place of it. */
  rename(rename: (table: number) => number): void {
    for (let i = 0; i < this.path.length; i += 1) {
      const link = this.path[i]!;
      if (link !== 0) this.path[i] = (rename((link & ~FREED) - 1) + 1) | (link & FREED);
    }
  }

  /** Exchanges two actors. */
  swap(a: number, b: number): void {
    for (let level = 0; level < LEVELS; level += 1) {
      const link = this.path[a * LEVELS + level]!;
      this.path[a * LEVELS + level] = this.path[b * LEVELS + level]!;
      this.path[b * LEVELS + level] = link;
    }
  }

  /** Writes it as words. */
  save(into: StateWords): void {
    into.putAll(this.path);
  }

  /** Writes that of one actor. */
  saveOf(actor: number, into: StateWords): void {
    into.putAll(this.path, actor * LEVELS, (actor + 1) * LEVELS);
  }

  /** Reads it back. */
  load(from: StateWords): void {
    from.getAll(this.path);
  }
}
