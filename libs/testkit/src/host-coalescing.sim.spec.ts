import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { CoalesceMode } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import type { LabEvent } from '@s2lab/events';
import { ACCESS, codeName, decodeEvent, DSB, TLBI, UNLINK_CAUSE } from '@s2lab/events';
import { formatVerdict, Verifier } from '@s2lab/invariants';
import { policyByName } from '@s2lab/policies';
import type { Request } from './stepped-machine.ts';
import { SteppedMachine } from './stepped-machine.ts';

const CORE = 0;
const HYPERVISOR = 1;
const MEMORY = 0x4000_0000;
const BLOCK = 2 ** 21;
const PAGE = 4096;
/** The guest's table pages come from the second block, its memory from the first one. */
const TABLES = MEMORY + BLOCK;
const GUEST_IPA = 0x8000_0000;

const touch = (pa: number): Request => ({ kind: COMMAND.access, vmid: 0, ipa: pa, access: ACCESS.write });

/** What happens in one life of a guest that is given `pages` pages of a block, section by section. */
function live(coalesce: CoalesceMode, pages: number, policy = 'hyp-lock') {
  const each = (request: (page: number) => Request): Request[] => Array.from({ length: pages }, (_, page) => request(page));
  const sections = [
    [],
    [
      touch(MEMORY),
      touch(TABLES),
      { kind: COMMAND.guestInit, vmid: 1, protected: 1, ipaBits: 40, pa: TABLES },
      { kind: COMMAND.topUpMemcache, vmid: 1, pa: TABLES + 16 * PAGE, bytes: 8 * PAGE },
    ],
    each((page) => ({ kind: COMMAND.hostDonateGuest, vmid: 1, pa: MEMORY + page * PAGE, ipa: GUEST_IPA + page * PAGE })),
    [touch(MEMORY + 100 * PAGE)],
    each((page) => ({ kind: COMMAND.hostReclaim, vmid: 1, ipa: GUEST_IPA + page * PAGE })),
    [touch(MEMORY + 200 * PAGE)],
    [{ kind: COMMAND.guestDestroy, vmid: 1 }],
  ];
  const life = new SteppedMachine(policyByName(policy), [sections, [[]]], {
    kind: 'pkvm',
    pkvm: { regions: [{ base: MEMORY, bytes: 4 * BLOCK, nomap: false }], carvedPages: 96, poolPages: 64, coalesce },
  });
  const { columns, reclaimActor } = life.machine;
  const ends: number[] = [];
  life.run([HYPERVISOR], Infinity);
  life.run([CORE], Infinity);
  for (const _ of sections.slice(1)) {
    life.play(CORE);
    life.run([reclaimActor], Infinity);
    ends.push(columns.length);
  }
  life.run([HYPERVISOR, CORE, reclaimActor], Infinity);
  const frame = life.finish('host-coalescing');
  const verifier = new Verifier();
  verifier.fold(frame);
  const verdict = verifier.finish();
  assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
  const events = Array.from({ length: columns.length }, (_, i) => decodeEvent(frame.rows, i, i, 0));
  const [, given, touched, back, again] = ends.map((end, i) => events.slice(ends[i - 1] ?? 0, end));
  return { given: given!, touched: touched!, back: back!, again: again! };
}

const count = (events: readonly LabEvent[], kind: LabEvent['kind']): number => events.filter((event) => event.kind === kind).length;
const flushed = (events: readonly LabEvent[], op: number): number => events.filter((e) => e.kind === 'tlbi-issued' && e.op === op).length;
/** Levels at which the host's access is translated. */
const levels = (events: readonly LabEvent[]) => events.flatMap((event) => (event.kind === 'tlb-filled' ? [event.level] : []));

/** One event of the host's stage-2 in a few words. */
function words(event: LabEvent): string[] {
  switch (event.kind) {
    case 'descriptor-read':
      return [`read level ${event.level} slot ${event.slot}: ${event.value}`];
    case 'descriptor-stored':
    case 'descriptor-released':
      return [`${event.kind} level ${event.level} slot ${event.slot}: ${event.old} -> ${event.new}`];
    case 'reference-put':
    case 'reference-got':
    case 'reference-read':
      return [`${event.kind} table ${event.table}: ${event.count}`];
    case 'table-unlinked':
      return [`${event.kind} ${event.child}: ${codeName(UNLINK_CAUSE, event.cause)}`];
    case 'table-freed':
      return [`${event.kind} ${event.table}`];
    case 'tlbi-issued':
      return [codeName(TLBI, event.op)];
    case 'dsb-completed':
      return [`dsb ${codeName(DSB, event.domain)}`];
    case 'page-state-changed':
      return [`state ${event.from} -> ${event.to}`];
    case 'isb-completed':
      return ['isb'];
    default:
      return [];
  }
}

test('lazy: the page is left empty, its table goes by its count with a flush of the whole VMID, and nothing is torn down', () => {
  const { back } = live('lazy', 1);
  const ofHost = back.filter(({ stage2, walk }) => stage2 === 0 && walk > 0);
  assert.deepEqual(ofHost.flatMap(words), [
    'read level 1 slot 1: 0x700000002003',
    'read level 1 slot 1: 0x700000002003',
    'read level 2 slot 0: 0x700000007003',
    'read level 2 slot 0: 0x700000007003',
    'read level 3 slot 0: 0x2000008000000014',
    'descriptor-stored level 3 slot 0: 0x2000008000000014 -> 0x1000000000000000',
    'reference-put table 7: 1',
    'descriptor-released level 3 slot 0: 0x1000000000000000 -> 0x0',
    'read level 3 slot 0: 0x0',
    'reference-read table 7: 1',
    'descriptor-stored level 2 slot 0: 0x700000007003 -> 0x0',
    'table-unlinked 7: idle',
    'dsb ish',
    'isb',
    'vmalls12e1is',
    'dsb ish',
    'isb',
    'reference-put table 2: 3',
    'reference-put table 7: 0',
    'table-freed 7',
    'reference-read table 2: 3',
  ]);
});

test('lazy: a block that is broken goes on in the new table, written before it is linked, so that the host need not abort', () => {
  const { given, touched } = live('lazy', 1);
  const linked = given.findIndex((event) => event.kind === 'table-linked' && event.stage2 === 0);
  const { child } = given[linked] as Extract<LabEvent, { kind: 'table-linked' }>;
  const written = given.flatMap((event, i) =>
    event.kind === 'descriptor-stored' && event.table === child ? [{ before: i < linked, slot: event.slot, to: event.new }] : [],
  );
  assert.deepEqual(
    written.filter(({ before }) => before),
    Array.from({ length: 511 }, (_, i) => ({ before: true, slot: i + 1, to: `0x${(MEMORY + (i + 1) * PAGE + 0x7df).toString(16)}` })),
  );
  assert.deepEqual([count(touched, 'fault-taken'), levels(touched)], [0, [3]]);
});

test('none, lazy, eager: a block that was broken for one page stays pages, comes with the next abort, is there at once', () => {
  for (const [mode, aborts, level] of [
    ['none', [1, 1], 3],
    ['lazy', [0, 1], 2],
    ['eager', [1, 0], 2],
  ] as const) {
    const { touched, again } = live(mode, 1);
    assert.deepEqual([[touched, again].map((events) => count(events, 'fault-taken')), levels(again)], [aborts, [level]], mode);
  }
});

test('lazy: only the last of several pages that come back drops the table', () => {
  const { back } = live('lazy', 3);
  const dropped = back.flatMap((event, i) => (event.kind === 'table-unlinked' && event.stage2 === 0 ? [i] : []));
  assert.equal(dropped.length, 1);
  assert.equal(count(back.slice(dropped[0]), 'operation-began'), 0);
  assert.equal(flushed(back, TLBI.vmalls12e1is), 1);
});

test('eager tears down what lazy drops: a reference for each page of the block that was mapped', () => {
  const puts = (mode: CoalesceMode): number =>
    live(mode, 3).back.filter((event) => event.kind === 'reference-put' && event.stage2 === 0).length;
  assert.deepEqual([puts('none'), puts('lazy'), puts('eager')], [3, 3 + 2, 3 + 1 + 4 + 1]);
});
