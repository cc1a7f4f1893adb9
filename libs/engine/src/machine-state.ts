import { copyLiveRegisters, emptyRegisters } from './live-registers.ts';
import type { Machine } from './machine.ts';
import { Backing, Memslot } from './memslots.ts';
import type { StateWords } from './state-words.ts';
import { FRAME } from './table-pages.ts';
import type { World } from './world.ts';

/*
 * The state of a machine in pieces: what actors share, each actor's registers, each vCPU's TLB, each table page. Each piece is written as
 * words and read back. Two forms: the whole one, from which a run goes on to the same bytes, and the canonical one for the checker, in
 * which what cannot matter is 0: clocks and numbers of walks, dead registers, contents of freed pages. Sequence numbers that are only
 * compared with the present one keep whether they equal it.
 */

/** How a state is written. */
export const FORM = { whole: 0, canonical: 1 } as const;

const scratch = emptyRegisters();

/** Writes an actor's registers. */
export function saveWalker(machine: Machine, actor: number, into: StateWords, form: number): void {
  const walker = machine.walkers[actor]!;
  if (form === FORM.whole) {
    into.putAll(walker.r);
    into.putAllWide(walker.a);
    return;
  }
  const { world } = machine;
  copyLiveRegisters(walker, world.invalidationEpoch, world.invalidateSeq, scratch);
  into.putAll(scratch.r);
  into.putAllWide(scratch.a);
}

/** Reads an actor's registers. */
export function loadWalker(machine: Machine, actor: number, from: StateWords): void {
  const walker = machine.walkers[actor]!;
  from.getAll(walker.r);
  from.getAllWide(walker.a);
}

/** Writes what a vCPU has cached. */
export function saveTlb(machine: Machine, vcpu: number, into: StateWords): void {
  const { tlb } = machine.world;
  const { entries, walkEntries } = tlb;
  for (let e = vcpu * entries; e < (vcpu + 1) * entries; e += 1) {
    if (tlb.tag[e] === 0) continue;
    into.put(e);
    into.putWide(tlb.tag[e]!);
    into.put(tlb.level[e]!);
    into.put(tlb.lo[e]!);
    into.put(tlb.hi[e]!);
  }
  into.put(-1);
  for (let e = vcpu * walkEntries; e < (vcpu + 1) * walkEntries; e += 1) {
    if (tlb.walkTag[e] === 0) continue;
    into.put(e);
    into.putWide(tlb.walkTag[e]!);
    into.put(tlb.walkLevel[e]!);
    into.put(tlb.walkNext[e]!);
  }
  into.put(-1);
}

/** Reads what a vCPU has cached. */
export function loadTlb(machine: Machine, vcpu: number, from: StateWords): void {
  const { tlb } = machine.world;
  tlb.dropAll(vcpu, vcpu + 1);
  for (let e = from.get(); e >= 0; e = from.get()) {
    tlb.tag[e] = from.getWide();
    tlb.level[e] = from.get();
    tlb.lo[e] = from.get();
    tlb.hi[e] = from.get();
  }
  for (let e = from.get(); e >= 0; e = from.get()) {
    tlb.walkTag[e] = from.getWide();
    tlb.walkLevel[e] = from.get();
    tlb.walkNext[e] = from.get();
  }
}

/** Writes a table page: runs of descriptors that are not empty. */
export function savePage({ world }: Machine, frame: number, into: StateWords, form: number): void {
  const { pages } = world;
  const live = pages.state[frame] === FRAME.live;
  into.put(pages.state[frame]!);
  into.put(pages.holders[frame]!);
  if (!live && form === FORM.canonical) return;
  into.put(pages.level[frame]!);
  into.put(pages.references[frame]!);
  const words = pages.descriptors;
  const from = pages.indexOf(frame, 0);
  const to = pages.indexOf(frame + 1, 0);
  for (let i = from; i < to; i += 2) {
    if (words[i] === 0 && words[i + 1] === 0) continue;
    let end = i + 2;
    while (end < to && (words[end] !== 0 || words[end + 1] !== 0)) end += 2;
    into.put(i - from);
    into.put(end - from);
    into.putAll(words, i, end);
    i = end;
  }
  into.put(-1);
}

/** Reads a table page. */
export function loadPage({ world }: Machine, frame: number, from: StateWords, form: number): void {
  const { pages } = world;
  const base = pages.indexOf(frame, 0);
  pages.state[frame] = from.get();
  pages.holders[frame] = from.get();
  pages.descriptors.fill(0, base, pages.indexOf(frame + 1, 0));
  if (pages.state[frame] !== FRAME.live && form === FORM.canonical) {
    pages.level[frame] = 0;
    pages.references[frame] = 0;
    return;
  }
  pages.level[frame] = from.get();
  pages.references[frame] = from.get();
  for (let run = from.get(); run >= 0; run = from.get()) from.getAll(pages.descriptors, base + run, base + from.get());
}

/** Writes what all actors share, but for table pages and TLBs. */
export function saveShared(machine: Machine, into: StateWords, form: number): void {
  saveWorld(machine.world, into, form);
  into.put(machine.finished);
  into.putAll(machine.policyWords);
  into.put(machine.backings.size);
  for (const [id, { hva, vmaShift, thp }] of machine.backings) {
    into.put(id);
    into.putWide(hva);
    into.put(vmaShift);
    into.put(thp);
  }
  machine.workload.save?.(into);
  if (form === FORM.canonical) return;
  into.put(machine.walks);
  into.putWide(machine.at);
  into.putAllWide(machine.clock);
  into.putAll(machine.prng.state);
}

/** Reads what all actors share. */
export function loadShared(machine: Machine, from: StateWords, form: number): void {
  loadWorld(machine.world, from, form);
  machine.finished = from.get();
  from.getAll(machine.policyWords);
  machine.backings.clear();
  for (let left = from.get(); left > 0; left -= 1) {
    machine.backings.set(from.get(), new Backing(from.getWide(), from.get(), from.get()));
  }
  machine.workload.load?.(from);
  if (form === FORM.canonical) return;
  machine.walks = from.get();
  machine.at = from.getWide();
  from.getAllWide(machine.clock);
  from.getAll(machine.prng.state);
}

function saveWorld(world: World, into: StateWords, form: number): void {
  world.pages.saveFree(into);
  into.put(world.root);
  into.put(world.readers);
  into.put(world.writer);
  into.put(world.waitingCount);
  into.putAll(world.waiting, 0, world.waitingCount);
  into.putAll(world.waitingMode, 0, world.waitingCount);
  into.putAll(world.inSection);
  into.put(world.gracePeriod);
  into.put(world.gracePeriodOpen);
  into.putAll(world.awaited);
  into.put(world.awaitedCount);
  world.saveRetired(into);
  world.savePending(into);
  saveMemslots(world, into, form);
  if (form === FORM.canonical) return;
  into.put(world.invalidateSeq);
  into.put(world.invalidationEpoch);
}

function loadWorld(world: World, from: StateWords, form: number): void {
  world.pages.loadFree(from);
  world.root = from.get();
  world.readers = from.get();
  world.writer = from.get();
  world.waitingCount = from.get();
  from.getAll(world.waiting, 0, world.waitingCount);
  from.getAll(world.waitingMode, 0, world.waitingCount);
  from.getAll(world.inSection);
  world.gracePeriod = from.get();
  world.gracePeriodOpen = from.get();
  from.getAll(world.awaited);
  world.awaitedCount = from.get();
  world.loadRetired(from);
  world.loadPending(from);
  loadMemslots(world, from, form);
  world.invalidateSeq = form === FORM.canonical ? 0 : from.get();
  world.invalidationEpoch = form === FORM.canonical ? 0 : from.get();
}

function saveMemslots(world: World, into: StateWords, form: number): void {
  into.put(world.memslots.length);
  for (const memslot of world.memslots) {
    into.put(memslot.id);
    into.putWide(memslot.ipa);
    into.putWide(memslot.bytes);
    into.putWide(memslot.pa);
    into.put(memslot.readOnly ? 1 : 0);
    into.put(memslot.logging ? 1 : 0);
    into.put(memslot.dirty.length);
    if (form === FORM.canonical) into.putAll(memslot.dirty);
  }
}

/** In the whole form the dirty bits are pieces of their own: they are many, and a memslot that is there already keeps its own. */
function loadMemslots(world: World, from: StateWords, form: number): void {
  const { memslots } = world;
  const count = from.get();
  for (let i = 0; i < count; i += 1) {
    const stored = new Memslot(from.get(), from.getWide(), from.getWide(), from.getWide(), from.get() === 1);
    const present = memslots[i];
    const memslot = present?.isLike(stored) === true ? present : stored;
    memslot.logging = from.get() === 1;
    const words = from.get();
    if (memslot.dirty.length !== words) memslot.dirty = new Uint32Array(words);
    if (form === FORM.canonical) from.getAll(memslot.dirty);
    memslots[i] = memslot;
  }
  memslots.length = count;
}
