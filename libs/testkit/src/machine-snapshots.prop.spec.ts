import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CoalesceMode, Command, StateWords, Workload } from '@s2lab/engine';
import { COMMAND, FORM, loadPage, loadShared, loadTlb, loadWalker, Machine, machineConfig, MachineSnapshots, Prng } from '@s2lab/engine';
import { savePage, saveShared, saveTlb, saveWalker, StateWords as Words, step } from '@s2lab/engine';
import type { EventRows } from '@s2lab/events';
import { ACCESS, copyRows, EventColumns, K } from '@s2lab/events';
import { POLICIES, policyByName } from '@s2lab/policies';
import { MachineRun } from '@s2lab/scheduler';

const VCPUS = 2;
const PAGES = 4;
const ACCESSES = [ACCESS.read, ACCESS.write, ACCESS.execute];

/** Accesses by chance, and a host that does a bit of everything: its state can be saved, as that of the machine. */
class SavedLife implements Workload {
  private readonly prng: Prng;
  private readonly left = new Int32Array(VCPUS + 1).fill(40);

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.left[VCPUS] = 12;
  }

  next(actor: number, _now: number, _result: number, command: Command): void {
    const left = this.left[actor]!;
    if (left === 0) return;
    this.left[actor] = left - 1;
    if (actor < VCPUS) {
      const access = ACCESSES[this.prng.below(3)]!;
      Object.assign(command, { kind: COMMAND.access, ipa: 4096 * this.prng.below(PAGES), access });
    } else this.host(left, command);
  }

  private host(left: number, command: Command): void {
    const range = { ipa: 4096 * this.prng.below(2), bytes: 8192 };
    const kinds = [COMMAND.unmapRange, COMMAND.ageRange, COMMAND.dirtyLogClear, COMMAND.delay] as const;
    if (left === 12) {
      Object.assign(command, { kind: COMMAND.memslotCreate, memslot: 0, ipa: 0, bytes: 4096 * PAGES, pa: 2 ** 34, hva: 2 ** 40 });
      Object.assign(command, { vmaShift: 12, thp: 1 });
    } else if (left === 9 || left === 5) Object.assign(command, { kind: COMMAND.dirtyLogOn });
    else if (left === 7 || left === 3) Object.assign(command, { kind: COMMAND.dirtyLogOff });
    else if (left === 1) Object.assign(command, { kind: COMMAND.destroyVm });
    else {
      const kind = left === 8 ? COMMAND.dirtyLogClear : kinds[this.prng.below(2)];
      Object.assign(command, { kind, ...(kind === COMMAND.dirtyLogClear ? { maskLo: 0xf } : range), makeOld: 1 });
    }
  }

  save(into: StateWords): void {
    into.putAll(this.prng.state);
    into.putAll(this.left);
  }

  load(from: StateWords): void {
    from.getAll(this.prng.state);
    from.getAll(this.left);
  }
}

function machine(policy: string, seed: number): Machine {
  const config = machineConfig({
    vcpus: VCPUS,
    ipaBits: 14,
    indexBits: 1,
    eagerSplitBytes: 8192,
    seed,
    tlbEntries: 4,
    walkCacheEntries: 4,
  });
  return new Machine(config, policyByName(policy), new SavedLife(seed), new EventColumns(4096));
}

/** Runs to the end; the events. */
function toTheEnd(run: Machine): EventRows {
  run.columns.clear();
  const whole = new MachineRun(run);
  while (!whole.stopped) whole.runUntil(Infinity);
  return copyRows(run.columns);
}

/** Steps in order of virtual time, as a machine run does. */
function steps(run: Machine, count: number): number {
  run.columns.clear();
  for (let taken = 0; taken < count; taken += 1) {
    const { clock } = run;
    let actor = 0;
    for (let other = 1; other < clock.length; other += 1) if (clock[other]! < clock[actor]!) actor = other;
    if (clock[actor] === Infinity) return taken;
    const at = clock[actor]!;
    run.beginStep(at);
    step(run, run.walkers[actor]!);
    clock[actor] = run.walkers[actor]!.blocked !== 0 || run.walkers[actor]!.isFinished ? Infinity : at + run.stepCost();
    run.takeWoken();
  }
  return count;
}

const anyLife = fc.record({
  policy: fc.constantFrom(...POLICIES.map(({ name }) => name)),
  seed: fc.nat(1000),
  cuts: fc.array(fc.nat(200), { minLength: 1, maxLength: 5 }),
});

test('a machine restored from a snapshot taken after any step goes on to the same bytes, in itself and in another machine', () => {
  fc.assert(
    fc.property(anyLife, ({ policy, seed, cuts }) => {
      const live = machine(policy, seed);
      const snapshots = new MachineSnapshots(live);
      const taken = cuts.map((cut) => {
        steps(live, cut);
        return snapshots.take();
      });
      const expected = toTheEnd(live);
      for (const snapshot of [...taken.toReversed(), taken.at(-1)!]) {
        const other = machine(policy, seed);
        new MachineSnapshots(other).restore(snapshot);
        snapshots.restore(snapshot);
        assert.deepEqual(new MachineSnapshots(other).take(), snapshot);
        assert.deepEqual(toTheEnd(live), toTheEnd(other));
      }
      snapshots.restore(taken.at(-1)!);
      assert.deepEqual(toTheEnd(live), expected);
    }),
    { numRuns: 40 },
  );
});

test('a snapshot shares with the one before whatever did not change', () => {
  const live = machine('rcu', 1);
  const snapshots = new MachineSnapshots(live);
  steps(live, 200);
  const first = snapshots.take();
  const second = snapshots.take();
  assert.equal(second.pages, first.pages);
  for (const part of ['tlbs', 'walkers'] as const) second[part].forEach((words, i) => assert.equal(words, first[part][i]));
  const row = new EventColumns(1);
  row.append(K.referenceGot, 0, 0, 0, 1, 3, 0, 1, 0, 0, 0, 0, 0, 9, 0);
  live.world.evolve(row, 0);
  const changed: number[] = [];
  second.pages.forEachDifference(snapshots.take().pages, (frame) => changed.push(frame));
  assert.deepEqual(changed, [1]);
});

/** The canonical form of `from`, put into `into`. */
function copyCanonical(from: Machine, into: Machine): void {
  const words = new Words();
  const through = (save: () => void, load: () => void): void => {
    words.clear();
    save();
    words.open(words.copy());
    load();
  };
  const form = FORM.canonical;
  through(
    () => saveShared(from, words, form),
    () => loadShared(into, words, form),
  );
  for (let actor = 0; actor < from.world.actors; actor += 1) {
    through(
      () => saveWalker(from, actor, words, form),
      () => loadWalker(into, actor, words),
    );
  }
  for (let vcpu = 0; vcpu < VCPUS; vcpu += 1) {
    through(
      () => saveTlb(from, vcpu, words),
      () => loadTlb(into, vcpu, words),
    );
  }
  for (let frame = 0; frame < from.world.pages.used; frame += 1) {
    through(
      () => savePage(from, frame, words, form),
      () => loadPage(into, frame, words, form),
    );
  }
}

/** What a step did, without times and numbers of walks. */
function deeds(rows: EventRows): unknown[] {
  return Array.from({ length: rows.length }, (_, i) => {
    const j = 2 * i;
    const aux = rows.kind[i] === K.walkEnded ? 0 : rows.aux[i];
    const words = [rows.old[j], rows.old[j + 1], rows.new[j], rows.new[j + 1], rows.ipa[j], rows.ipa[j + 1]];
    return [rows.kind[i], rows.actor[i], rows.level[i], rows.slot[i], rows.table[i], ...words, rows.arg[i], aux];
  });
}

const UNSAFE = ['eager', 'refs-naive'];

test('what the canonical form of a state leaves out changes nothing that happens after it', () => {
  fc.assert(
    fc.property(
      anyLife.filter(({ policy }) => !UNSAFE.includes(policy)),
      fc.array(fc.nat(100), { size: 'xlarge' }),
      ({ policy, seed, cuts }, choices) => {
        const live = machine(policy, seed);
        const copy = machine(policy, seed);
        for (const cut of cuts) {
          steps(live, cut);
          copyCanonical(live, copy);
          for (const choice of choices) {
            const ready = live.walkers.filter(
              ({ blocked, isFinished, actor }) => blocked === 0 && !isFinished && live.clock[actor]! < Infinity,
            );
            if (ready.length === 0) return;
            const { actor } = ready[choice % ready.length]!;
            for (const each of [live, copy]) {
              each.columns.clear();
              each.beginStep(live.clock[actor]!);
              step(each, each.walkers[actor]!);
            }
            assert.deepEqual(deeds(copy.columns), deeds(live.columns));
            if (live.walkers[actor]!.blocked !== 0 || live.walkers[actor]!.isFinished) live.clock[actor] = Infinity;
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

/** What a host asks of the hypervisor, actor by actor, in order: guests come, are given pages, share, and go. */
class HypervisorLife implements Workload {
  private readonly position = new Int32Array(VCPUS + 1);
  private readonly requests = [
    [
      { kind: COMMAND.hostFault, pa: 0x8000_1000 },
      { kind: COMMAND.hostFault, pa: 0x8060_5000 },
      { kind: COMMAND.hostFault, pa: 0x8020_0000 },
    ],
    [
      { kind: COMMAND.hostFault, pa: 0x4000_0000 },
      { kind: COMMAND.hostShareHyp, pa: 0x8070_0000 },
    ],
    [
      { kind: COMMAND.guestInit, vmid: 1, protected: 1, ipaBits: 40, pa: 0x8001_0000 },
      { kind: COMMAND.topUpMemcache, vmid: 1, pa: 0x8002_8000, bytes: 8 * 4096 },
      { kind: COMMAND.hostDonateGuest, vmid: 1, pa: 0x8020_0000, ipa: 0x4_0000 },
      { kind: COMMAND.hostDonateGuest, vmid: 1, pa: 0x8020_1000, ipa: 0x4_1000 },
      { kind: COMMAND.guestShareHost, vmid: 1, ipa: 0x4_0000 },
      { kind: COMMAND.guestUnshareHost, vmid: 1, ipa: 0x4_0000 },
      { kind: COMMAND.hostReclaim, vmid: 1, ipa: 0x4_1000 },
      { kind: COMMAND.guestDestroy, vmid: 1 },
    ],
  ];

  next(actor: number, _now: number, _result: number, command: Command): void {
    const request = this.requests[actor]![this.position[actor]!];
    if (request === undefined) return;
    this.position[actor]! += 1;
    Object.assign(command, request);
  }

  save(into: StateWords): void {
    into.putAll(this.position);
  }

  load(from: StateWords): void {
    from.getAll(this.position);
  }
}

function hypervisor(coalesce: CoalesceMode): Machine {
  const regions = [
    { base: 0x4000_0000, bytes: 2 ** 23, nomap: false },
    { base: 0x8000_0000, bytes: 2 ** 24, nomap: false },
  ];
  const config = machineConfig({
    kind: 'pkvm',
    vcpus: VCPUS,
    ipaBits: 40,
    pkvm: { regions, carvedPages: 96, poolPages: 64, coalesce },
  });
  return new Machine(config, policyByName('hyp-lock'), new HypervisorLife(), new EventColumns(1 << 14));
}

for (const mode of ['none', 'lazy'] as const) {
  test(`a machine under pKVM (coalescing ${mode}) goes on to the same bytes, with its guests, pools and page states`, () => {
    const whole = toTheEnd(hypervisor(mode));
    assert.ok(whole.kind.includes(K.guestCreated) && whole.kind.includes(K.pageStateChanged));
    fc.assert(
      fc.property(fc.array(fc.nat(600), { minLength: 1, maxLength: 4 }), (cuts) => {
        const live = hypervisor(mode);
        const snapshots = new MachineSnapshots(live);
        const taken = cuts.map((cut) => {
          steps(live, cut);
          return snapshots.take();
        });
        const expected = toTheEnd(live);
        const other = hypervisor(mode);
        new MachineSnapshots(other).restore(taken.at(-1)!);
        assert.deepEqual(toTheEnd(other), expected);
        snapshots.restore(taken[0]!);
        const again = hypervisor(mode);
        new MachineSnapshots(again).restore(taken[0]!);
        assert.deepEqual(toTheEnd(live), toTheEnd(again));
      }),
      { numRuns: 10 },
    );
  });
}
