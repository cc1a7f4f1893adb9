import type { EventRows } from '@s2lab/events';
import { K, wide } from '@s2lab/events';

/** Room for pending frees at first; grows by doubling. */
const ROOM = 16;

/** A retired sub-tree whose free is pending. */
export interface PendingFree {
  /** VMID of its stage-2. */
  readonly vmid: number;
  /** Its topmost table page. */
  readonly table: number;
  /** Level of the descriptor that it hung below: its own slots are one level further down. */
  readonly level: number;
  /** First input address that it translated. */
  readonly ipa: number;
  /** Virtual time at which it was retired, ns. */
  readonly sinceNs: number;
  /** The last walker inside frees it, not the reclaim worker. */
  readonly held: boolean;
}

/** Sub-trees of one machine that were retired and are not free yet, from its events alone; oldest first. All state is in typed arrays. */
export class PendingFrees {
  count = 0;
  table = new Int32Array(ROOM);
  level = new Int8Array(ROOM);
  held = new Uint8Array(ROOM);
  vmid = new Uint16Array(ROOM);
  ipa = new Float64Array(ROOM);
  sinceNs = new Float64Array(ROOM);

  /** Folds row `i`. */
  fold(rows: EventRows, i: number): void {
    switch (rows.kind[i]!) {
      case K.tableRetired:
        if (this.count === this.table.length) this.grow();
        this.table[this.count] = rows.table[i]!;
        this.level[this.count] = rows.level[i]!;
        this.held[this.count] = rows.arg[i] === 1 ? 1 : 0;
        this.vmid[this.count] = rows.stage2[i]!;
        this.ipa[this.count] = wide(rows.ipa, i);
        this.sinceNs[this.count] = wide(rows.at, i);
        this.count += 1;
        return;
      case K.reclaimEnded:
        this.drop(rows.table[i]!, 0);
        return;
      case K.tableFreed:
        this.drop(rows.table[i]!, 1);
        return;
      default:
        return;
    }
  }

  /** The pending frees, oldest first. For people: allocates. */
  list(): PendingFree[] {
    return Array.from({ length: this.count }, (_, i) => ({
      vmid: this.vmid[i]!,
      table: this.table[i]!,
      level: this.level[i]!,
      ipa: this.ipa[i]!,
      sinceNs: this.sinceNs[i]!,
      held: this.held[i] === 1,
    }));
  }

  private drop(table: number, held: number): void {
    let at = 0;
    while (at < this.count && (this.table[at] !== table || this.held[at] !== held)) at += 1;
    if (at === this.count) return;
    for (const column of [this.table, this.level, this.held, this.vmid, this.ipa, this.sinceNs]) {
      column.copyWithin(at, at + 1, this.count);
      column[this.count - 1] = 0;
    }
    this.count -= 1;
  }

  private grow(): void {
    const room = 2 * this.table.length;
    this.table = grown(this.table, new Int32Array(room));
    this.level = grown(this.level, new Int8Array(room));
    this.held = grown(this.held, new Uint8Array(room));
    this.vmid = grown(this.vmid, new Uint16Array(room));
    this.ipa = grown(this.ipa, new Float64Array(room));
    this.sinceNs = grown(this.sinceNs, new Float64Array(room));
  }
}

function grown<T extends Int32Array | Int8Array | Uint8Array | Uint16Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
