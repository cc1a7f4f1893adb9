import { PROT } from '@s2lab/arch';
import type { Frame } from '@s2lab/events';
import { LINK_CAUSE, OPERATION, PROT_SHIFT, WALK_FLAG } from '@s2lab/events';
import type { Mutant } from './mutant.ts';
import type { Trace } from './trace-dsl.ts';
import { framesOf, leafDescriptor, LOCKED, tableDescriptor, trace } from './trace-dsl.ts';
import type { AnyInput } from './trace-edits.ts';
import { change, dropOne } from './trace-edits.ts';

/*
 * Defects of what a walk writes: what a leaf permits, how and when it is stored, what must be done before and after, and where it may not write.
 */

const IPA = 0x4000_0000;
const PA = 0x8000_0000;
const MIB2 = 0x20_0000;
const READ_ONLY_MAP = WALK_FLAG.shared | (PROT.r << PROT_SHIFT);

/** One defect each. */
export const ATTRIBUTE_MUTANTS: readonly Mutant[] = [
  { invariant: 'I1', name: 'a walker maps a page in the table that it has unlinked', frames: () => straying().frames() },
  { invariant: 'I5', name: 'a descriptor leads to a page that was freed', frames: () => linkToFreed().frames() },
  { invariant: 'I10', name: 'an unmap of the page beside', frames: () => unmapBeside().frames() },
  {
    invariant: 'I10',
    name: 'a range that was unmapped keeps a page',
    frames: () =>
      trace()
        .map(0, IPA, PA)
        .as(4)
        .event({ kind: 'operation-began', operation: OPERATION.unmapRange, ipa: IPA, bytes: MIB2 })
        .event({ kind: 'operation-ended', operation: OPERATION.unmapRange, result: 0 })
        .stop()
        .frames(),
  },
  {
    invariant: 'I10',
    name: 'a map with other permissions than it was asked for',
    frames: () => edited(trace().map(0, IPA, PA), (events) => change(events, 'walk-began', () => true, { flags: READ_ONLY_MAP })),
  },
  { invariant: 'I10', name: 'a write protection that takes away reading', frames: () => attributeWalk('wrprotect', 0xc0n).frames() },
  { invariant: 'I10', name: 'a write protection that leaves its page writable', frames: () => attributeWalk('wrprotect', 0n).frames() },
  { invariant: 'I10', name: 'a relaxation that gives nothing', frames: () => attributeWalk('relax', 0n, 0x80n).frames() },
  { invariant: 'I10', name: 'a page made young that stays old', frames: () => attributeWalk('mkyoung', 0n, 0x400n).frames() },
  {
    invariant: 'I7',
    name: 'a locked descriptor is made before it is counted',
    frames: () => oddMake((t, page) => t.write('release', 2, 1, page).get(2)),
  },
  {
    invariant: 'I15',
    name: 'a locked descriptor made by a plain store',
    frames: () => oddMake((t, page) => t.get(2).write('store', 2, 1, page)),
  },
  {
    invariant: 'I15',
    name: 'a page mapped that was not cleaned out of the data cache',
    frames: () => edited(trace({ tellsCaches: true }).map(0, IPA, PA), (events) => dropOne(events, 'dcache-cleaned', () => true)),
  },
  {
    invariant: 'I15',
    name: 'a page that may be executed and was not invalidated in the instruction cache',
    frames: () => edited(trace({ tellsCaches: true }).map(0, IPA, PA), (events) => dropOne(events, 'icache-invalidated', () => true)),
  },
  { invariant: 'I15', name: 'a page made young without a DSB', frames: () => attributeWalk('mkyoung', 0x400n, 0x400n, false).frames() },
];

/** The trace, which goes on to its end, with its events changed. */
function edited(t: Trace, how: (events: readonly AnyInput[]) => readonly AnyInput[]): Frame[] {
  return framesOf(how(t.stop().events as AnyInput[]));
}

/** A collapse that does not read its entry again goes down into the table that it has just unlinked. */
function straying(): Trace {
  const t = trace().map(0, IPA, PA).as(1).lock('read').beginWalk('map', IPA, MIB2, PA, true).enter();
  t.replace(1, 0, leafDescriptor(PA, 2)).event({ kind: 'table-retired', table: 2, level: 2, ipa: IPA });
  t.write('swap', 2, 5, LOCKED)
    .get(2)
    .write('release', 2, 5, leafDescriptor(PA + 0x5000, 3));
  return t.leave().dsb('ishst').endWalk().unlock('read').reclaim(2).stop();
}

function linkToFreed(): Trace {
  const t = trace().map(0, IPA, PA).map(0, IPA, PA, 2).reclaim(2).as(4).lock('write').get(1).write('release', 1, 3, tableDescriptor(2));
  const link = { child: 2, parent: 1, slot: 3, level: 2, ipa: IPA + 3 * MIB2, cause: LINK_CAUSE.grow } as const;
  return t
    .event({ kind: 'table-linked', ...link })
    .unlock('write')
    .stop();
}

/** A walk that was to unmap the second page, which is empty, unmaps the first. */
function unmapBeside(): Trace {
  const t = trace()
    .map(0, IPA, PA)
    .map(0, IPA + 0x2000, PA + 0x2000)
    .as(4)
    .lock('write')
    .beginWalk('unmap', IPA + 0x1000, 0x1000);
  return t.write('store', 2, 0, 0n).flushIpa(IPA, 3).put(2).endWalk().unlock('write').stop();
}

/** A page without the bits `lacks` is mapped, and a walk under the write lock that asks for everything flips `flips` of it. */
function attributeWalk(op: 'wrprotect' | 'relax' | 'mkyoung', flips: bigint, lacks = 0n, completes = true): Trace {
  const t = trace().map(0, IPA, PA).as(4).lock('write');
  const page = leafDescriptor(PA, 3) & ~lacks;
  if (lacks !== 0n) t.write('store', 2, 0, page);
  t.beginWalk(op, IPA, 0x1000);
  if (flips !== 0n) t.write('store', 2, 0, page ^ flips);
  if (op === 'relax') t.dsb('nsh').tlbi('ipas2e1', IPA, 3).dsb('nsh').tlbi('vmalle1').dsb('nsh');
  if (completes) t.dsb('ishst');
  return t.endWalk().unlock('write').stop();
}

/** A shared walk locks a slot of table 2 and makes it a page as `make` does. */
function oddMake(make: (t: Trace, page: bigint) => Trace): Frame[] {
  const [ipa, pa] = [IPA + 0x1000, PA + 0x1000];
  const t = trace().map(0, IPA, PA).as(1).lock('read').beginWalk('map', ipa, 0x1000, pa, true).enter().write('swap', 2, 1, LOCKED);
  return make(t, leafDescriptor(pa, 3)).leave().dsb('ishst').endWalk().unlock('read').stop().frames();
}
