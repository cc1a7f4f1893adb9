import { PROT } from '@s2lab/arch';
import type { Frame } from '@s2lab/events';
import { PROT_SHIFT, WALK_FLAG } from '@s2lab/events';
import type { Mutant } from './mutant.ts';
import type { Trace } from './trace-dsl.ts';
import { framesOf, leafDescriptor, LOCKED, trace } from './trace-dsl.ts';
import type { AnyInput } from './trace-edits.ts';
import { change, dropOne } from './trace-edits.ts';

/*
 * Defects of how one leaf is written: what it permits, how and when it is stored, what must be done before and after.
 */

const IPA = 0x4000_0000;
const PA = 0x8000_0000;
const READ_ONLY_MAP = WALK_FLAG.shared | (PROT.r << PROT_SHIFT);

/** One defect each. */
export const ATTRIBUTE_MUTANTS: readonly Mutant[] = [
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
