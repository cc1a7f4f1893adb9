import type { Command } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import type { GuestLayout } from './guest-layout.ts';

const FULL = 0xffff_ffff;

/**
 * The VMM’s copy of the dirty log: one bit a page that the guest wrote, in 64-page words per memslot, and a sweep over them that
 * becomes commands to clear the log.
 */
export class WrittenPages {
  private readonly layout: GuestLayout;
  private readonly words: Uint32Array;
  private cursor = 0;

  constructor(layout: GuestLayout) {
    this.layout = layout;
    this.words = new Uint32Array(2 * layout.slots * layout.slotWords);
  }

  /** Notes that the guest has written page `page` of its memory. */
  mark(page: number): void {
    const slot = Math.floor(page / this.layout.slotPages);
    const inSlot = page - slot * this.layout.slotPages;
    const half = 2 * slot * this.layout.slotWords + (inSlot >>> 5);
    this.words[half] = this.words[half]! | (1 << (inSlot & 31));
  }

  /** Marks every page: what the dirty log holds at first when it begins all set. */
  markAll(): void {
    this.words.fill(FULL);
    const rest = this.layout.slotPages % 64;
    if (rest === 0) return;
    for (let slot = 1; slot <= this.layout.slots; slot += 1) {
      const half = 2 * (slot * this.layout.slotWords - 1);
      this.words[half] = rest >= 32 ? FULL : 2 ** rest - 1;
      this.words[half + 1] = rest > 32 ? 2 ** (rest - 32) - 1 : 0;
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.words.fill(0);
  }

  /** The next sweep begins at the first word. */
  restartSweep(): void {
    this.cursor = 0;
  }

  /** Takes the next word that is not empty and fills in the command that clears it in the log; false at the end of the sweep. */
  sweep(command: Command): boolean {
    const { words } = this;
    const count = words.length / 2;
    while (this.cursor < count && words[2 * this.cursor] === 0 && words[2 * this.cursor + 1] === 0) this.cursor += 1;
    if (this.cursor === count) return false;
    const slot = Math.floor(this.cursor / this.layout.slotWords);
    command.kind = COMMAND.dirtyLogClear;
    command.memslot = slot;
    command.firstPage = 64 * (this.cursor - slot * this.layout.slotWords);
    command.maskLo = words[2 * this.cursor]!;
    command.maskHi = words[2 * this.cursor + 1]!;
    words.fill(0, 2 * this.cursor, 2 * this.cursor + 2);
    this.cursor += 1;
    return true;
  }
}
