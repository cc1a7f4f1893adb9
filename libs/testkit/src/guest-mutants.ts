import { PROT } from '@s2lab/arch';
import { ACCESS, FAULT, LINK_CAUSE, OP, OPERATION } from '@s2lab/events';
import type { GoodTrace, Mutant } from './mutant.ts';
import type { Trace } from './trace-dsl.ts';
import { leafDescriptor, LOCKED, RWX, tableDescriptor, trace } from './trace-dsl.ts';

/*
 * Traces about what guests and their hardware see: hardware walks, cached translations, dirty logging, collapses and splits, faults
 * that do not end. Good ones, and one defect each.
 */

const MIB2 = 0x20_0000;
const IPA = 0x4000_0000;
const PA = 0x8000_0000;
/** S2AP[1], bit 7. */
const WRITABLE = 0x80n;

/** Traces that every rule must pass. */
export const GUEST_GOOD_TRACES: readonly GoodTrace[] = [
  {
    name: 'accesses by cached translations and walk steps, before and after a collapse',
    frames: () =>
      collapsed()
        .hit(1, IPA + 0x5000, PA + 0x5000)
        .reclaim(2)
        .access(1, IPA + 0x1000)
        .stop()
        .frames(),
  },
  {
    name: 'an old translation is used until its DSB',
    frames: () =>
      flushed((t) => t.hit(0, IPA, PA).as(4), nothing)
        .stop()
        .frames(),
  },
  {
    name: 'a local invalidation leaves what other vCPUs have cached, a local barrier what was broadcast',
    frames: () => {
      const t = trace().map(0, IPA, PA).access(0, IPA).access(1, IPA).as(0).tlbi('ipas2e1', IPA, 3).tlbi('vmalle1').dsb('nsh');
      return t.hit(1, IPA, PA).as(0).hardwareRead(0, 1, IPA).as(1).tlbi('vmalle1is').dsb('nsh').hit(1, IPA, PA).stop().frames();
    },
  },
  { name: 'dirty logging: protected, flushed, logged, cleared, logged again', frames: () => logged().stop().frames() },
  {
    name: 'a write while logging is switched on and while a bit is cleared',
    frames: () =>
      logged({ during: (t) => t.hit(0, IPA, PA, ACCESS.write) })
        .stop()
        .frames(),
  },
  { name: 'a write by what another vCPU is about to log', frames: () => loggedByAnother(true).stop().frames() },
  { name: 'a memslot whose dirty bits are all set at first', frames: () => allSet().stop().frames() },
  { name: 'an eager split that keeps every page', frames: () => eagerSplit(512).frames() },
  {
    name: 'an eager split of device memory, which makes Normal memory of it',
    frames: () => eagerSplit(512, (leaf) => withoutExecute(deviceMemory(leaf)), withoutExecute, PROT.r | PROT.w | PROT.device).frames(),
  },
  { name: 'an eager split of a read-only block', frames: () => splitReadOnly(0n).stop().frames() },
  { name: 'many faults at one address that a locked descriptor explains', frames: () => manyFaults(true).stop().frames() },
];

/** One defect each. */
export const GUEST_MUTANTS: readonly Mutant[] = [
  {
    invariant: 'I2',
    name: 'the hardware walker reads a table that was freed',
    frames: () => trace().map(0, IPA, PA).map(0, IPA, PA, 2).reclaim(2).as(1).hardwareRead(2, 5).stop().frames(),
  },
  {
    invariant: 'I2',
    name: 'a cached walk step is used after its flush',
    frames: () => collapsed().as(0).hardwareRead(2, 0).reclaim(2).stop().frames(),
  },
  {
    invariant: 'I2',
    name: 'a link loaded before the flush is followed after it',
    frames: () => {
      const t = trace().map(0, IPA, PA).as(2).hardwareRead(0, 1, IPA).hardwareRead(1, 0, IPA);
      return t.map(1, IPA, PA, 2).as(2).hardwareRead(2, 0).reclaim(2).stop().frames();
    },
  },
  {
    invariant: 'I2',
    name: 'nothing led the hardware walker to the table',
    frames: () => trace().map(0, IPA, PA).as(1).hardwareRead(2, 0).stop().frames(),
  },
  {
    invariant: 'I11',
    name: 'a collapse with other permissions than were asked for',
    frames: () =>
      collapseInto(trace().map(0, IPA, PA), leafDescriptor(PA, 2) ^ WRITABLE)
        .stop()
        .frames(),
  },
  {
    invariant: 'I11',
    name: 'a collapse to where the memslot has moved, without an unmap',
    frames: () => {
      const t = trace()
        .memslot(0, IPA, MIB2, PA)
        .map(0, IPA, PA)
        .memslot(0, IPA, MIB2, PA + MIB2);
      return t
        .map(0, IPA, PA + MIB2, 2)
        .reclaim(2)
        .stop()
        .frames();
    },
  },
  {
    invariant: 'I11',
    name: 'a collapse that makes pages of a logged memslot writable',
    frames: () => {
      const t = trace().memslot(0, IPA, MIB2, PA).map(0, IPA, PA).as(4).event({ kind: 'dirty-log-started', memslot: 0, allSet: 0 });
      return t.map(0, IPA, PA, 2).reclaim(2).stop().frames();
    },
  },
  { invariant: 'I11', name: 'an eager split that leaves a block', frames: () => eagerSplit(0).frames() },
  { invariant: 'I11', name: 'an eager split that loses a page', frames: () => eagerSplit(511).frames() },
  {
    invariant: 'I11',
    name: 'an eager split that makes device memory of Normal memory',
    frames: () => eagerSplit(512, undefined, deviceMemory).frames(),
  },
  { invariant: 'I11', name: 'an eager split that makes pages writable', frames: () => splitReadOnly(WRITABLE).stop().frames() },
  { invariant: 'I12', name: 'a write by a translation that was not flushed', frames: () => logged({ flushes: false }).stop().frames() },
  { invariant: 'I12', name: 'a write fault that sets no dirty bit', frames: () => logged({ sets: false }).stop().frames() },
  {
    invariant: 'I12',
    name: 'a cleared page that is not write-protected',
    frames: () => logged({ protects: false }).stop().frames(),
  },
  { invariant: 'I12', name: 'a fault ends without logging what it let through', frames: () => loggedByAnother(false).stop().frames() },
  { invariant: 'I12', name: 'a write protection that is never flushed', frames: () => unflushedProtection().frames() },
  { invariant: 'I14', name: 'permissions are relaxed and the old translation stays', frames: () => relaxedOnly().frames() },
  {
    invariant: 'I14',
    name: 'a translation is used after its flush',
    frames: () =>
      flushed(nothing, (t) => t.hit(0, IPA, PA))
        .stop()
        .frames(),
  },
  {
    invariant: 'I14',
    name: 'a translation is used after a flush of its own core',
    frames: () => trace().map(0, IPA, PA).access(0, IPA).tlbi('vmalle1').dsb('nsh').hit(0, IPA, PA).stop().frames(),
  },
  {
    invariant: 'I14',
    name: 'a translation that was loaded before the flush is cached and used after it',
    frames: () => {
      const t = trace().map(0, IPA, PA).as(0).hardwareRead(0, 1, IPA).hardwareRead(1, 0, IPA).hardwareRead(2, 0);
      t.unmap(IPA).as(0).event({ kind: 'tlb-filled', table: 2, slot: 0, level: 3, ipa: IPA, value: '0x800007db' });
      return t.hit(0, IPA, PA).stop().frames();
    },
  },
  { invariant: 'I14', name: 'a translation that was never cached', frames: () => trace().map(0, IPA, PA).hit(0, IPA, PA).stop().frames() },
  {
    invariant: 'I14',
    name: 'a translation that was evicted',
    frames: () => {
      const t = trace().map(0, IPA, PA).access(0, IPA);
      return t.event({ kind: 'tlb-evicted', ipa: IPA, level: 3, walkCache: 0 }).hit(0, IPA, PA).stop().frames();
    },
  },
  {
    invariant: 'I14',
    name: 'a write by a read-only translation',
    frames: () => {
      const t = trace().map(0, IPA, PA).as(4).lock('write');
      t.write('store', 2, 0, leafDescriptor(PA, 3) ^ WRITABLE).unlock('write');
      return t.access(0, IPA).hit(0, IPA, PA, ACCESS.write).stop().frames();
    },
  },
  { invariant: 'I16', name: 'a walk is open at the end', frames: () => trace().as(1).beginWalk('leaf', IPA, 0x1000).stop().frames() },
  {
    invariant: 'I16',
    name: 'a walk starts anew without end',
    frames: () => {
      const t = trace().as(1).beginWalk('leaf', IPA, 0x1000);
      return t.event({ kind: 'walk-ended', result: 0, retries: 5000 }).stop().frames();
    },
  },
  { invariant: 'I16', name: 'a vCPU faults at one address without end', frames: () => manyFaults(false).stop().frames() },
];

function nothing(t: Trace): Trace {
  return t;
}

/** vCPU 0 has cached all of the way to a page, vCPU 1 collapses its table. */
function collapsed(): Trace {
  const t = trace()
    .memslot(0, IPA, 4 * MIB2, PA)
    .map(0, IPA, PA)
    .access(0, IPA)
    .hit(0, IPA, PA);
  return t.map(1, IPA, PA, 2).access(1, IPA);
}

/** vCPU 0 has cached a page that the VMM thread unmaps; what happens between the last TLBI and its DSB, and after it. */
function flushed(before: (t: Trace) => Trace, after: (t: Trace) => Trace): Trace {
  const t = trace()
    .map(0, IPA, PA)
    .map(0, IPA + 0x1000, PA + 0x1000)
    .access(0, IPA)
    .as(4)
    .lock('write')
    .beginWalk('unmap', IPA, 0x1000);
  t.write('store', 2, 0, 0n).dsb('ish').tlbi('ipas2e1is', IPA, 3).dsb('ish').tlbi('vmalle1is');
  before(t).dsb('ish').put(2).endWalk().unlock('write');
  return after(t);
}

/** A block takes the place of table 2, made as `value`, whatever the walk was asked for. */
function collapseInto(t: Trace, value: bigint): Trace {
  t.as(0).lock('read').beginWalk('map', IPA, MIB2, PA, true).enter().replace(1, 0, value);
  t.event({ kind: 'table-retired', table: 2, level: 2, ipa: IPA });
  return t.leave().dsb('ishst').endWalk().unlock('read').reclaim(2);
}

/** A read-only block becomes pages with `more` permissions. */
function splitReadOnly(more: bigint): Trace {
  const t = trace().map(0, IPA, PA, 2).as(4).lock('write');
  t.write('store', 1, 0, leafDescriptor(PA, 2) ^ WRITABLE).beginWalk('split', IPA, MIB2);
  const table = t.alloc();
  for (let i = 0; i < 512; i++) t.get(table).write('release', table, i, (leafDescriptor(PA + i * 0x1000, 3) ^ WRITABLE) | more);
  return t.replace(1, 0, tableDescriptor(table), LINK_CAUSE.split).dsb('ishst').endWalk().unlock('write');
}

interface LoggingDefects {
  /** The flush after write protection. */
  readonly flushes?: boolean;
  /** The dirty bit that a write fault sets. */
  readonly sets?: boolean;
  /** Write protection of a page whose bit is cleared. */
  readonly protects?: boolean;
  /** What happens between write protection and its flush. */
  readonly during?: (t: Trace) => Trace;
}

/** Logging is switched on, a page is written, its bit is cleared, it is written again. */
function logged({ flushes = true, sets = true, protects = true, during = nothing }: LoggingDefects = {}): Trace {
  const t = trace().memslot(0, IPA, MIB2, PA).map(0, IPA, PA).access(0, IPA, ACCESS.write);
  t.as(4).event({ kind: 'operation-began', operation: OPERATION.dirtyLogOn, ipa: 0, bytes: 0 });
  t.event({ kind: 'dirty-log-started', memslot: 0, allSet: 0 });
  protect(t);
  during(t).as(4);
  if (flushes) t.flushRange(IPA, 512);
  t.event({ kind: 'operation-ended', operation: OPERATION.dirtyLogOn, result: 0 });
  if (flushes) writeFault(t, sets);
  else return t.hit(0, IPA, PA, ACCESS.write);
  t.access(0, IPA, ACCESS.write).as(4).event({ kind: 'operation-began', operation: OPERATION.dirtyLogClear, ipa: 0, bytes: 0 });
  t.event({ kind: 'dirty-log-cleared', memslot: 0, ipa: IPA, bytes: 0x1000 });
  if (protects) protect(t);
  during(t).as(4).flushRange(IPA, 512).event({ kind: 'operation-ended', operation: OPERATION.dirtyLogClear, result: 0 });
  if (protects) writeFault(t, true);
  return t.access(0, IPA, ACCESS.write);
}

function protect(t: Trace): void {
  t.lock('write').beginWalk('wrprotect', IPA, MIB2);
  t.write('store', 2, 0, leafDescriptor(PA, 3) ^ WRITABLE);
  t.endWalk().unlock('write');
}

/** vCPU 0 makes the page writable again and, if it `sets` it, logs it. */
function writeFault(t: Trace, sets: boolean): void {
  t.as(0).event({ kind: 'fault-taken', ipa: IPA, level: 3, fault: FAULT.permission, access: ACCESS.write });
  relax(t);
  if (sets) t.event({ kind: 'page-dirtied', memslot: 0, ipa: IPA });
  t.event({ kind: 'fault-handled', ipa: IPA, bytes: 0x1000, result: 0 });
}

/** A leaf as Device-nGnRE memory. */
function deviceMemory(leaf: bigint): bigint {
  return (leaf & ~0x3cn) | 0x4n;
}

/** A leaf that nobody may execute: bits 54:53 are 10. */
function withoutExecute(leaf: bigint): bigint {
  return leaf | (1n << 54n);
}

const unchanged = (leaf: bigint): bigint => leaf;

/** A 2 MiB block becomes a table with `pages` of its 512 pages, or stays if they are 0; what block and pages are besides is up to `ofBlock`, which `prot` asked for, and `ofPage`. */
function eagerSplit(pages: number, ofBlock = unchanged, ofPage = unchanged, prot: number = RWX): Trace {
  const t = trace()
    .map(0, IPA + MIB2, PA + MIB2, 2)
    .as(4)
    .lock('write')
    .beginWalk('map', IPA, MIB2, PA, false, prot);
  t.get(1)
    .write('release', 1, 0, ofBlock(leafDescriptor(PA, 2)))
    .dsb('ishst')
    .endWalk()
    .beginWalk('split', IPA, MIB2);
  if (pages === 0) return t.endWalk().unlock('write').stop();
  const table = t.alloc();
  for (let i = 0; i < pages; i++) t.get(table).write('release', table, i, ofPage(leafDescriptor(PA + i * 0x1000, 3)));
  t.replace(1, 0, tableDescriptor(table), LINK_CAUSE.split).dsb('ishst').endWalk().unlock('write');
  return t.stop();
}

/** Logging is switched on and nobody writes before the flush that never comes. */
function unflushedProtection(): Trace {
  const t = trace().memslot(0, IPA, MIB2, PA).map(0, IPA, PA);
  t.as(4).event({ kind: 'operation-began', operation: OPERATION.dirtyLogOn, ipa: 0, bytes: 0 });
  t.event({ kind: 'dirty-log-started', memslot: 0, allSet: 0 });
  protect(t);
  return t.event({ kind: 'operation-ended', operation: OPERATION.dirtyLogOn, result: 0 }).stop();
}

function relaxedOnly(): Trace {
  const t = trace().map(0, IPA, PA).as(4).lock('write');
  t.write('store', 2, 0, leafDescriptor(PA, 3) ^ WRITABLE).unlock('write');
  t.as(0).lock('read').beginWalk('relax', IPA, 0x1000, 0, true).enter();
  return t.write('swap', 2, 0, leafDescriptor(PA, 3)).leave().endWalk().unlock('read').stop();
}

function relax(t: Trace): void {
  t.lock('read').beginWalk('relax', IPA, 0x1000, 0, true).enter();
  t.write('swap', 2, 0, leafDescriptor(PA, 3)).leave();
  t.dsb('nsh').tlbi('ipas2e1', IPA, 3).dsb('nsh').tlbi('vmalle1').dsb('nsh').endWalk().unlock('read');
}

/** vCPU 1 has made a logged page writable and not yet set its bit when vCPU 0 writes to it. */
function loggedByAnother(sets: boolean): Trace {
  const t = trace().memslot(0, IPA, MIB2, PA).map(0, IPA, PA).as(4).lock('write');
  t.write('store', 2, 0, leafDescriptor(PA, 3) ^ WRITABLE)
    .unlock('write')
    .flushRange(IPA, 512);
  t.event({ kind: 'dirty-log-started', memslot: 0, allSet: 0 });
  t.as(1).event({ kind: 'fault-taken', ipa: IPA + 0x10, level: 3, fault: FAULT.permission, access: ACCESS.write });
  relax(t);
  t.access(0, IPA + 0x20, ACCESS.write).as(1);
  if (sets) t.event({ kind: 'page-dirtied', memslot: 0, ipa: IPA });
  return t.event({ kind: 'fault-handled', ipa: IPA + 0x10, bytes: 0x1000, result: 0 });
}

/** All bits count as set at first: nothing is write-protected until they are cleared. */
function allSet(): Trace {
  const t = trace().memslot(0, IPA, MIB2, PA).map(0, IPA, PA).as(4).event({ kind: 'dirty-log-started', memslot: 0, allSet: 1 });
  return t.access(0, IPA, ACCESS.write);
}

/** A vCPU faults 150 times at one address; `locked`: because another walker holds the descriptor. */
function manyFaults(locked: boolean): Trace {
  const t = trace().map(0, IPA, PA);
  if (locked)
    t.as(1)
      .lock('read')
      .event({ kind: 'walk-began', walk: 77, op: OP.map, ipa: IPA + 0x1000, bytes: 0x1000, pa: PA + 0x1000, flags: 8 + (15 << 16) })
      .enter()
      .write('swap', 2, 1, LOCKED);
  for (let i = 0; i < 150; i++) {
    t.as(0).event({ kind: 'fault-taken', ipa: IPA + 0x1000, level: 3, fault: FAULT.translation, access: ACCESS.read });
    t.event({ kind: 'fault-handled', ipa: IPA + 0x1000, bytes: 0x1000, result: 0 });
  }
  if (!locked) return t;
  t.as(1)
    .get(2)
    .write('release', 2, 1, leafDescriptor(PA + 0x1000, 3));
  return t.leave().dsb('ishst').event({ kind: 'walk-ended', walk: 77, result: 0, retries: 0 }).unlock('read');
}
