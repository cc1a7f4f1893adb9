import { test } from 'node:test';
import assert from 'node:assert/strict';
import { PROT } from '@s2lab/arch';
import type { EventRows, Frame } from '@s2lab/events';
import { ACCESS, copyRows, decodeEvent, K, kindName, KINDS } from '@s2lab/events';
import type { Command, Workload } from '@s2lab/engine';
import { COMMAND, COMMAND_FLAG, machineConfig, Prng, World } from '@s2lab/engine';
import { policyByName, POLICIES } from '@s2lab/policies';
import type { MachineSetup } from './index.ts';
import { FleetRun } from './index.ts';

const VCPUS = 3;
const config = machineConfig({ vcpus: VCPUS, tlbEntries: 16, walkCacheEntries: 4, seed: 5 });
const MEMORY = { ipa: 0x8000_0000, bytes: 8 * 2 ** 20, pa: 0x4_0000_0000, hva: 0x7f00_0000_0000 };

/**
 * Random accesses of the vCPUs while the VMM goes through memslot, dirty logging, clearing, unmapping, ageing, destruction: a life in
 * which every operation runs against faults.
 */
function randomLife(seed: number, accesses: number): Workload {
  const prng = new Prng(seed);
  const left = new Int32Array(VCPUS).fill(accesses);
  const host: ((c: Command) => void)[] = [
    (c) => Object.assign(c, { kind: COMMAND.memslotCreate, ...MEMORY, vmaShift: 12, thp: 1 }),
    (c) => Object.assign(c, { kind: COMMAND.delay, durationNs: 200_000 }),
    (c) => Object.assign(c, { kind: COMMAND.dirtyLogOn }),
    (c) => Object.assign(c, { kind: COMMAND.delay, durationNs: 400_000 }),
    ...Array.from(
      { length: 4 },
      (_, word) => (c: Command) => Object.assign(c, { kind: COMMAND.dirtyLogClear, firstPage: 64 * word, maskLo: -1, maskHi: -1 }),
    ),
    (c) => Object.assign(c, { kind: COMMAND.dirtyLogOff }),
    (c) => Object.assign(c, { kind: COMMAND.unmapRange, ipa: MEMORY.ipa + 0x1000, bytes: 0x5000 }),
    (c) => Object.assign(c, { kind: COMMAND.ageRange, ipa: MEMORY.ipa, bytes: MEMORY.bytes, makeOld: 1 }),
    // The vCPUs go on as long as the VMM has something to do: they are to meet what was made old, once blocks are back.
    (c) => Object.assign(c, { kind: COMMAND.delay, durationNs: 200_000 }),
    (c) => Object.assign(c, { kind: COMMAND.ageRange, ipa: MEMORY.ipa, bytes: MEMORY.bytes, makeOld: 1, flags: COMMAND_FLAG.flushIfYoung }),
    (c) => Object.assign(c, { kind: COMMAND.delay, durationNs: 200_000 }),
    (c) => Object.assign(c, { kind: COMMAND.delay, durationNs: 1 }),
  ];
  let next = 0;
  let destroyed = false;
  return {
    next(actor, _now, _result, command): void {
      if (actor < VCPUS) {
        if (next === 0) Object.assign(command, { kind: COMMAND.delay, durationNs: 5000 });
        else if (left[actor]! > 0 || next < host.length) {
          left[actor]! -= 1;
          if (left[actor]! % 2 === 0) return void Object.assign(command, { kind: COMMAND.delay, durationNs: 400 });
          const page = prng.below(MEMORY.bytes / 4096);
          Object.assign(command, {
            kind: COMMAND.access,
            ipa: MEMORY.ipa + page * 4096,
            access: [ACCESS.read, ACCESS.write, ACCESS.execute][prng.below(3)],
          });
        }
      } else if (next < host.length) host[next++]!(command);
      else if (left.some((n) => n > 0)) Object.assign(command, { kind: COMMAND.delay, durationNs: 50_000 });
      else if (!destroyed) {
        destroyed = true;
        command.kind = COMMAND.destroyVm;
      }
    },
  };
}

function setup(policy: string, seed: number, accesses = 3000, machine = 0): MachineSetup {
  const origin = { run: 'test', machine, policy, machineKind: 'kvm', workload: 'random-life' };
  return { origin, config, policy: policyByName(policy), workload: randomLife(seed, accesses) };
}

function framesOf(run: FleetRun, limitNs = Infinity): Frame[] {
  const frames: Frame[] = [];
  for (let frame = run.nextFrame(limitNs); frame !== undefined; frame = run.nextFrame(limitNs)) {
    frames.push({ ...frame, rows: copyRows(frame.rows) });
  }
  return frames;
}

function* events(frames: readonly Frame[]) {
  for (const frame of frames)
    for (let i = 0; i < frame.rows.length; i += 1) yield decodeEvent(frame.rows, i, frame.firstSeq + i, frame.origin.machine);
}

function fold(world: World, rows: EventRows): void {
  for (let i = 0; i < rows.length; i += 1) world.evolve(rows, i);
}

/** Codes of the kinds that only a machine with a hypervisor makes, first and last. */
const HYPERVISOR_KINDS = [K.memoryRegionAdded, K.hostAborted] as const;
const SHARED_WALKS = ['descriptor-swapped'];
/** Kinds of event that only some policies make; those that are not named make the ones of shared walks. */
const OWN_KINDS: Readonly<Record<string, readonly string[]>> = {
  'hyp-lock': [],
  // A walk that is alone tears down what it unlinks itself.
  'v6.1': [],
  rcu: [...SHARED_WALKS, 'table-retired', 'read-section-entered', 'read-section-left', 'grace-period-began', 'grace-period-ended'],
  'refs-naive': [...SHARED_WALKS, 'table-retired', 'walker-reference-got', 'walker-reference-put'],
  refs: [...SHARED_WALKS, 'table-retired', 'walker-reference-got', 'walker-reference-put'],
  hazard: [...SHARED_WALKS, 'table-retired', 'hazard-published', 'hazard-cleared', 'hazard-scanned'],
  epoch: [...SHARED_WALKS, 'table-retired', 'epoch-read', 'epoch-announced', 'epoch-withdrawn', 'epoch-scanned', 'epoch-advanced'],
};

for (const { name } of POLICIES) {
  test(`${name}: the same seed gives the same events however the frames are cut, and another seed others`, () => {
    const whole = [...events(framesOf(new FleetRun([setup(name, 1)])))];
    const cut = [...events(framesOf(new FleetRun([setup(name, 1)], 100)))];
    assert.ok(whole.length > 10_000);
    assert.deepEqual(cut, whole);
    assert.notDeepEqual([...events(framesOf(new FleetRun([setup(name, 2)])))].slice(0, 5000), whole.slice(0, 5000));
  });

  test(`${name}: folding the log rebuilds tables, counts, TLBs, lock and memory map of the live world`, () => {
    const run = new FleetRun([setup(name, 3)], 500);
    const replayed = new World(config);
    for (let frame = run.nextFrame(650_000); frame !== undefined; frame = run.nextFrame(650_000)) fold(replayed, frame.rows);
    const live = run.worldOf(0);
    assert.ok(live.pages.live > 3);
    assert.deepEqual(replayed.pages, live.pages);
    assert.deepEqual(replayed.stage2(1).tlb, live.stage2(1).tlb);
    assert.deepEqual(replayed, live);
  });

  test(`${name}: at the end of a life every table is freed, no lock is held and nothing is pending`, () => {
    const run = new FleetRun([setup(name, 4)]);
    const last = [...events(framesOf(run))].at(-1)!;
    assert.equal(last.kind, 'machine-stopped');
    const world = run.worldOf(0);
    const { lock } = world.stage2(1);
    assert.deepEqual([world.pages.live, lock.readers, lock.writer, world.retiredCount], [0, 0, -1, 0]);
    assert.equal(run.done, true);
  });

  test(`${name}: a life meets every kind of event that its machine can make`, () => {
    const seen = new Set([...events(framesOf(new FleetRun([setup(name, 6)])))].map((event) => event.kind));
    const elsewhere = [
      'phase-began',
      'fault-injected',
      'memslot-deleted',
      'guest-aborted',
      'icache-invalidated',
      'cache-exhausted',
      'cache-released',
      'descriptor-swap-failed',
      'lock-contended',
      'walker-reference-refused',
      'table-reused',
      ...(['refs', 'refs-naive'].includes(name) ? ['table-retired'] : []),
    ];
    const own = new Set(OWN_KINDS[name] ?? SHARED_WALKS);
    const absent = Object.values(K)
      .filter((code) => code < HYPERVISOR_KINDS[0] || code > HYPERVISOR_KINDS[1])
      .map((code) => kindName(code)!)
      .filter((kind) => !seen.has(kind) && !elsewhere.includes(kind) && !KINDS[kind].doc.startsWith('Imported:'));
    const ofOthers = new Set(
      Object.values(OWN_KINDS)
        .flat()
        .filter((kind) => !own.has(kind)),
    );
    if (name === 'v6.1') for (const kind of ['reclaim-began', 'reclaim-ended']) ofOthers.add(kind);
    assert.deepEqual(new Set(absent), ofOthers);
  });
}

test('machines beside each other make the events they make alone', () => {
  const together = framesOf(new FleetRun([setup('rcu', 1, 500, 0), setup('rwlock', 2, 500, 1)], 300));
  for (const [machine, policy, seed] of [
    [0, 'rcu', 1],
    [1, 'rwlock', 2],
  ] as const) {
    const alone = framesOf(new FleetRun([setup(policy, seed, 500, machine)], 300));
    assert.deepEqual([...events(together.filter((frame) => frame.origin.machine === machine))], [...events(alone)]);
  }
});

test('an interrupted machine ends its log with the cause', () => {
  const run = new FleetRun([setup('rcu', 1)]);
  framesOf(run, 300_000);
  const last = run.interrupt()!;
  assert.equal(last.rows.kind[last.rows.length - 1], K.machineStopped);
  assert.equal(last.rows.arg[last.rows.length - 1], 1);
  assert.equal(run.interrupt(), undefined);
});

test('a map over a mapping that differs only in permissions ends with EAGAIN and leaves it alone', () => {
  const script = [
    { kind: COMMAND.map, prot: PROT.r, flags: 8 },
    { kind: COMMAND.map, prot: PROT.r | PROT.w, flags: 8 },
    { kind: COMMAND.destroy },
  ];
  const workload: Workload = {
    next(actor, _now, _result, command) {
      if (actor === 0)
        Object.assign(command, { ipa: 0x4000, bytes: 4096, pa: 0x9000, cachePages: 8 }, script.shift() ?? { kind: COMMAND.done });
    },
  };
  const run = new FleetRun([{ ...setup('rcu', 1), workload }]);
  const results = [...events(framesOf(run))].filter((event) => event.kind === 'operation-ended').map((event) => event.result);
  assert.deepEqual(results, [0, -11, 0]);
});
