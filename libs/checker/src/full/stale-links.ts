import { isTable } from '@s2lab/arch';
import type { StateWords } from '@s2lab/engine';
import type { EventRows } from '@s2lab/events';
import { K } from '@s2lab/events';

const LEVELS = 4;
/** Added to a frame: it was freed since the link was read. */
const FREED = 1 << 24;

/**
 * By which links each actor came to the tables it stands in, and which of those tables were freed since. The rules know (I1: a walker stays
 * with one incarnation of a table); the machine does not: a page that was freed and handed out again looks the same to it. So that two
 * states are not taken for one where the rules tell them apart, this is part of a state.
 */
export class StaleLinks {
  /** Frame + 1, and FREED, by actor and level; 0 = none. */
  private readonly path: Int32Array;

  constructor(actors: number) {
    this.path = new Int32Array(actors * LEVELS);
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
