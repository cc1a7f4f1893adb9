import { LAST_LEVEL } from '@s2lab/arch';
import { K } from '@s2lab/events';
import type { MemoryModel } from './config.ts';
import type { StateWords } from './state-words.ts';
import type { World } from './world.ts';

/** An observer that is no actor: a hardware walker, which does not see what its own core holds back. */
export const HARDWARE = -1;
/** Stores that an actor holds back at most; one more makes the oldest visible. */
const CAPACITY = 3;
/** What is written: a descriptor, a word of a policy, or a fresh table page as a whole. */
export const STORED = { descriptor: 0, word: 1, page: 2 } as const;

/** An event to come, but for its time and its actor: columns in the order of `EventColumns.append`. */
export type Row = readonly [
  kind: number,
  walk: number,
  vmid: number,
  level: number,
  slot: number,
  table: number,
  oldLo: number,
  oldHi: number,
  newLo: number,
  newHi: number,
  ipa: number,
  arg: number,
  aux: number,
];
const ROW_WORDS = 13;
const WALK_AT = 1;
const NEW_AT = 8;
const IPA_AT = 10;

/** A store that others do not see yet. */
export interface PendingStore {
  /** STORED. */
  readonly what: number;
  /** Table page of a descriptor, or that is initialised; VMID of a policy. */
  readonly owner: number;
  /** Slot of a descriptor, or index of a word. */
  readonly at: number;
  /** Of a word. */
  readonly value: number;
  /** Events that tell of it once it is visible: the store first. */
  readonly rows: Row[];
}

/** What a page holds that was not initialised, as bad as it may be: mappings that may be read and written, to memory that is nobody's. */
const GARBAGE = 0x0bad_07c0;

/** The stores that each actor has made and that others do not see yet, oldest first, and which of them may be seen next. */
export class StoreBuffers {
  /** How many stores of one actor there may be of which each could be next. */
  readonly lanes: number;
  private readonly total: boolean;
  private readonly queues: PendingStore[][];

  constructor(model: Exclude<MemoryModel, 'sc'>, actors: number) {
    this.total = model === 'tso';
    this.lanes = this.total ? 1 : CAPACITY;
    this.queues = Array.from({ length: actors }, () => []);
  }

  /** Whether nobody holds anything back. */
  get isEmpty(): boolean {
    return this.queues.every((queue) => queue.length === 0);
  }

  /** Whether the actor holds nothing back. */
  isDrained(actor: number): boolean {
    return this.queues[actor]!.length === 0;
  }

  /** Whether the actor can hold nothing more back. */
  isFull(actor: number): boolean {
    return this.queues[actor]!.length === CAPACITY;
  }

  /** The actor stores. */
  push(actor: number, store: PendingStore): void {
    this.queues[actor]!.push(store);
  }

  /** One more event of the store that the actor made last. */
  tell(actor: number, row: Row): void {
    this.queues[actor]!.at(-1)!.rows.push(row);
  }

  /** Whether the store in `lane` may become visible next. */
  canDrain(actor: number, lane: number): boolean {
    const queue = this.queues[actor]!;
    const store = queue[lane];
    if (store === undefined) return false;
    return lane === 0 || (!this.total && !isRelease(store) && !queue.slice(0, lane).some((before) => overlaps(before, store)));
  }

  /** Takes the store in `lane` out. */
  take(actor: number, lane: number): PendingStore {
    return this.queues[actor]!.splice(lane, 1)[0]!;
  }

  /** Half 0 or 1 of a descriptor as `actor` reads it: its own store, or what is visible to it. */
  seen({ pages }: World, actor: number, table: number, slot: number, half: 0 | 1): number {
    const own = actor === HARDWARE ? undefined : this.queues[actor]!.findLast((store) => isStoreTo(store, table, slot));
    if (own !== undefined) return own.rows[0]![NEW_AT + half]!;
    const hidden = this.queues.some((queue, owner) => owner !== actor && queue.some((store) => initialises(store, table)));
    if (!hidden) return pages.descriptors[pages.indexOf(table, slot) + half]!;
    // The type of a page at the last level, of a block above.
    return half === 1 ? 0 : GARBAGE | (pages.level[table] === LAST_LEVEL ? 3 : 1);
  }

  /** Writes what is held back. @param canonical without numbers of walks */
  save(into: StateWords, canonical: boolean): void {
    for (const queue of this.queues) {
      into.put(queue.length);
      for (const { what, owner, at, value, rows } of queue) {
        for (const word of [what, owner, at, value, rows.length]) into.put(word);
        for (const row of rows) {
          row.forEach((word, i) => {
            if (i === IPA_AT) into.putWide(word);
            else into.put(canonical && i === WALK_AT ? 0 : word);
          });
        }
      }
    }
  }

  /** Reads what `save` wrote. */
  load(from: StateWords): void {
    for (const queue of this.queues) {
      queue.length = 0;
      for (let left = from.get(); left > 0; left -= 1) {
        const rows: Row[] = [];
        queue.push({ what: from.get(), owner: from.get(), at: from.get(), value: from.get(), rows });
        for (let more = from.get(); more > 0; more -= 1)
          rows.push(Array.from({ length: ROW_WORDS }, (_, i) => (i === IPA_AT ? from.getWide() : from.get())) as unknown as Row);
      }
    }
  }
}

function isStoreTo({ what, owner, at }: PendingStore, table: number, slot: number): boolean {
  return what === STORED.descriptor && owner === table && at === slot;
}

function initialises({ what, owner }: PendingStore, table: number): boolean {
  return what === STORED.page && owner === table;
}

/** Whether nothing that was stored before may be seen after it. */
function isRelease({ rows }: PendingStore): boolean {
  return rows[0]?.[0] === K.descriptorReleased;
}

/** Whether two stores of one actor are to one location: they keep their order. */
function overlaps(a: PendingStore, b: PendingStore): boolean {
  if ((a.what === STORED.word) !== (b.what === STORED.word) || a.owner !== b.owner) return false;
  return a.what === STORED.page || b.what === STORED.page || a.at === b.at;
}
