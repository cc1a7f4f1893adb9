import type { LeafFeatures } from '@s2lab/arch';
import { geometry } from '@s2lab/arch';
import { copyLiveRegisters, emptyRegisters } from './live-registers.ts';
import { Lock } from './lock.ts';
import type { Machine } from './machine.ts';
import { Backing, Memslot } from './memslots.ts';
import type { Stage2 } from './stage2.ts';
import { RETIRED_WORDS } from './stage2.ts';
import type { StateWords } from './state-words.ts';
import { FRAME } from './table-pages.ts';
import type { Tlb } from './tlb.ts';
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

/** What a lock is like that nobody has asked for yet. */
const UNUSED_LOCK = new Lock(0);

/** Writes an actor's registers. */
export function saveWalker(machine: Machine, actor: number, into: StateWords, form: number): void {
  const walker = machine.walkers[actor]!;
  if (form === FORM.whole) {
    into.putAll(walker.r);
    into.putAllWide(walker.a);
    return;
  }
  const { invalidationEpoch, invalidateSeq } = machine.stage2(walker);
  const returnsAlone = !machine.policyOf(walker).capabilities.collapsesInParallel;
  copyLiveRegisters(walker, invalidationEpoch, invalidateSeq, returnsAlone, scratch);
  into.putAll(scratch.r);
  into.putAllWide(scratch.a);
}

/** Reads an actor's registers. */
export function loadWalker(machine: Machine, actor: number, from: StateWords): void {
  const walker = machine.walkers[actor]!;
  from.getAll(walker.r);
  from.getAllWide(walker.a);
}

/** Writes what a vCPU has cached of each stage-2. */
export function saveTlb(machine: Machine, vcpu: number, into: StateWords): void {
  for (const stage2 of machine.world.stage2s) if (stage2 !== undefined) saveEntries(stage2.tlb, vcpu, into);
}

/** Reads what a vCPU has cached. */
export function loadTlb(machine: Machine, vcpu: number, from: StateWords): void {
  for (const stage2 of machine.world.stage2s) if (stage2 !== undefined) loadEntries(stage2.tlb, vcpu, from);
}

/** Whether what the vCPU has cached changed since `forgetTlbChanges`. */
export function tlbChanged({ world }: Machine, vcpu: number): boolean {
  for (const stage2 of world.stage2s) if (stage2 !== undefined && stage2.tlb.changed[vcpu] !== 0) return true;
  return false;
}

/** What is cached counts as not changed from now on. */
export function forgetTlbChanges({ world }: Machine): void {
  for (const stage2 of world.stage2s) stage2?.tlb.changed.fill(0);
}

function saveEntries(tlb: Tlb, vcpu: number, into: StateWords): void {
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

function loadEntries(tlb: Tlb, vcpu: number, from: StateWords): void {
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
export function savePage(machine: Machine, frame: number, into: StateWords, form: number): void {
  const { pages } = machine.world;
  const live = pages.state[frame] === FRAME.live;
  into.put(pages.state[frame]!);
  into.put(pages.holders[frame]!);
  if (!live && form === FORM.canonical) return;
  if (form === FORM.whole) saveFrame(machine, frame, into);
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
export function loadPage(machine: Machine, frame: number, from: StateWords, form: number): void {
  const { pages } = machine.world;
  const base = pages.indexOf(frame, 0);
  pages.state[frame] = from.get();
  pages.holders[frame] = from.get();
  pages.descriptors.fill(0, base, pages.indexOf(frame + 1, 0));
  if (pages.state[frame] !== FRAME.live && form === FORM.canonical) {
    pages.level[frame] = 0;
    pages.references[frame] = 0;
    return;
  }
  if (form === FORM.whole) loadFrame(machine, frame, from);
  pages.level[frame] = from.get();
  pages.references[frame] = from.get();
  for (let run = from.get(); run >= 0; run = from.get()) from.getAll(pages.descriptors, base + run, base + from.get());
}

/** What belongs to the frame and not to the table in it: its place among the free ones, and the page behind it. */
function saveFrame({ world, hypervisor }: Machine, frame: number, into: StateWords): void {
  if (world.pages.state[frame] === FRAME.freed) into.put(world.pages.placeOf(frame));
  if (hypervisor !== undefined) into.putWide(hypervisor.frameAddresses[frame] ?? 0);
}

function loadFrame({ world, hypervisor }: Machine, frame: number, from: StateWords): void {
  if (world.pages.state[frame] === FRAME.freed) world.pages.placeFreed(frame, from.get());
  if (hypervisor !== undefined) hypervisor.frameAddresses[frame] = from.getWide();
}

/**
 * Writes what all actors share, but for table pages and TLBs. In the whole form it leaves out what there is for every page of memory or of tables:
 * those are pieces of their own (MachineSnapshots).
 */
export function saveShared(machine: Machine, into: StateWords, form: number): void {
  saveWorld(machine.world, into, form);
  into.put(machine.finished);
  machine.savePolicies(into);
  machine.hypervisor?.save(into, form === FORM.canonical);
  into.put(machine.backings.size);
  for (const [id, backing] of machine.backings) {
    into.put(id);
    into.putWide(backing.hva);
    into.put(backing.vmaShift);
    into.put(backing.thp);
    backing.save(into, form === FORM.canonical);
  }
  machine.workload.save?.(into);
  if (form === FORM.canonical) return;
  into.put(machine.walks);
  into.putWide(machine.at);
  into.putAllWide(machine.clock);
  into.putAll(machine.prng.state);
  machine.contention.save(into);
}

/** Reads what all actors share. */
export function loadShared(machine: Machine, from: StateWords, form: number): void {
  loadWorld(machine.world, from, form);
  machine.finished = from.get();
  machine.loadPolicies(from);
  machine.hypervisor?.load(from, form === FORM.canonical);
  loadBackings(machine, from, form);
  machine.workload.load?.(from);
  if (form === FORM.canonical) return;
  machine.walks = from.get();
  machine.at = from.getWide();
  from.getAllWide(machine.clock);
  from.getAll(machine.prng.state);
  machine.contention.load(from);
}

/** A backing that is there already keeps what it knows of touched pages. */
function loadBackings({ backings }: Machine, from: StateWords, form: number): void {
  const before = new Map(backings);
  backings.clear();
  for (let left = from.get(); left > 0; left -= 1) {
    const id = from.get();
    const stored = new Backing(from.getWide(), from.get(), from.get());
    const present = before.get(id);
    const backing = present?.isLike(stored) === true ? present : stored;
    backing.load(from, form === FORM.canonical);
    backings.set(id, backing);
  }
}

function saveWorld(world: World, into: StateWords, form: number): void {
  if (form === FORM.canonical) world.pages.saveFree(into);
  else world.pages.saveUse(into);
  world.pending.save(into);
  if (form === FORM.canonical) world.memory.save(into);
  else world.memory.saveRegions(into);
  for (const lock of world.locks) saveLock(lock ?? UNUSED_LOCK, into);
  into.put(world.stage2s.length);
  for (const stage2 of world.stage2s) {
    into.put(stage2 === undefined ? 0 : 1);
    if (stage2 !== undefined) saveStage2(stage2, into, form);
  }
}

function loadWorld(world: World, from: StateWords, form: number): void {
  if (form === FORM.canonical) world.pages.loadFree(from);
  else world.pages.loadUse(from);
  world.pending.load(from);
  if (form === FORM.canonical) world.memory.load(from);
  else world.memory.loadRegions(from);
  for (let i = 0; i < world.locks.length; i += 1) loadLock((world.locks[i] ??= new Lock(world.actors)), from);
  world.retiredCount = 0;
  const count = from.get();
  for (let vmid = 0; vmid < count; vmid += 1) {
    if (from.get() === 0) continue;
    loadStage2(world, vmid, from, form);
    world.retiredCount += world.stage2(vmid).retiredCount;
  }
  // A stage-2 that did not exist then does not now.
  world.stage2s.length = count;
}

function saveLock(lock: Lock, into: StateWords): void {
  into.put(lock.readers);
  into.put(lock.writer);
  into.put(lock.waitingCount);
  into.putAll(lock.waiting, 0, lock.waitingCount);
  into.putAll(lock.waitingMode, 0, lock.waitingCount);
}

function loadLock(lock: Lock, from: StateWords): void {
  lock.readers = from.get();
  lock.writer = from.get();
  lock.waitingCount = from.get();
  from.getAll(lock.waiting, 0, lock.waitingCount);
  from.getAll(lock.waitingMode, 0, lock.waitingCount);
}

function saveStage2(stage2: Stage2, into: StateWords, form: number): void {
  const { shape, features, lock } = stage2;
  into.put(shape.ipaBits);
  into.put((features.fwb ? 1 : 0) + (features.xnx ? 2 : 0) + (features.asStage1 ? 4 : 0) + (shape.lpa2 ? 8 : 0));
  into.put(stage2.root);
  into.put(stage2.rootPages);
  saveLock(lock, into);
  into.putAll(stage2.inSection);
  into.put(stage2.gracePeriod);
  into.put(stage2.gracePeriodOpen);
  into.putAll(stage2.awaited);
  into.put(stage2.awaitedCount);
  const { retired, retiredHead, retiredCount } = stage2;
  into.put(retiredCount);
  for (let i = 0; i < RETIRED_WORDS * retiredCount; i += 1) into.put(retired[(retiredHead + i) % retired.length]!);
  saveMemslots(stage2, into, form);
  if (form === FORM.canonical) return;
  into.put(stage2.invalidateSeq);
  into.put(stage2.invalidationEpoch);
}

function loadStage2(world: World, vmid: number, from: StateWords, form: number): void {
  const stage2 = shaped(world, vmid, from.get(), from.get());
  const { lock } = stage2;
  stage2.root = from.get();
  stage2.rootPages = from.get();
  loadLock(lock, from);
  from.getAll(stage2.inSection);
  stage2.gracePeriod = from.get();
  stage2.gracePeriodOpen = from.get();
  from.getAll(stage2.awaited);
  stage2.awaitedCount = from.get();
  const count = from.get();
  while (RETIRED_WORDS * count > stage2.retired.length) stage2.retired = new Int32Array(2 * stage2.retired.length);
  stage2.retiredHead = 0;
  stage2.retiredCount = count;
  from.getAll(stage2.retired, 0, RETIRED_WORDS * count);
  loadMemslots(stage2, from, form);
  stage2.invalidateSeq = form === FORM.canonical ? 0 : from.get();
  stage2.invalidationEpoch = form === FORM.canonical ? 0 : from.get();
}

/** The stage-2 at `vmid`, made anew unless it has this shape already. */
function shaped(world: World, vmid: number, ipaBits: number, bits: number): Stage2 {
  const present = world.stage2s[vmid];
  const lpa2 = (bits & 8) !== 0;
  const features = { fwb: (bits & 1) !== 0, xnx: (bits & 2) !== 0, asStage1: (bits & 4) !== 0 };
  if (present !== undefined && present.shape.ipaBits === ipaBits && present.shape.lpa2 === lpa2 && same(present.features, features)) {
    return present;
  }
  return world.prepare(vmid, geometry(world.shape.pageShift, ipaBits, lpa2, world.indexBits), features);
}

function same(a: LeafFeatures, b: LeafFeatures): boolean {
  return a.fwb === b.fwb && a.xnx === b.xnx && a.asStage1 === b.asStage1;
}

function saveMemslots({ memslots }: Stage2, into: StateWords, form: number): void {
  into.put(memslots.length);
  for (const memslot of memslots) {
    into.put(memslot.id);
    into.putWide(memslot.ipa);
    into.putWide(memslot.bytes);
    into.putWide(memslot.pa);
    into.put(memslot.readOnly ? 1 : 0);
    into.put(memslot.logging ? 1 : 0);
    into.put(memslot.dirty.data.length);
    if (form === FORM.canonical) into.putAll(memslot.dirty.data);
  }
}

/** In the whole form the dirty bits are pieces of their own: they are many, and a memslot that is there already keeps its own. */
function loadMemslots({ memslots }: Stage2, from: StateWords, form: number): void {
  const count = from.get();
  for (let i = 0; i < count; i += 1) {
    const stored = new Memslot(from.get(), from.getWide(), from.getWide(), from.getWide(), from.get() === 1);
    const present = memslots[i];
    const memslot = present?.isLike(stored) === true ? present : stored;
    memslot.logging = from.get() === 1;
    const words = from.get();
    if (memslot.dirty.data.length !== words) memslot.keepDirty(32 * words, false);
    if (form === FORM.canonical) from.getAll(memslot.dirty.data);
    memslots[i] = memslot;
  }
  memslots.length = count;
}
