import type { EventRows } from '@s2lab/events';
import { K, wide } from '@s2lab/events';

/** Words of one walk: number, op, address, bytes, flags, event at which it began. */
const WALK_WORDS = 6;
/** Places of an actor's words. Everything that began holds its sequence number + 1, so that 0 = nothing of the kind is open. */
const W = {
  walk: 0,
  outerWalk: WALK_WORDS,
  placeBegan: 12,
  table: 13,
  slot: 14,
  level: 15,
  address: 16,
  hardware: 17,
  operationBegan: 18,
  operation: 19,
  operationIpa: 20,
  operationBytes: 21,
  faultBegan: 22,
  fault: 23,
  faultIpa: 24,
  access: 25,
  lockBegan: 26,
  lockMode: 27,
  waitBegan: 28,
  waitMode: 29,
  sectionBegan: 30,
  reclaimBegan: 31,
  reclaimTable: 32,
  lastSeq: 33,
  lastKind: 34,
  lastAt: 35,
  vmid: 36,
  waitVmid: 37,
} as const;
const WORDS = 38;

/** What an event says about where its actor is: at a descriptor, at none any more, nothing. */
const TOUCH = { none: 0, comes: 1, leaves: 2 } as const;
/** By kind: TOUCH. */
const TOUCHES = byKind(
  [
    K.descriptorRead,
    K.descriptorStored,
    K.descriptorReleased,
    K.descriptorSwapped,
    K.descriptorSwapFailed,
    K.descriptorHardwareUpdated,
    K.hardwareDescriptorRead,
  ],
  [K.walkBegan, K.walkEnded, K.guestAccessed, K.guestAborted, K.faultTaken],
);
/** By kind: 1 when something that lasts begins or ends. */
const BEGINS = byKind([
  K.walkBegan,
  K.walkEnded,
  K.lockAcquired,
  K.lockReleased,
  K.lockContended,
  K.readSectionEntered,
  K.readSectionLeft,
  K.faultTaken,
  K.faultHandled,
  K.operationBegan,
  K.operationEnded,
  K.reclaimBegan,
  K.reclaimEnded,
]);
const FOUND_LAST = 1;
const FOUND_BOTH = 2;

/** A walk that an actor is in. */
export interface OpenWalk {
  readonly walk: number;
  /** OP code. */
  readonly op: number;
  readonly ipa: number;
  readonly bytes: number;
  readonly flags: number;
  /** Sequence number of its walk-began. */
  readonly since: number;
}

/** What an actor is doing, `since` = sequence number of the event that began it; null = nothing of the kind. */
export interface Activity {
  readonly actor: number;
  /** The walk it is in; the second one is that which the first was put aside for. */
  readonly walks: readonly OpenWalk[];
  /** Descriptor it touched last, in software or as the hardware walker. */
  readonly place: {
    /** VMID of its stage-2. */
    readonly vmid: number;
    readonly table: number;
    readonly slot: number;
    readonly level: number;
    readonly ipa: number;
    readonly hardware: boolean;
    readonly since: number;
  } | null;
  readonly operation: { readonly operation: number; readonly ipa: number; readonly bytes: number; readonly since: number } | null;
  readonly fault: { readonly fault: number; readonly access: number; readonly ipa: number; readonly since: number } | null;
  /** Mode (LOCK_MODE) in which it holds the MMU lock. */
  readonly lock: { readonly mode: number; readonly since: number } | null;
  /** Mode in which it waits for the MMU lock. */
  readonly waits: { readonly vmid: number; readonly mode: number; readonly since: number } | null;
  readonly section: { readonly since: number } | null;
  /** Retired sub-tree that it tears down. */
  readonly reclaim: { readonly table: number; readonly since: number } | null;
  /** Its last event; null when it has none yet. */
  readonly last: { readonly seq: number; readonly kind: number; readonly at: number } | null;
}

/** What every actor of one machine is doing, from its events alone. All state is in one typed array. */
export class ActorActivity {
  readonly words: Float64Array;

  /** @param actors how many; events of others are not followed */
  constructor(actors: number) {
    this.words = new Float64Array(actors * WORDS);
  }

  /** Folds row `i`, which is event `seq`. Allocates nothing. */
  fold(rows: EventRows, i: number, seq: number): void {
    const at = rows.actor[i]! * WORDS;
    if (at >= this.words.length) return;
    const kind = rows.kind[i]!;
    this.noteLast(at, rows, i, seq);
    if (TOUCHES[kind] === TOUCH.comes) this.come(at, rows, i, seq);
    else if (TOUCHES[kind] === TOUCH.leaves) this.words[at + W.placeBegan] = 0;
    if (BEGINS[kind] === 1) this.foldSpan(kind, at, rows, i, seq);
  }

  /**
   * Folds all rows, the first of which is event `firstSeq`, as `fold` would one by one, at half of the cost: of the descriptors that an
   * actor touched only the last one counts, and that is looked for from the end.
   */
  foldAll(rows: EventRows, firstSeq: number): void {
    const { kind, actor, length } = rows;
    for (let i = 0; i < length; i += 1) {
      const code = kind[i]!;
      if (BEGINS[code] !== 1) continue;
      const at = actor[i]! * WORDS;
      if (at < this.words.length) this.foldSpan(code, at, rows, i, firstSeq + i);
    }
    const actors = this.words.length / WORDS;
    const found = new Uint8Array(actors);
    let missing = 2 * actors;
    for (let i = length - 1; i >= 0 && missing > 0; i -= 1) {
      const one = actor[i]!;
      if (one >= actors || found[one] === FOUND_BOTH) continue;
      const at = one * WORDS;
      if (found[one] === 0) {
        this.noteLast(at, rows, i, firstSeq + i);
        found[one] = FOUND_LAST;
        missing -= 1;
      }
      const touch = TOUCHES[kind[i]!]!;
      if (touch === TOUCH.none) continue;
      if (touch === TOUCH.comes) this.come(at, rows, i, firstSeq + i);
      else this.words[at + W.placeBegan] = 0;
      found[one] = FOUND_BOTH;
      missing -= 1;
    }
  }

  private noteLast(at: number, rows: EventRows, i: number, seq: number): void {
    const w = this.words;
    w[at + W.lastSeq] = seq + 1;
    w[at + W.lastKind] = rows.kind[i]!;
    w[at + W.lastAt] = wide(rows.at, i);
  }

  /** The actor is at the descriptor of row `i`. */
  private come(at: number, rows: EventRows, i: number, seq: number): void {
    const w = this.words;
    const kind = rows.kind[i]!;
    w[at + W.placeBegan] = seq + 1;
    w[at + W.vmid] = rows.stage2[i]!;
    w[at + W.table] = rows.table[i]!;
    w[at + W.slot] = rows.slot[i]!;
    w[at + W.level] = rows.level[i]!;
    w[at + W.address] = wide(rows.ipa, i);
    w[at + W.hardware] = kind === K.hardwareDescriptorRead || kind === K.descriptorHardwareUpdated ? 1 : 0;
  }

  /** Something that lasts begins or ends. */
  private foldSpan(kind: number, at: number, rows: EventRows, i: number, seq: number): void {
    const w = this.words;
    switch (kind) {
      case K.walkBegan:
        this.beginWalk(at, rows, i, seq);
        return;
      case K.walkEnded:
        w.copyWithin(at + W.walk, at + W.outerWalk, at + W.outerWalk + WALK_WORDS);
        w.fill(0, at + W.outerWalk, at + W.outerWalk + WALK_WORDS);
        return;
      case K.lockAcquired:
        w[at + W.lockBegan] = seq + 1;
        w[at + W.lockMode] = rows.aux[i]!;
        w[at + W.waitBegan] = 0;
        return;
      case K.lockReleased:
        w[at + W.lockBegan] = 0;
        return;
      case K.lockContended:
        w[at + W.waitBegan] = seq + 1;
        w[at + W.waitMode] = rows.aux[i]!;
        w[at + W.waitVmid] = rows.stage2[i]!;
        return;
      case K.readSectionEntered:
        w[at + W.sectionBegan] = seq + 1;
        return;
      case K.readSectionLeft:
        w[at + W.sectionBegan] = 0;
        return;
      case K.faultTaken:
        w[at + W.faultBegan] = seq + 1;
        w[at + W.fault] = rows.arg[i]!;
        w[at + W.access] = rows.aux[i]!;
        w[at + W.faultIpa] = wide(rows.ipa, i);
        return;
      case K.faultHandled:
        w[at + W.faultBegan] = 0;
        return;
      case K.operationBegan:
        w[at + W.operationBegan] = seq + 1;
        w[at + W.operation] = rows.arg[i]!;
        w[at + W.operationIpa] = wide(rows.ipa, i);
        w[at + W.operationBytes] = wide(rows.old, i);
        return;
      case K.operationEnded:
        w[at + W.operationBegan] = 0;
        return;
      case K.reclaimBegan:
        w[at + W.reclaimBegan] = seq + 1;
        w[at + W.reclaimTable] = rows.table[i]!;
        return;
      case K.reclaimEnded:
        w[at + W.reclaimBegan] = 0;
        return;
      default:
        return;
    }
  }

  private beginWalk(at: number, rows: EventRows, i: number, seq: number): void {
    const w = this.words;
    w.copyWithin(at + W.outerWalk, at + W.walk, at + W.walk + WALK_WORDS);
    w[at] = rows.walk[i]!;
    w[at + 1] = rows.arg[i]!;
    w[at + 2] = wide(rows.ipa, i);
    w[at + 3] = wide(rows.old, i);
    w[at + 4] = rows.aux[i]!;
    w[at + 5] = seq + 1;
  }

  /** What `actor` is doing now. For people: allocates. */
  of(actor: number): Activity {
    const from = actor * WORDS;
    const w = this.words.subarray(from, from + WORDS);
    const walks = [W.walk, W.outerWalk].filter((k) => (w[k + 5] ?? 0) > 0).map((k) => walkAt(w, k));
    const open = <T>(began: number, what: (since: number) => T): T | null => ((w[began] ?? 0) > 0 ? what(w[began]! - 1) : null);
    return {
      actor,
      walks,
      place: open(W.placeBegan, (since) => ({
        vmid: w[W.vmid]!,
        table: w[W.table]!,
        slot: w[W.slot]!,
        level: w[W.level]!,
        ipa: w[W.address]!,
        hardware: w[W.hardware] === 1,
        since,
      })),
      operation: open(W.operationBegan, (since) => ({
        operation: w[W.operation]!,
        ipa: w[W.operationIpa]!,
        bytes: w[W.operationBytes]!,
        since,
      })),
      fault: open(W.faultBegan, (since) => ({ fault: w[W.fault]!, access: w[W.access]!, ipa: w[W.faultIpa]!, since })),
      lock: open(W.lockBegan, (since) => ({ mode: w[W.lockMode]!, since })),
      waits: open(W.waitBegan, (since) => ({ vmid: w[W.waitVmid]!, mode: w[W.waitMode]!, since })),
      section: open(W.sectionBegan, (since) => ({ since })),
      reclaim: open(W.reclaimBegan, (since) => ({ table: w[W.reclaimTable]!, since })),
      last: open(W.lastSeq, (seq) => ({ seq, kind: w[W.lastKind]!, at: w[W.lastAt]! })),
    };
  }
}

function walkAt(w: Float64Array, k: number): OpenWalk {
  return { walk: w[k]!, op: w[k + 1]!, ipa: w[k + 2]!, bytes: w[k + 3]!, flags: w[k + 4]!, since: w[k + 5]! - 1 };
}

/** A value for each kind: 1 for those of the first list, 2 for those of the second, 0 for the rest. */
function byKind(ones: readonly number[], twos: readonly number[] = []): Uint8Array {
  const values = new Uint8Array(256);
  for (const kind of ones) values[kind] = 1;
  for (const kind of twos) values[kind] = 2;
  return values;
}
