import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { CollapseMode, MachineConfig } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import type { LabEvent } from '@s2lab/events';
import { ACCESS, codeName, decodeEvent, TLBI, UNLINK_CAUSE } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { policyByName } from '@s2lab/policies';
import { SteppedMachine } from './stepped-machine.ts';

const BASE = 0x8000_0000;
const BLOCK = 2 ** 21;
const BLOCKS = 8;
const VCPU = 0;
const VMM = 1;

/** The events of one life in three parts: blocks are mapped and split; dirty logging ends; the guest writes to each block again, twice. */
interface Life {
  readonly splitting: readonly LabEvent[];
  readonly collapsing: readonly LabEvent[];
  readonly after: readonly LabEvent[];
}

/** A vCPU writes to each of some blocks, again while they are logged, and once more when the host has done what `collapse` says. */
function live(collapse: CollapseMode, overrides: Partial<MachineConfig> = {}, policy = 'rwlock'): Life {
  const writes = Array.from({ length: BLOCKS }, (_, n) => ({ kind: COMMAND.access, ipa: BASE + n * BLOCK, access: ACCESS.write }));
  const memslot = { ipa: BASE, bytes: BLOCKS * BLOCK, pa: 0x4_0000_0000, hva: 0x7f00_0000_0000, vmaShift: 12, thp: 1 };
  const life = new SteppedMachine(
    policyByName(policy),
    [
      [[], writes, writes, [...writes, ...writes]],
      [
        [{ kind: COMMAND.memslotCreate, ...memslot }],
        [{ kind: COMMAND.dirtyLogOn }],
        [{ kind: COMMAND.dirtyLogOff }],
        [{ kind: COMMAND.destroyVm }],
      ],
    ],
    { collapse, ...overrides },
  );
  const worker = life.machine.reclaimActor;
  const { columns } = life.machine;
  life.run([VMM], Infinity);
  life.run([VCPU], Infinity);
  for (const actor of [VCPU, VMM, VCPU]) life.play(actor);
  const split = columns.length;
  life.play(VMM);
  life.run([worker], Infinity);
  const collapsed = columns.length;
  life.play(VCPU);
  const done = columns.length;
  life.play(VMM);
  life.run([VMM, VCPU, worker], Infinity);
  const frame = life.finish('collapse');
  const verifier = new Verifier();
  verifier.fold(frame);
  assert.deepEqual(verifier.finish().violations, []);
  const events = Array.from({ length: columns.length }, (_, i) => decodeEvent(frame.rows, i, i, 0));
  return { splitting: events.slice(0, split), collapsing: events.slice(split, collapsed), after: events.slice(collapsed, done) };
}

const count = (events: readonly LabEvent[], of: (event: LabEvent) => boolean): number => events.filter(of).length;
const faults = (events: readonly LabEvent[]) => count(events, ({ kind }) => kind === 'fault-taken');
/** Flushes of stage 2: ranges and whole VMIDs. */
const flushes = (events: readonly LabEvent[]) =>
  count(events, (e) => e.kind === 'tlbi-issued' && ['ripas2e1is', 'vmalls12e1is'].includes(codeName(TLBI, e.op)));
const unlinked = (events: readonly LabEvent[], cause: number) => count(events, (e) => e.kind === 'table-unlinked' && e.cause === cause);
const accessLevels = (events: readonly LabEvent[]) => new Set(events.flatMap((e) => (e.kind === 'tlb-filled' ? [e.level] : [])));

test('lazy: nothing happens when logging ends, and pages that are writable stay pages', () => {
  const { collapsing, after } = live('lazy');
  assert.deepEqual([flushes(collapsing), unlinked(collapsing, UNLINK_CAUSE.collapse), faults(after)], [0, 0, 0]);
});

test('zap-parent: one flush and one fault per block', () => {
  const { collapsing, after } = live('zap-parent');
  assert.deepEqual([flushes(collapsing), unlinked(collapsing, UNLINK_CAUSE.zap), faults(after)], [BLOCKS, BLOCKS, BLOCKS]);
  assert.deepEqual(accessLevels(after), new Set([2]));
});

test('in-place: one flush for all of a chunk, and no fault', () => {
  const { collapsing, after } = live('in-place');
  assert.deepEqual([flushes(collapsing), unlinked(collapsing, UNLINK_CAUSE.collapse), faults(after)], [1, BLOCKS, 0]);
  assert.deepEqual(accessLevels(after), new Set([2]));
});

test('in-place: a shorter turn is one flush more for each time that the lock is offered', () => {
  const offered = (events: readonly LabEvent[]) => count(events, ({ kind }) => kind === 'yield-offered');
  for (const [blocks, turns] of [
    [1, BLOCKS],
    [2, Math.ceil(BLOCKS / 2)],
    [BLOCKS, 1],
  ] as const) {
    const { collapsing, after } = live('in-place', { recoveryTurnBytes: blocks * BLOCK });
    assert.deepEqual([flushes(collapsing), offered(collapsing), faults(after)], [turns, turns - 1, 0]);
    assert.deepEqual(accessLevels(after), new Set([2]));
  }
  assert.throws(() => live('in-place', { recoveryTurnBytes: BLOCK / 2 }), /recoveryTurnBytes 1048576: must be a multiple of 2097152/);
});

test('unmap-memslot: one fault per block; where ranges can be flushed one flush for all of a chunk, else one per page', () => {
  const { collapsing, after } = live('unmap-memslot');
  assert.deepEqual([flushes(collapsing), faults(after)], [1, BLOCKS]);
  assert.deepEqual(accessLevels(after), new Set([2]));
  const byPage = live('unmap-memslot', { tlbRange: false }).collapsing;
  // The written page of each block, and each table that is empty then.
  assert.deepEqual([flushes(byPage), count(byPage, (e) => e.kind === 'tlbi-issued' && e.op === TLBI.ipas2e1is)], [0, 2 * BLOCKS + 1]);
});

test('teardown before: the sub-tree is freed between break and make, after: when the block is there', () => {
  for (const [teardown, order] of [
    ['after', ['table-unlinked', 'descriptor-released', 'table-freed']],
    ['before', ['table-unlinked', 'table-freed', 'descriptor-released']],
  ] as const) {
    const { collapsing } = live('in-place', { teardown });
    const child = collapsing.find(({ kind }) => kind === 'table-unlinked') as Extract<LabEvent, { kind: 'table-unlinked' }>;
    const steps = collapsing.filter(
      (e) =>
        (e.kind === 'table-unlinked' && e.child === child.child) ||
        (e.kind === 'table-freed' && e.table === child.child) ||
        (e.kind === 'descriptor-released' && e.slot === child.slot),
    );
    assert.deepEqual(
      steps.map(({ kind }) => kind),
      order,
    );
  }
});

test('a policy that defers frees retires what a host collapses, and frees it', () => {
  for (const collapse of ['in-place', 'zap-parent'] as const) {
    const { collapsing } = live(collapse, {}, 'rcu');
    assert.equal(
      count(collapsing, ({ kind }) => kind === 'table-retired'),
      BLOCKS,
    );
    assert.equal(
      count(collapsing, ({ kind }) => kind === 'table-freed'),
      BLOCKS,
    );
  }
});
