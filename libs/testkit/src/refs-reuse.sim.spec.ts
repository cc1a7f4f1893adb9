import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { ReclaimPolicy } from '@s2lab/engine';
import { COMMAND, HOOK, PC } from '@s2lab/engine';
import type { Frame, LabEvent } from '@s2lab/events';
import { ACCESS, decodeEvent } from '@s2lab/events';
import type { Verdict } from '@s2lab/invariants';
import { Verifier } from '@s2lab/invariants';
import { policyByName } from '@s2lab/policies';
import type { Request } from './stepped-machine.ts';
import { SteppedMachine } from './stepped-machine.ts';

/*
 * The schedules of docs/adr/0016 in which a page is freed and handed out again between a walker's read of the link and its reference. The
 * writer (vCPU 0) has read the link to the only page table of block A; the collapser (vCPU 1) frees it; vCPU 2 gets its page for block B.
 */
const WRITER = 0;
const COLLAPSER = 1;
const REUSER = 2;
const VMM = 3;
const A = 0x8000_0000;
const B = A + 2 ** 21;

const refs = policyByName('refs');

const access = (kind: number, block: number, page: number): Request => ({ kind: COMMAND.access, ipa: block + page * 4096, access: kind });
const write = (block: number, page: number): Request => access(ACCESS.write, block, page);
const read = (block: number, page: number): Request => access(ACCESS.read, block, page);
const memslot = (id: number, ipa: number): Request => ({
  kind: COMMAND.memslotCreate,
  memslot: id,
  ipa,
  bytes: 2 ** 21,
  pa: 0x4_0000_0000 + (ipa - A),
  hva: 0x7f00_0000_0000 + (ipa - A),
  vmaShift: 12,
  thp: 1,
});

/** The machine at the moment when the writer has read its link and the page it leads to is free; and that page. */
function writerAtTheDoor(policy: ReclaimPolicy, collapserLater: readonly Request[]): { played: SteppedMachine; page: number } {
  const played = new SteppedMachine(policy, [
    [[write(A, 0)], [write(A, 1)]],
    [[], [read(A, 2)], collapserLater],
    [[], [write(B, 0)]],
    [
      [memslot(0, A), memslot(1, B), { kind: COMMAND.dirtyLogOn, memslot: 0 }, { kind: COMMAND.dirtyLogOn, memslot: 1 }],
      [{ kind: COMMAND.dirtyLogOff, memslot: 0 }],
      [{ kind: COMMAND.dirtyLogOff, memslot: 1 }],
      [{ kind: COMMAND.destroyVm }],
    ],
  ]);
  const writer = played.machine.walkers[WRITER]!;
  played.run([VMM], 100_000);
  played.run([WRITER], 100_000);
  played.play(WRITER, () => writer.pc === PC.walkDescend && writer.level === 3);
  const page = writer.table;
  played.play(VMM);
  played.play(COLLAPSER);
  assert.equal(played.machine.world.pages.holders[page], 0, 'the page is free');
  return { played, page };
}

/** Everybody goes on to the end. */
function finish(played: SteppedMachine): { verdict: Verdict; events: LabEvent[] } {
  const all = [WRITER, COLLAPSER, REUSER, VMM, played.machine.reclaimActor];
  for (let section = 0; section < 4; section += 1) {
    played.run(all, 100_000);
    for (const actor of [WRITER, COLLAPSER, REUSER, VMM]) played.open(actor);
  }
  played.run(all, 100_000);
  const frame: Frame = played.finish('refs-reuse');
  const verifier = new Verifier();
  verifier.fold(frame);
  const events = Array.from({ length: frame.rows.length }, (_, i) => decodeEvent(frame.rows, i, i, 0));
  return { verdict: verifier.finish(), events };
}

test('refs: a reference that lands on a page handed out again is found by the second read of the link, and given back', () => {
  const { played, page } = writerAtTheDoor(refs, []);
  played.play(REUSER);
  played.run([WRITER], 1);
  assert.equal(played.machine.world.pages.holders[page], 2, 'the link of block B and the stray reference');
  played.run([WRITER], 300);
  assert.equal(played.machine.world.pages.holders[page], 1);
  assert.deepEqual(finish(played).verdict.violations, []);
});

test('refs without the second read: I1 finds the walker in a page that is a new table', () => {
  const once: ReclaimPolicy = {
    ...refs,
    descend(machine, walker, table) {
      if (machine.world.pages.holders[table] === 0) return HOOK.restart;
      machine.getHolder(walker, table);
      return HOOK.done;
    },
  };
  const { played } = writerAtTheDoor(once, []);
  played.play(REUSER);
  const { verdict } = finish(played);
  const violation = verdict.violations.find(({ invariant }) => invariant === 'I1');
  assert.match(violation!.because, /came to table \d+ before the page was freed .* touched it after it was a new table/);
});

test('refs: who holds a page by a stray reference and is the last out tears down the sub-tree that its owner could not', () => {
  const { played, page } = writerAtTheDoor(refs, [read(B, 1)]);
  played.play(REUSER);
  played.run([WRITER], 1);
  played.play(VMM);
  played.play(COLLAPSER);
  assert.equal(played.machine.world.pages.holders[page], 1, 'the stray reference alone holds the unlinked table of block B');
  const { verdict, events } = finish(played);
  assert.deepEqual(verdict.violations, []);
  const freed = events.filter((event) => event.kind === 'table-freed' && event.table === page);
  assert.deepEqual(
    freed.slice(0, 2).map(({ actor }) => actor),
    [COLLAPSER, WRITER],
  );
});

test('refs: a page whose owner gave it up unused is freed by the stray reference that still holds it', () => {
  const { played, page } = writerAtTheDoor(refs, [write(B, 1)]);
  const reuser = played.machine.walkers[REUSER]!;
  played.play(REUSER, () => reuser.pc === PC.mapBreak && reuser.child === page);
  played.play(COLLAPSER);
  played.run([WRITER], 1);
  played.run([REUSER], 300);
  assert.equal(played.machine.world.pages.holders[page], 1, 'the reuser lost its race and let go');
  const { verdict, events } = finish(played);
  assert.deepEqual(verdict.violations, []);
  const freed = events.filter((event) => event.kind === 'table-freed' && event.table === page);
  assert.deepEqual(
    freed.slice(0, 2).map(({ actor }) => actor),
    [COLLAPSER, WRITER],
  );
});
