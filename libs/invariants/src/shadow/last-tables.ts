import type { EventCursor } from './event-cursor.ts';
import { grown } from './tables.ts';
import type { World } from './world.ts';

const NEVER = -1;

/** Numbers kept of one actor: all in one array, since each array that is looked into costs as much as the number in it. */
const WIDTH = 4;
/** `Tables.changes` at the read, NEVER when the actor did anything else since. */
const MOMENT = 0;
const TABLE = 1;
const PLACE = 2;
const STAGE2 = 3;

/**
 * Which table each actor read last, while neither the actor nor the tables have changed since. Walks over ranges read along a table, and
 * what a rule may say of a read follows from the actor and the table alone (`Registrar.reads`): so once it had nothing to say of one read, it has
 * nothing to say of those that follow.
 */
export class LastTables {
  private kept = new Int32Array(0);

  /** Makes room for `actors`. */
  see(actors: number): void {
    if (WIDTH * actors > this.kept.length) this.kept = grown(this.kept, new Int32Array(2 * WIDTH * actors).fill(NEVER));
  }

  /** No rule had anything to say of the read under the cursor, which named a slot of a live table. */
  remember({ tables }: World, e: EventCursor): void {
    const { kept } = this;
    const at = WIDTH * e.actor;
    kept[at + MOMENT] = tables.changes;
    kept[at + TABLE] = e.table;
    kept[at + PLACE] = e.place;
    kept[at + STAGE2] = e.stage2;
  }

  /** The actor did something else than reading. */
  forget(actor: number): void {
    this.kept[WIDTH * actor + MOMENT] = NEVER;
  }

  /** The tables are no longer those that the actors read. */
  forgetAll(): void {
    this.kept.fill(NEVER);
  }

  /**
   * Whether the descriptor read under the cursor is one more in the table that its actor read last and finds what the shadow has there. If so, all
   * that it can change is done: it may lead the actor to another table.
   */
  readsOn(world: World, e: EventCursor): boolean {
    const { kept } = this;
    const { tables } = world;
    const { actor, table, slot } = e;
    const at = WIDTH * actor;
    if (kept[at + TABLE] !== table || kept[at + MOMENT] !== tables.changes || kept[at + STAGE2] !== e.stage2) return false;
    if (slot >= tables.entries) return false;
    const words = tables.descriptors[kept[at + PLACE]!]!;
    const { oldLo: lo, oldHi: hi } = e;
    if (words[2 * slot] !== lo || words[2 * slot + 1] !== hi) return false;
    if ((lo & 3) === 3) world.reach(actor, table, lo, hi, e.seq);
    return true;
  }
}
