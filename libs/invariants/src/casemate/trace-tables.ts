import type { Finding } from './findings.ts';
import type { TraceRoot } from './locks-and-roots.ts';
import { KIND, kindOf, LEVEL_SHIFT, SLOT, STATE, TrackedMemory } from './tracked-memory.ts';

const ENTRIES = 512;
const LAST_LEVEL = 3;
const PAGE_BYTES = 4096;
const TWO_32 = 0x1_0000_0000;
/** Bytes that an entry of a level translates. */
const SPANS = [2 ** 39, 2 ** 30, 2 ** 21, 2 ** 12] as const;

/** What a walk does with each entry. */
type Visit = 'mark' | 'unmark' | 'freeze' | 'clean-below' | 'clean-released';

/** Bytes that an entry of `level` translates. */
export function spanOf(level: number): number {
  return SPANS[level]!;
}

/** Address of the next table in a table descriptor. */
export function nextTable(lo: number, hi: number): number {
  return (hi & 0xffff) * TWO_32 + ((lo & 0xffff_f000) >>> 0);
}

/**
 * The translation tables in tracked memory: which slots are entries of a tree, by walks from its root.
 * A page can be part of one tree at one place only, so that every walk ends.
 */
export class TraceTables {
  readonly memory = new TrackedMemory();
  /** Thread that walks: entries that belong to another end its look at a table. */
  thread = 0;
  private root: TraceRoot | undefined = undefined;

  /** Makes every slot below the table at `base` an entry of `root`. */
  mark(base: number, ia: number, level: number, root: TraceRoot): Finding | undefined {
    this.root = root;
    return this.walk(base, ia, level, 'mark');
  }

  /** Makes every entry below the table at `base` plain memory again. */
  unmark(base: number, level: number): Finding | undefined {
    return this.walk(base, 0, level, 'unmark');
  }

  /** Freezes every entry below the table at `base`. */
  freeze(base: number, level: number): Finding | undefined {
    return this.walk(base, 0, level, 'freeze');
  }

  /** Whether no entry below the table at `base` is unclean. */
  isClean(base: number, level: number, released: boolean): Finding | undefined {
    return this.walk(base, 0, level, released ? 'clean-released' : 'clean-below');
  }

  private walk(base: number, ia: number, level: number, visit: Visit): Finding | undefined {
    const { memory } = this;
    const span = SPANS[level]!;
    let page = Math.floor(base / PAGE_BYTES);
    let offset = base - page * PAGE_BYTES;
    if (level === LAST_LEVEL && offset === 0 && memory.owners.size === 0) {
      const first = memory.whole(page);
      if (first >= 0) return this.walkPage(first, ia, visit);
    }
    let i = memory.find(page, offset);
    for (let n = 0; n < ENTRIES; n++, i++, offset += 8) {
      if (offset >= PAGE_BYTES) {
        page += 1;
        offset -= PAGE_BYTES;
        i = memory.find(page, offset);
      }
      if (i < 0 || (memory.flags[i]! & SLOT.init) === 0) return 'walkUnknown';
      if (memory.owners.size > 0) {
        const owner = memory.owner(i);
        if (owner >= 0 && owner !== this.thread) return undefined;
      }
      const lo = memory.lo[i]!;
      const kind = kindOf(lo, level);
      if (kind < 0) return 'badEncoding';
      const found = this.visit(i, ia + n * span, level, kind, visit);
      if (found !== undefined) return found;
      if (kind !== KIND.table) continue;
      const below = this.walk(nextTable(lo, memory.hi[i]!), ia + n * span, level + 1, visit);
      if (below !== undefined) return below;
    }
    return undefined;
  }

  /** The walk of a table of the last level that is one whole page with no owners: most of all slots, so each visit has a loop of its own. */
  private walkPage(first: number, ia: number, visit: Visit): Finding | undefined {
    const { flags, lo } = this.memory;
    const end = first + ENTRIES;
    switch (visit) {
      case 'mark':
        return this.markPage(first, ia);
      case 'unmark':
        for (let i = first; i < end; i++) {
          if ((lo[i]! & 3) === 1) return 'badEncoding';
          if ((flags[i]! & SLOT.entry) === 0) return 'entryNever';
          flags[i] = SLOT.init;
        }
        return undefined;
      case 'freeze':
        for (let i = first; i < end; i++) {
          if ((lo[i]! & 3) === 1) return 'badEncoding';
          flags[i]! |= SLOT.frozen;
        }
        return undefined;
      case 'clean-below':
      case 'clean-released':
        for (let i = first; i < end; i++) {
          if ((lo[i]! & 3) === 1) return 'badEncoding';
          if ((flags[i]! & (SLOT.entry | SLOT.state)) === (SLOT.entry | STATE.unclean))
            return visit === 'clean-below' ? 'uncleanChildren' : 'releasedUnclean';
        }
        return undefined;
      default: {
        const never: never = visit;
        return never;
      }
    }
  }

  private markPage(first: number, ia: number): Finding | undefined {
    const { flags, lo, root, ia: addresses } = this.memory;
    const same = SLOT.init | SLOT.entry | (LAST_LEVEL << LEVEL_SHIFT) | (this.root!.stage1 ? SLOT.stage1 : 0);
    for (let n = 0; n < ENTRIES; n++) {
      const i = first + n;
      const bits = lo[i]! & 3;
      if (bits === 1) return 'badEncoding';
      if ((flags[i]! & SLOT.entry) !== 0) return 'entryTwice';
      flags[i] = same | (bits === 3 ? STATE.valid | KIND.leaf : STATE.clean | KIND.invalid);
      addresses[i] = ia + n * PAGE_BYTES;
    }
    root.fill(this.root!.index, first, first + ENTRIES);
    return undefined;
  }

  private visit(i: number, ia: number, level: number, kind: number, visit: Visit): Finding | undefined {
    const { flags, root, owners } = this.memory;
    const was = flags[i]!;
    switch (visit) {
      case 'mark':
        if ((was & SLOT.entry) !== 0) return 'entryTwice';
        flags[i] =
          SLOT.init |
          SLOT.entry |
          (kind === KIND.invalid ? STATE.clean : STATE.valid) |
          (level << LEVEL_SHIFT) |
          (this.root!.stage1 ? SLOT.stage1 : 0) |
          kind;
        root[i] = this.root!.index;
        this.memory.ia[i] = ia;
        return undefined;
      case 'unmark':
        if ((was & SLOT.entry) === 0) return 'entryNever';
        flags[i] = SLOT.init;
        return undefined;
      case 'freeze':
        if (owners.size > 0 && this.memory.owner(i) >= 0) return 'frozenOwned';
        flags[i] = was | SLOT.frozen;
        return undefined;
      case 'clean-below':
      case 'clean-released':
        if ((was & SLOT.entry) !== 0 && (was & SLOT.state) === STATE.unclean)
          return visit === 'clean-below' ? 'uncleanChildren' : 'releasedUnclean';
        return undefined;
      default: {
        const never: never = visit;
        return never;
      }
    }
  }
}
