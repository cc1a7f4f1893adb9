import type { Machine } from './machine.ts';
import {
  forgetTlbChanges,
  FORM,
  loadPage,
  loadShared,
  loadTlb,
  loadWalker,
  savePage,
  saveShared,
  saveTlb,
  saveWalker,
  tlbChanged,
} from './machine-state.ts';
import type { Memslot } from './memslots.ts';
import { StateWords } from './state-words.ts';

/** The memslots of all stage-2s. */
function memslotsOf({ world }: Machine): Memslot[] {
  return world.stage2s.flatMap((stage2) => stage2?.memslots ?? []);
}

/** Words of dirty bits in one piece: 32 MiB of guest memory. */
const DIRTY_WORDS = 256;

/** A machine at one moment: its pieces, of which it shares those that did not change with the snapshots before. Never changed. */
export interface MachineSnapshot {
  readonly shared: Int32Array;
  readonly walkers: readonly Int32Array[];
  readonly tlbs: readonly Int32Array[];
  readonly pages: readonly Int32Array[];
  /** Dirty bits of each memslot, in pieces. */
  readonly dirty: readonly (readonly Uint32Array[])[];
}

/**
 * Takes and restores snapshots of one machine between its steps, walks in progress included. Taking one writes what actors share, their
 * registers, and those table pages, TLBs and dirty bits that changed since the last one was taken or restored; restoring reads those that
 * differ. A snapshot may be restored into any machine of the same configuration and policy. The workload takes part if it can be saved.
 */
export class MachineSnapshots {
  private readonly machine: Machine;
  private readonly words = new StateWords();
  private readonly reader = new StateWords();
  private walkers: Int32Array[] = [];
  private tlbs: Int32Array[] = [];
  private pages: Int32Array[] = [];
  private dirty: Uint32Array[][] = [];

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** The machine as it is now. */
  take(): MachineSnapshot {
    const { machine, words } = this;
    const { world } = machine;
    for (let actor = 0; actor < world.actors; actor += 1) {
      words.clear();
      saveWalker(machine, actor, words, FORM.whole);
      this.walkers[actor] = this.kept(this.walkers[actor]);
    }
    for (let vcpu = 0; vcpu < world.vcpus; vcpu += 1) {
      if (!tlbChanged(machine, vcpu) && this.tlbs[vcpu] !== undefined) continue;
      words.clear();
      saveTlb(machine, vcpu, words);
      this.tlbs[vcpu] = this.kept(this.tlbs[vcpu]);
    }
    forgetTlbChanges(machine);
    const { changed, used } = world.pages;
    for (let frame = 0; frame < used; frame += 1) {
      if (changed[frame] === 0 && this.pages[frame] !== undefined) continue;
      words.clear();
      savePage(machine, frame, words, FORM.whole);
      this.pages[frame] = this.kept(this.pages[frame]);
      changed[frame] = 0;
    }
    this.takeDirty();
    words.clear();
    saveShared(machine, words, FORM.whole);
    return {
      shared: words.copy(),
      walkers: this.walkers.slice(),
      tlbs: this.tlbs.slice(),
      pages: this.pages.slice(0, used),
      dirty: this.dirty.map((pieces) => pieces.slice()),
    };
  }

  /** Makes the machine what it was when `snapshot` was taken. */
  restore(snapshot: MachineSnapshot): void {
    const { machine, reader } = this;
    const { world } = machine;
    reader.open(snapshot.shared);
    loadShared(machine, reader, FORM.whole);
    for (const [actor, words] of snapshot.walkers.entries()) {
      reader.open(words);
      loadWalker(machine, actor, reader);
      this.walkers[actor] = words;
    }
    for (const [vcpu, words] of snapshot.tlbs.entries()) {
      if (!tlbChanged(machine, vcpu) && this.tlbs[vcpu] === words) continue;
      reader.open(words);
      loadTlb(machine, vcpu, reader);
      this.tlbs[vcpu] = words;
    }
    forgetTlbChanges(machine);
    const { changed } = world.pages;
    for (const [frame, words] of snapshot.pages.entries()) {
      if (changed[frame] === 0 && this.pages[frame] === words) continue;
      reader.open(words);
      loadPage(machine, frame, reader, FORM.whole);
      this.pages[frame] = words;
      changed[frame] = 0;
    }
    this.pages.length = snapshot.pages.length;
    this.restoreDirty(snapshot);
  }

  /** What was just written, as the array kept before if that holds the same. */
  private kept(before: Int32Array | undefined): Int32Array {
    return before !== undefined && this.words.equals(before) ? before : this.words.copy();
  }

  private takeDirty(): void {
    const memslots = memslotsOf(this.machine);
    this.dirty.length = memslots.length;
    for (const [i, memslot] of memslots.entries()) {
      const pieces = (this.dirty[i] ??= []);
      const count = Math.ceil(memslot.dirty.length / DIRTY_WORDS);
      if (!memslot.dirtyChanged && pieces.length === count) continue;
      pieces.length = count;
      for (let piece = 0; piece < count; piece += 1) {
        const now = memslot.dirty.subarray(piece * DIRTY_WORDS, (piece + 1) * DIRTY_WORDS);
        const before = pieces[piece];
        if (before === undefined || before.length !== now.length || now.some((word, at) => word !== before[at]))
          pieces[piece] = now.slice();
      }
      memslot.dirtyChanged = false;
    }
  }

  private restoreDirty(snapshot: MachineSnapshot): void {
    const memslots = memslotsOf(this.machine);
    for (const [i, memslot] of memslots.entries()) {
      const wanted = snapshot.dirty[i]!;
      const present = this.dirty[i];
      for (const [piece, words] of wanted.entries()) {
        if (memslot.dirtyChanged || present?.[piece] !== words) memslot.dirty.set(words, piece * DIRTY_WORDS);
      }
      memslot.dirtyChanged = false;
      this.dirty[i] = wanted.slice();
    }
    this.dirty.length = memslots.length;
  }
}
