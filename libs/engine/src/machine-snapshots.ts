import type { LinesTaken } from './cache-lines.ts';
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
import type { PieceTree } from './piece-tree.ts';
import { StateWords } from './state-words.ts';

/** The memslots of all stage-2s. */
function memslotsOf({ world }: Machine): Memslot[] {
  return world.stage2s.flatMap((stage2) => stage2?.memslots ?? []);
}

/** A machine at one moment: its pieces, of which it shares those that did not change with the snapshots before. Never changed. */
export interface MachineSnapshot {
  readonly shared: Int32Array;
  readonly walkers: readonly Int32Array[];
  readonly tlbs: readonly Int32Array[];
  /** Table pages by frame. */
  readonly pages: PieceTree;
  /** Dirty bits of each memslot. */
  readonly dirty: readonly PieceTree[];
  /** Which pages of each memslot the host has given memory to. */
  readonly touched: readonly PieceTree[];
  /** What the hypervisor notes of every page of memory: its states for the host and for itself, and how many guests share it. */
  readonly memory: readonly PieceTree[];
  /** Cache lines of locks, and of the counts of table pages. */
  readonly lines: readonly LinesTaken[];
}

/**
 * Takes and restores snapshots of one machine between its steps, walks in progress included. Taking one writes what actors share, their
 * registers, and of what there is for each page those pieces that changed since the last one was taken or restored; restoring reads those that
 * differ. A snapshot may be restored into any machine of the same configuration and policy. The workload takes part if it can be saved.
 */
export class MachineSnapshots {
  private readonly machine: Machine;
  private readonly words = new StateWords();
  private readonly reader = new StateWords();
  private walkers: Int32Array[] = [];
  private tlbs: Int32Array[] = [];

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** The machine as it is now. */
  take(): MachineSnapshot {
    const { machine, words } = this;
    const { world, contention } = machine;
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
    this.takePages();
    words.clear();
    saveShared(machine, words, FORM.whole);
    return {
      shared: words.copy(),
      walkers: this.walkers.slice(),
      tlbs: this.tlbs.slice(),
      pages: world.pages.taken,
      dirty: memslotsOf(machine).map(({ dirty }) => dirty.take()),
      touched: [...machine.backings.values()].map(({ touched }) => touched.take()),
      memory: [world.memory.hostStates, world.memory.hypStates, world.memory.guestShares].map((states) => states.take()),
      lines: [contention.lockLines.take(), contention.tableLines.take()],
    };
  }

  /** Makes the machine what it was when `snapshot` was taken. */
  restore(snapshot: MachineSnapshot): void {
    const { machine, reader } = this;
    const { world, contention } = machine;
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
    this.restorePages(snapshot.pages);
    for (const [i, { dirty }] of memslotsOf(machine).entries()) dirty.restore(snapshot.dirty[i]!);
    for (const [i, { touched }] of [...machine.backings.values()].entries()) touched.restore(snapshot.touched[i]!);
    const { hostStates, hypStates, guestShares } = world.memory;
    for (const [i, states] of [hostStates, hypStates, guestShares].entries()) states.restore(snapshot.memory[i]!);
    for (const [i, lines] of [contention.lockLines, contention.tableLines].entries()) lines.restore(snapshot.lines[i]!);
  }

  /** What was just written, as the array kept before if that holds the same. */
  private kept(before: Int32Array | undefined): Int32Array {
    return before !== undefined && this.words.equals(before) ? before : this.words.copy();
  }

  private takePages(): void {
    const { machine, words } = this;
    const { pages } = machine.world;
    const { changes, used } = pages;
    changes.watch(used);
    for (let n = 0; n < changes.count; n += 1) {
      const frame = changes.at(n);
      if (frame >= used) continue;
      words.clear();
      savePage(machine, frame, words, FORM.whole);
      pages.taken = pages.taken.with(frame, this.kept(pages.taken.get(frame) as Int32Array | undefined));
    }
    changes.clear();
  }

  private restorePages(wanted: PieceTree): void {
    const { pages } = this.machine.world;
    const { changes, used } = pages;
    changes.watch(used);
    for (let n = 0; n < changes.count; n += 1) this.loadPage(changes.at(n), wanted.get(changes.at(n)));
    changes.clear();
    pages.taken.forEachDifference(wanted, (frame, piece) => this.loadPage(frame, piece));
    pages.taken = wanted;
  }

  /** A frame that was never used then is as good as never used now: whoever uses it next begins anew. */
  private loadPage(frame: number, piece: unknown): void {
    if (piece === undefined) return;
    this.reader.open(piece as Int32Array);
    loadPage(this.machine, frame, this.reader, FORM.whole);
  }
}
