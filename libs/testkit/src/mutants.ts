import type { EventInput, Frame } from '@s2lab/events';
import { PROT_SHIFT, WALK_FLAG } from '@s2lab/events';
import { ATTRIBUTE_MUTANTS } from './attribute-mutants.ts';
import { GUEST_GOOD_TRACES, GUEST_MUTANTS } from './guest-mutants.ts';
import type { GoodTrace, Mutant } from './mutant.ts';
import { OWNER_GOOD_TRACES, OWNER_MUTANTS } from './owner-mutants.ts';
import type { Trace, TraceOptions } from './trace-dsl.ts';
import type { AnyInput } from './trace-edits.ts';
import { change, dropBefore, dropOne, duplicate, insertAfter, moveLater } from './trace-edits.ts';
import { framesOf, leafDescriptor, LOCKED, RWX, tableDescriptor, trace } from './trace-dsl.ts';

const MIB2 = 0x20_0000;
const IPA = 0x4000_0000;
const PA = 0x8000_0000;

/** Faults, a neighbour, a collapse with its deferred teardown, a lazy split, unmaps and the end: what most mutants start from. */
export function lifeOfAStage2(options: TraceOptions = {}): Trace {
  const t = trace(options).memslot(0, IPA, 4 * MIB2, PA);
  t.map(0, IPA, PA)
    .map(1, IPA + 0x1000, PA + 0x1000)
    .map(2, IPA + 2 * MIB2, PA + 2 * MIB2, 2);
  t.map(1, IPA, PA, 2).reclaim(2);
  t.map(0, IPA + 0x3000, PA + 0x3000);
  t.unmap(IPA + 0x3000).unmap(IPA + 2 * MIB2, 2);
  return t.destroy().stop();
}

/** Traces that every rule must pass. */
export const GOOD_TRACES: readonly GoodTrace[] = [
  ...GUEST_GOOD_TRACES,
  ...OWNER_GOOD_TRACES,
  { name: 'a whole life: faults, collapse, split, unmap', frames: () => lifeOfAStage2().frames() },
  { name: 'a whole life with its cache maintenance', frames: () => lifeOfAStage2({ tellsCaches: true }).frames() },
  { name: 'the same in frames of 7 events', frames: () => lifeOfAStage2().frames(7) },
  { name: 'a page frame that becomes a table again', frames: () => reused(true).frames() },
  { name: 'two walkers at once, one loses the race', frames: () => lostRace().frames() },
  {
    name: 'permissions, access flag and software bits change in place',
    frames: () => changed((value) => (value ^ 0x480n) | (1n << 54n) | (1n << 55n)).frames(),
  },
  { name: 'an interrupted machine keeps what it has', frames: () => trace().map(0, IPA, PA).map(0, IPA, PA, 2).stop(1).frames() },
  {
    name: 'a walker holds a table, the link lets go of it first, and the walker frees it',
    frames: () => held((t) => t.hold(2, 2).as(0).unhold(2, 1, true).as(1).unhold(2, 0).reclaim(2)),
  },
  {
    name: 'a section that began after the unlink does not hold the free back',
    frames: () => trace().map(0, IPA, PA).map(0, IPA, PA, 2).as(1).enter().reclaim(2).as(1).leave().stop().frames(),
  },
];

/** One defect each, at least one for every invariant that is checked. */
export const MUTANTS: readonly Mutant[] = [
  ...ATTRIBUTE_MUTANTS,
  ...GUEST_MUTANTS,
  ...OWNER_MUTANTS,
  {
    invariant: 'I1',
    name: 'a walker reads a table that was freed',
    frames: () => trace().map(0, IPA, PA).map(0, IPA, PA, 2).reclaim(2).as(1).read(2, 5).stop().frames(),
  },
  { invariant: 'I1', name: 'a walker stays in a page that was freed and is a new table', frames: () => reused(false).frames() },
  { invariant: 'I3', name: 'a collapse without a break', frames: () => collapseInPlace().frames() },
  {
    invariant: 'I3',
    name: 'a break without its TLBI',
    frames: () => edited((events) => dropOne(events, 'tlbi-issued', (e) => e.pages === 512)),
  },
  {
    invariant: 'I3',
    name: 'a break whose TLBI is not broadcast',
    frames: () => edited((events) => change(events, 'tlbi-issued', (e) => e.pages === 512, { op: 2, pages: 0 })),
  },
  {
    invariant: 'I3',
    name: 'a TLBI of the wrong VMID',
    frames: () => edited((events) => change(events, 'tlbi-issued', (e) => e.pages === 512, { stage2: 2 })),
  },
  {
    invariant: 'I3',
    name: 'a TLBI with the wrong level',
    frames: () =>
      edited(
        (events) => change(events, 'tlbi-issued', (e) => e.level === 3, { level: 2 }),
        trace()
          .map(0, IPA, PA)
          .map(0, IPA + 0x1000, PA + 0x1000)
          .unmap(IPA)
          .stop(),
      ),
  },
  {
    invariant: 'I3',
    name: 'a TLBI of half the table that was unlinked',
    frames: () => edited((events) => change(events, 'tlbi-issued', (e) => e.pages === 512, { pages: 256 })),
  },
  {
    invariant: 'I3',
    name: 'a TLBI before the store is visible',
    frames: () => edited((events) => dropBefore(events, 'dsb-completed', 'tlbi-issued', (e) => e.pages === 512)),
  },
  { invariant: 'I3', name: 'a table freed before the flush of its link', frames: () => freedBeforeFlush().frames() },
  {
    invariant: 'I3',
    name: 'stage-1 entries left after the stage-2 TLBI',
    frames: () => edited((events) => dropOne(events, 'tlbi-issued', (e) => e.op === 4)),
  },
  { invariant: 'I3', name: 'the output address of a live page changes', frames: () => changed((value) => value + 0x1000n).frames() },
  { invariant: 'I3', name: 'the memory type of a live page changes', frames: () => changed((value) => value ^ 0x8n).frames() },
  { invariant: 'I4', name: 'a walker makes what another one locked', frames: () => stolenLock().frames() },
  {
    invariant: 'I4',
    name: 'a descriptor is left locked',
    frames: () =>
      trace()
        .map(0, IPA, PA)
        .as(1)
        .lock('read')
        .beginWalk('map', IPA + 0x1000, 0x1000, PA + 0x1000, true)
        .enter()
        .write('swap', 2, 1, LOCKED)
        .leave()
        .dsb('ishst')
        .endWalk(-11)
        .unlock('read')
        .stop()
        .frames(),
  },
  {
    invariant: 'I5',
    name: 'a table is freed twice',
    frames: () => edited((events) => duplicate(events, 'table-freed', (e) => e.table === 2)),
  },
  { invariant: 'I5', name: 'a table is freed before the one below it', frames: () => childLast().frames() },
  {
    invariant: 'I5',
    name: 'a table in use is handed out again',
    frames: () => trace().map(0, IPA, PA).event({ kind: 'table-allocated', table: 2, level: 3, root: 0 }).stop().frames(),
  },
  { invariant: 'I6', name: 'a retired table is never freed', frames: () => trace().map(0, IPA, PA).map(0, IPA, PA, 2).stop().frames() },
  {
    invariant: 'I6',
    name: 'a spare table is forgotten',
    frames: () => {
      const t = trace().map(0, IPA, PA);
      t.alloc();
      return t.stop().frames();
    },
  },
  { invariant: 'I7', name: 'an unmap keeps the reference', frames: () => keptReference().frames() },
  { invariant: 'I7', name: 'a break drops a reference for an empty slot', frames: () => droppedReference().frames() },
  {
    invariant: 'I7',
    name: 'a count that is not what the events make it',
    frames: () => edited((events) => insertAfter(events, 'table-retired', { kind: 'reference-read', table: 1, count: 9 })),
  },
  { invariant: 'I7', name: 'a reference on a page nobody holds', frames: () => held((t) => t.unhold(2, 0, true).hold(2, 1).unhold(2, 0)) },
  { invariant: 'I7', name: 'a walker keeps its reference', frames: () => held((t) => t.hold(2, 2)) },
  {
    invariant: 'I7',
    name: 'a page is freed while a walker holds it',
    frames: () => held((t) => t.hold(2, 2).as(0).unhold(2, 1, true).reclaim(2).as(1).unhold(2, 0)),
  },
  { invariant: 'I7', name: 'a walker counts itself twice', frames: () => held((t) => t.hold(2, 3).unhold(2, 2)) },
  {
    invariant: 'I8',
    name: 'a table is freed inside the section that unlinked it',
    frames: () => edited((events) => moveLater(events, 'read-section-left', 'table-retired', 'reclaim-ended')),
  },
  {
    invariant: 'I8',
    name: 'another reader is still inside',
    frames: () => trace().map(0, IPA, PA).as(2).enter().map(0, IPA, PA, 2).reclaim(2).as(2).leave().stop().frames(),
  },
  {
    invariant: 'I9',
    name: 'a writer beside a reader',
    frames: () => trace().as(0).lock('read').as(4).lock('write').unlock('write').as(0).unlock('read').stop().frames(),
  },
  { invariant: 'I9', name: 'a release by who does not hold it', frames: () => trace().as(0).unlock('read').stop().frames() },
  {
    invariant: 'I9',
    name: 'an unmap without the write lock',
    frames: () =>
      edited((events) =>
        events.map((e) => ((e.kind === 'lock-acquired' || e.kind === 'lock-released') && e.mode === 2 ? { ...e, mode: 1 } : e)),
      ),
  },
  {
    invariant: 'I9',
    name: 'a map without any lock',
    frames: () => edited((events) => events.filter((e) => !((e.kind === 'lock-acquired' || e.kind === 'lock-released') && e.mode === 1))),
  },
  {
    invariant: 'I9',
    name: 'a shared walk outside a read section',
    frames: () => edited(withoutSections),
  },
  {
    invariant: 'I9',
    name: 'a walk under the read lock that is not called shared, outside a read section',
    frames: () =>
      edited((events) =>
        withoutSections(events).map((e) => (e.kind === 'walk-began' ? { ...e, flags: Number(e['flags']) & ~WALK_FLAG.shared } : e)),
      ),
  },
  {
    invariant: 'I9',
    name: 'a plain store in a shared walk',
    frames: () =>
      trace()
        .map(0, IPA, PA)
        .as(1)
        .lock('read')
        .beginWalk('wrprotect', IPA, 0x1000, 0, true)
        .enter()
        .write('store', 2, 0, leafDescriptor(PA, 3) ^ 0x80n)
        .leave()
        .endWalk()
        .unlock('read')
        .stop()
        .frames(),
  },
  {
    invariant: 'I10',
    name: 'a walk maps another page than it was asked',
    frames: () => edited((events) => change(events, 'walk-began', (e) => e.op === 1, { pa: PA + 0x1000 })),
  },
  {
    invariant: 'I10',
    name: "a mapping that is not the memslot's",
    frames: () => edited((events) => change(events, 'memslot-created', () => true, { pa: PA + MIB2 })),
  },
  {
    invariant: 'I10',
    name: 'a mapping outside every memslot',
    frames: () => edited((events) => change(events, 'memslot-created', () => true, { bytes: MIB2 })),
  },
  {
    invariant: 'I10',
    name: 'the guest reaches another page',
    frames: () =>
      edited((events) => insertAfter(events, 'table-retired', { kind: 'guest-accessed', ipa: IPA, pa: PA + 0x1000, access: 1, tlbHit: 0 })),
  },
  {
    invariant: 'I10',
    name: 'an unmap that leaves its page',
    frames: () => trace().map(0, IPA, PA).as(4).lock('write').beginWalk('unmap', IPA, 0x1000).endWalk().unlock('write').stop().frames(),
  },
  {
    invariant: 'I10',
    name: 'a deleted memslot that keeps a mapping',
    frames: () => trace().memslot(0, IPA, MIB2, PA).map(0, IPA, PA).as(4).event({ kind: 'memslot-deleted', memslot: 0 }).stop().frames(),
  },
  {
    invariant: 'I15',
    name: 'a map without its last DSB',
    frames: () => edited((events) => dropOne(events, 'dsb-completed', (e) => e.domain === 2)),
  },
  { invariant: 'I15', name: 'a table linked by a plain store', frames: () => plainLink().frames() },
  { invariant: 'I17', name: 'the beginning is missing', frames: () => framesOf(lifeOfAStage2().events.slice(1)) },
  {
    invariant: 'I17',
    name: 'a frame is missing',
    frames: () =>
      lifeOfAStage2()
        .frames(50)
        .filter((_, i) => i !== 1),
  },
  { invariant: 'I17', name: 'an event after the end', frames: () => trace().stop().event({ kind: 'isb-completed' }).frames() },
  {
    invariant: 'I17',
    name: 'time runs backwards',
    frames: () => trace().as(0).event({ kind: 'isb-completed', at: 900 }).event({ kind: 'isb-completed', at: 800 }).stop().frames(),
  },
  { invariant: 'I17', name: 'a walk that never began', frames: () => trace().as(1).endWalk().stop().frames() },
  {
    invariant: 'I17',
    name: 'a walk that never ends',
    frames: () =>
      trace()
        .as(1)
        .event({ kind: 'operation-began', operation: 10 })
        .beginWalk('leaf', IPA, 0x1000)
        .event({ kind: 'operation-ended', operation: 10 })
        .stop()
        .frames(),
  },
  {
    invariant: 'I17',
    name: 'a fault that never began',
    frames: () => trace().as(1).event({ kind: 'fault-handled', ipa: IPA }).stop().frames(),
  },
  {
    invariant: 'I17',
    name: 'a lost store',
    frames: () =>
      trace().map(0, IPA, PA).as(1).event({ kind: 'descriptor-read', table: 2, slot: 0, level: 3, ipa: IPA, value: '0x0' }).stop().frames(),
  },
  {
    invariant: 'I17',
    name: 'two writers',
    frames: () =>
      lifeOfAStage2()
        .frames(50)
        .map((frame, i) => (i === 1 ? { ...frame, origin: { ...frame.origin, policy: 'rwlock' } } : frame)),
  },
];

function edited(edit: (events: readonly AnyInput[]) => readonly EventInput[], of: Trace = lifeOfAStage2()): Frame[] {
  return framesOf(edit(of.events as unknown as AnyInput[]));
}

/** The events without read-side sections. */
function withoutSections(events: readonly AnyInput[]): readonly AnyInput[] {
  return events.filter((e) => e.kind !== 'read-section-entered' && e.kind !== 'read-section-left');
}

/** vCPU 2 comes to table 2 in a walk; both tables are freed and handed out again. Then it goes on: by the old way, or from the root. */
function reused(fromTheRoot: boolean): Trace {
  const t = trace({ policy: 'refs' }).map(0, IPA, PA);
  t.as(2).beginWalk('leaf', IPA, 0x1000).read(0, 1).read(1, 0);
  t.unmap(IPA).reuse(1, 2).map(0, IPA, PA).as(2);
  if (fromTheRoot) t.read(0, 1).read(1, 0);
  return t.read(2, 0).endWalk().stop();
}

/** A table is unlinked; then vCPU 1 begins a walk and does `what` it does with references on it. */
function held(what: (t: Trace) => Trace): Frame[] {
  const t = trace({ policy: 'refs' }).map(0, IPA, PA).map(0, IPA, PA, 2).as(1).beginWalk('leaf', IPA, 0x1000);
  return what(t).as(1).endWalk().stop(1).frames();
}

/** vCPU 2 begins to map the second page, beside the walk that the trace has open. */
function rivalMap(t: Trace): void {
  t.as(2)
    .lock('read')
    .event({
      kind: 'walk-began',
      walk: 77,
      op: 1,
      ipa: IPA + 0x1000,
      bytes: 0x1000,
      pa: PA + 0x1000,
      flags: WALK_FLAG.shared | (RWX << PROT_SHIFT),
    })
    .enter();
}

/** Two faults on one page: the second finds the slot taken, gives up and is told so. */
function lostRace(): Trace {
  const t = trace().map(0, IPA, PA);
  t.as(1)
    .lock('read')
    .beginWalk('map', IPA + 0x1000, 0x1000, PA + 0x1000, true)
    .enter()
    .read(2, 1);
  rivalMap(t);
  t.as(2).read(2, 1).as(1).write('swap', 2, 1, LOCKED);
  t.as(2).event({
    kind: 'descriptor-swap-failed',
    table: 2,
    slot: 1,
    level: 3,
    ipa: IPA + 0x1000,
    old: '0x1000000000000000',
    new: '0x1000000000000000',
  });
  t.as(2)
    .leave()
    .dsb('ishst')
    .event({ kind: 'walk-ended', walk: 77, result: -11 >>> 0, retries: 0 })
    .unlock('read');
  t.as(1)
    .get(2)
    .write('release', 2, 1, leafDescriptor(PA + 0x1000, 3))
    .leave()
    .dsb('ishst')
    .endWalk()
    .unlock('read');
  return t.stop();
}

/** A live page whose descriptor changes in place, under the write lock. */
function changed(how: (value: bigint) => bigint): Trace {
  const t = trace().map(0, IPA, PA).as(4).lock('write');
  return t
    .write('store', 2, 0, how(leafDescriptor(PA, 3)))
    .unlock('write')
    .stop();
}

/** A table is replaced by a block at one stroke; counts and teardown are right. */
function collapseInPlace(): Trace {
  const t = trace().map(0, IPA, PA).as(0).lock('read').beginWalk('map', IPA, MIB2, PA, true).enter().read(1, 0);
  t.write('swap', 1, 0, leafDescriptor(PA, 2)).leave().dsb('ishst').endWalk().unlock('read');
  return t.reclaim(2).stop();
}

/** The last page of a table is unmapped, and the table freed; only then its link is flushed. */
function freedBeforeFlush(): Trace {
  const t = trace().map(0, IPA, PA);
  t.as(t.vmm).lock('write').beginWalk('unmap', IPA, 0x1000).write('store', 2, 0, 0n).flushIpa(IPA, 3).put(2);
  t.write('store', 1, 0, 0n).put(1).put(2).free(2).flushIpa(IPA, -1);
  return t.endWalk().unlock('write').stop();
}

/** vCPU 1 locks a slot, vCPU 2 makes it. */
function stolenLock(): Trace {
  const t = trace().map(0, IPA, PA);
  t.as(1)
    .lock('read')
    .beginWalk('map', IPA + 0x1000, 0x1000, PA + 0x1000, true)
    .enter()
    .write('swap', 2, 1, LOCKED);
  rivalMap(t);
  t.get(2)
    .write('release', 2, 1, leafDescriptor(PA + 0x1000, 3))
    .leave()
    .dsb('ishst')
    .event({ kind: 'walk-ended', walk: 77, result: 0, retries: 0 })
    .unlock('read');
  return t.as(1).leave().dsb('ishst').endWalk().unlock('read').stop();
}

/** The teardown of a stage-2 frees a table before the one below it. */
function childLast(): Trace {
  const t = trace().map(0, IPA, PA).as(4).event({ kind: 'stage2-destroyed', root: 0 });
  return t.put(1).put(1).free(1).put(2).put(2).free(2).put(0).put(0).free(0).stop();
}

/** The unmap clears a slot and drops nothing. */
function keptReference(): Trace {
  const t = trace()
    .map(0, IPA, PA)
    .map(0, IPA + 0x1000, PA + 0x1000)
    .as(4)
    .lock('write')
    .beginWalk('unmap', IPA, 0x1000);
  return t.read(0, 1).read(1, 0).write('store', 2, 0, 0n).flushIpa(IPA, 3).endWalk().unlock('write').stop();
}

/** A break of an empty slot drops a reference that was never taken. */
function droppedReference(): Trace {
  const t = trace()
    .map(0, IPA, PA)
    .as(1)
    .lock('read')
    .beginWalk('map', IPA + 0x1000, 0x1000, PA + 0x1000, true)
    .enter()
    .read(0, 1)
    .read(1, 0);
  t.write('swap', 2, 1, LOCKED)
    .put(2)
    .get(2)
    .write('release', 2, 1, leafDescriptor(PA + 0x1000, 3));
  return t.leave().dsb('ishst').endWalk().unlock('read').stop();
}

/** A table is linked by a plain store, under the write lock. */
function plainLink(): Trace {
  const t = trace().as(4).lock('write').beginWalk('map', IPA, MIB2, PA);
  const table = t.alloc();
  t.write('store', 0, 1, tableDescriptor(table)).get(0).write('release', table, 0, leafDescriptor(PA, 2)).get(table);
  return t.dsb('ishst').endWalk().unlock('write').stop();
}
