import type { Walker } from '@s2lab/engine';
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
  StateWords,
  tlbChanged,
} from '@s2lab/engine';
import { InternedWords } from './interned-words.ts';
import type { CanonicalForm } from './canonical-form.ts';
import type { StaleLinks } from './stale-links.ts';
import type { Subject } from './subject.ts';

/** Table pages that a machine under exploration may have had at once. */
const FRAMES_MAX = 24;

/**
 * The states of one machine as rows of numbers, one for each piece: what is shared, each actor's registers, each vCPU's TLB, each table
 * page. Pieces are kept once, so a row is small and yet the whole state; going from one state to another reads only pieces that differ.
 */
export class MachineStates {
  /** Numbers in a row. */
  readonly words: number;
  /** Where in a row the pieces of the walkers, of the TLBs and of the pages begin; before them what is shared, and stale links. */
  readonly walkersAt = 2;
  readonly tlbsAt: number;
  readonly pagesAt: number;
  /** Number of the order in which the actors stand at the beginning. */
  readonly firstOrder: number;
  /** The state that the machine is in. */
  readonly present: Uint32Array;
  private readonly subject: Subject;
  private readonly stale: StaleLinks;
  private readonly form: CanonicalForm | undefined;
  private readonly scratch = new StateWords();
  private readonly reader = new StateWords();
  private readonly shared = new InternedWords();
  private readonly links = new InternedWords();
  private readonly walkers = new InternedWords();
  private readonly tlbs = new InternedWords();
  private readonly pages = new InternedWords();
  /** Where the pieces are kept that the numbers of a row name: one store for each number. */
  readonly stores: readonly InternedWords[];

  /** @param form gives states their names; absent = they keep those that they have */
  constructor(subject: Subject, stale: StaleLinks, form?: CanonicalForm) {
    this.form = form;
    this.subject = subject;
    this.stale = stale;
    const { world } = subject.machine;
    this.tlbsAt = this.walkersAt + world.actors;
    this.pagesAt = this.tlbsAt + world.vcpus;
    this.words = this.pagesAt + FRAMES_MAX;
    this.stores = Array.from({ length: this.words }, (_, part) => this.storeOf(part));
    this.present = new Uint32Array(this.words);
    for (const stage2 of world.stage2s) stage2?.tlb.changed.fill(1);
    world.pages.changes.watch(world.pages.used);
    subject.moved = -1;
    this.firstOrder = this.note();
  }

  /** Bytes that the pieces take. */
  get bytes(): number {
    return this.shared.bytes + this.links.bytes + this.walkers.bytes + this.tlbs.bytes + this.pages.bytes;
  }

  /** Puts the machine into the state at `rows[at…]`. */
  load(rows: Uint32Array, at: number): void {
    const { present, reader, tlbsAt, pagesAt } = this;
    const { machine } = this.subject;
    if (present[0] !== rows[at]) {
      reader.open(this.shared.pieces[rows[at]!]!);
      loadShared(machine, reader, FORM.canonical);
      present[0] = rows[at]!;
    }
    if (present[1] !== rows[at + 1]) {
      reader.open(this.links.pieces[rows[at + 1]!]!);
      this.stale.load(reader);
      present[1] = rows[at + 1]!;
    }
    for (let part = this.walkersAt; part < this.words; part += 1) {
      const wanted = rows[at + part]!;
      if (present[part] === wanted) continue;
      present[part] = wanted;
      if (part < tlbsAt) {
        reader.open(this.walkers.pieces[wanted]!);
        loadWalker(machine, part - this.walkersAt, reader);
      } else if (part < pagesAt) {
        reader.open(this.tlbs.pieces[wanted]!);
        loadTlb(machine, part - tlbsAt, reader);
      } else if (wanted !== 0) {
        reader.open(this.pages.pieces[wanted]!);
        loadPage(machine, part - pagesAt, reader, FORM.canonical);
      }
    }
    // What was loaded is what is present.
    forgetTlbChanges(machine);
    machine.world.pages.changes.clear();
  }

  /** Notes what steps changed; `present` is then the new state. Returns the number of the order in which its actors stand now. */
  note(): number {
    const { machine } = this.subject;
    const { world } = machine;
    const all = world.stage2s.some((stage2) => stage2 !== undefined && (stage2.invalidationEpoch !== 0 || stage2.invalidateSeq !== 0));
    if (all) this.forgetNumbers();
    // Only how many grace periods something has still to wait for matters.
    machine.rebaseEpochs();
    const order = this.form?.apply() ?? 0;
    for (const walker of machine.walkers) {
      if (all || (this.subject.moved & (1 << walker.actor)) !== 0 || this.isWoken(walker)) this.noteWalker(walker.actor);
    }
    this.subject.moved = 0;
    this.noteRest();
    return order;
  }

  /** Writes the pieces of all states. */
  save(into: StateWords): void {
    for (const store of [this.shared, this.links, this.walkers, this.tlbs, this.pages]) store.save(into);
  }

  /** Reads what `save` wrote. */
  restore(from: StateWords): void {
    for (const store of [this.shared, this.links, this.walkers, this.tlbs, this.pages]) store.load(from, this.scratch);
  }

  /** Writes the present state without what other actors than `actor` have in hand: their registers, caches and stale links. */
  writeWithoutOthers(actor: number, into: StateWords): void {
    const { present } = this;
    into.put(actor);
    into.put(present[0]!);
    into.put(present[this.walkersAt + actor]!);
    this.stale.saveOf(actor, into);
    if (this.tlbsAt + actor < this.pagesAt) into.put(present[this.tlbsAt + actor]!);
    for (let part = this.pagesAt; part < this.words; part += 1) into.put(present[part]!);
  }

  /** The present state in words: equal exactly for equal states, also of two searches. */
  describe(): string {
    const { present } = this;
    return Array.from(present, (number, part) => this.stores[part]!.pieces[number]!.join(' ')).join('|');
  }

  private storeOf(part: number): InternedWords {
    if (part < this.walkersAt) return part === 0 ? this.shared : this.links;
    if (part < this.tlbsAt) return this.walkers;
    return part < this.pagesAt ? this.tlbs : this.pages;
  }

  /** Whether the actor, who was kept waiting, is not any more. */
  private isWoken({ actor, blocked }: Walker): boolean {
    return this.walkers.pieces[this.present[this.walkersAt + actor]!]![BLOCKED_AT] !== blocked;
  }

  private noteWalker(actor: number): void {
    const { scratch } = this;
    scratch.clear();
    saveWalker(this.subject.machine, actor, scratch, FORM.canonical);
    this.present[this.walkersAt + actor] = this.walkers.intern(scratch);
  }

  /** The numbers that walkers have noted count from 0 again. */
  private forgetNumbers(): void {
    const { machine } = this.subject;
    for (const walker of machine.walkers) {
      const { invalidationEpoch, invalidateSeq } = machine.stage2(walker);
      walker.hardwareEpoch = walker.hardwareEpoch === invalidationEpoch ? 0 : -1;
      walker.sequence = walker.sequence === invalidateSeq ? 0 : -1;
    }
    for (const stage2 of machine.world.stage2s) {
      if (stage2 === undefined) continue;
      stage2.invalidationEpoch = 0;
      stage2.invalidateSeq = 0;
    }
  }

  private noteRest(): void {
    const { scratch, present } = this;
    const { machine } = this.subject;
    const { pages, vcpus } = machine.world;
    for (let vcpu = 0; vcpu < vcpus; vcpu += 1) {
      if (!tlbChanged(machine, vcpu)) continue;
      scratch.clear();
      saveTlb(machine, vcpu, scratch);
      present[this.tlbsAt + vcpu] = this.tlbs.intern(scratch);
    }
    forgetTlbChanges(machine);
    if (pages.used > FRAMES_MAX) throw new RangeError(`the machine needs more than ${FRAMES_MAX} table pages; take smaller bounds`);
    for (let frame = pages.used; frame < FRAMES_MAX && present[this.pagesAt + frame] !== 0; frame += 1) present[this.pagesAt + frame] = 0;
    const { changes } = pages;
    for (let n = 0; n < changes.count; n += 1) {
      const frame = changes.at(n);
      // One that had another name before is none any more.
      if (frame >= pages.used) continue;
      scratch.clear();
      savePage(machine, frame, scratch, FORM.canonical);
      present[this.pagesAt + frame] = this.pages.intern(scratch);
    }
    changes.clear();
    scratch.clear();
    saveShared(machine, scratch, FORM.canonical);
    present[0] = this.shared.intern(scratch);
    scratch.clear();
    this.stale.save(scratch);
    present[1] = this.links.intern(scratch);
  }
}

/** Where `blocked` is in the piece of a walker: its registers come first. */
const BLOCKED_AT = 17;
