import { test } from 'node:test';
import assert from 'node:assert/strict';
import { isValid, LO_WRITE, PROT } from '@s2lab/arch';
import type { CollapseMode, MachineConfig, ReclaimPolicy, Walker, Workload } from '@s2lab/engine';
import { COMMAND, HOOK, Machine, machineConfig, PC } from '@s2lab/engine';
import { ACCESS, EventColumns, K, OP } from '@s2lab/events';
import type { Verdict } from '@s2lab/invariants';
import { formatVerdict, Verifier } from '@s2lab/invariants';
import { policyByName } from '@s2lab/policies';
import { builtinScenarios, machineConfigFor, workloadFor } from '@s2lab/scenarios';
import { MachineRun } from '@s2lab/scheduler';

/*
 * The engine with one thing left out or changed, run for real: what the invariants about guests must find. Defects of policies are in
 * policy-mutants.sim.spec.ts.
 */

const rcu = policyByName('rcu');

/** What a defect does to an event about to be committed: let it be, leave it out (and its effect), or write another low half. */
type Defect = (walker: Walker, kind: number, newLo: number) => number | undefined;

/** A machine some of whose effects never happen. */
class DefectiveMachine extends Machine {
  defect: Defect = (_walker, _kind, newLo) => newLo;

  override settle(columns: EventColumns, kind: number): void {
    const row = columns.length - 1;
    const lo = this.defect(this.walkers[columns.actor[row]!]!, kind, columns.new[2 * row]!);
    if (lo === undefined) {
      columns.length = row;
      return;
    }
    columns.new[2 * row] = lo;
    super.settle(columns, kind);
  }
}

interface Experiment {
  readonly config: MachineConfig;
  readonly workload: Workload;
  readonly policy?: ReclaimPolicy;
  readonly untilNs?: number;
  prepare(machine: DefectiveMachine): void;
}

function judge({ config, workload, policy = rcu, untilNs = Infinity, prepare }: Experiment): Verdict {
  const columns = new EventColumns();
  const machine = new DefectiveMachine(config, policy, workload, columns);
  prepare(machine);
  const run = new MachineRun(machine);
  const verifier = new Verifier();
  const origin = { run: 'defect', machine: 0, policy: policy.name, machineKind: 'kvm', workload: 'defect' };
  for (let firstSeq = 0; !run.stopped;) {
    columns.clear();
    run.runUntil(untilNs);
    if (columns.length === 0) break;
    verifier.fold({ origin, firstSeq, rows: columns });
    firstSeq += columns.length;
  }
  return verifier.finish();
}

function scenario(name: string, prepare: Experiment['prepare'], seed = 1): Experiment {
  const found = builtinScenarios.get(name)!;
  return { config: machineConfigFor(found, 0, seed), workload: workloadFor(found, 0, seed), prepare, untilNs: 3e6 };
}

function lacks(defect: Defect): Experiment['prepare'] {
  return (machine) => {
    machine.defect = defect;
  };
}

function onlyFound(experiment: Experiment, invariant: string): void {
  const verdict = judge(experiment);
  assert.deepEqual(Object.keys(verdict.counts), [invariant], formatVerdict(verdict));
}

function firstFound(experiment: Experiment, invariant: string): void {
  const verdict = judge(experiment);
  assert.equal(verdict.violations[0]?.invariant, invariant, formatVerdict(verdict));
}

const unless = (leftOut: (walker: Walker, kind: number) => boolean): Experiment['prepare'] =>
  lacks((walker, kind, newLo) => (leftOut(walker, kind) ? undefined : newLo));

test('the engine without a defect holds in this bench', () => {
  for (const name of ['smoke', 'steady']) {
    const verdict = judge(scenario(name, () => {}));
    assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
  }
});

test('a fault handler that sets no dirty bits is reported by I12 and by nothing else', () => {
  onlyFound(
    scenario(
      'smoke',
      unless((_walker, kind) => kind === K.pageDirtied),
    ),
    'I12',
  );
});

test('dirty bits that are cleared without write protection are reported by I12 and by nothing else', () => {
  const protects = (walker: Walker): boolean => walker.command === COMMAND.dirtyLogClear && walker.op === OP.wrprotect;
  onlyFound(
    scenario(
      'smoke',
      unless((walker, kind) => kind === K.descriptorStored && protects(walker)),
    ),
    'I12',
  );
});

test('a TLB that keeps its translations when it is told to drop them is reported by I14 and by nothing else', () => {
  onlyFound(
    scenario('steady', (machine) => {
      machine.world.stage2(1).tlb.dropCombined = () => {};
    }),
    'I14',
  );
});

test('a walk cache that keeps its steps is found by I2: the walk enters what was unlinked', () => {
  firstFound(
    scenario('smoke', (machine) => {
      machine.world.stage2(1).tlb.dropSteps = () => {};
    }),
    'I2',
  );
});

/** What the vCPU and the VMM thread do, each by its tape. */
function tapes(vcpu: readonly object[], vmm: readonly object[]): Workload {
  const left = [[...vcpu], [...vmm]];
  return { next: (actor, _now, _result, command) => void Object.assign(command, left[actor]!.shift() ?? { kind: COMMAND.done }) };
}

const BLOCK = { ipa: 0x4000_0000, bytes: 0x20_0000, pa: 0x8000_0000, cachePages: 8 };
const config = machineConfig({ vcpus: 1 });

test('an eager split that makes the pages of a read-only block writable is reported by I11 and by nothing else', () => {
  const workload = (): Workload =>
    tapes(
      [],
      [
        { kind: COMMAND.map, ...BLOCK, prot: PROT.r | PROT.x },
        { kind: COMMAND.split, ...BLOCK },
        { kind: COMMAND.unmap, ...BLOCK },
      ],
    );
  const sound = judge({ config, workload: workload(), prepare: () => {} });
  assert.equal(sound.verdict, 'holds', formatVerdict(sound));
  const widens: Defect = (walker, _kind, newLo) => (walker.op === OP.createUnlinked && isValid(newLo) ? newLo | LO_WRITE : newLo);
  onlyFound({ config, workload: workload(), prepare: lacks(widens) }, 'I11');
});

test('a collapse with more permissions than the fault asked for is reported by I11 and by nothing else', () => {
  const page = { ...BLOCK, bytes: 0x1000, prot: PROT.r | PROT.x };
  const workload = tapes(
    [],
    [{ kind: COMMAND.map, ...page }, { kind: COMMAND.map, ...BLOCK, prot: PROT.r | PROT.x }, { kind: COMMAND.waitGracePeriod }],
  );
  const widens: Defect = (walker, kind, newLo) =>
    kind === K.descriptorReleased && walker.level === 2 && walker.child < 0 ? newLo | LO_WRITE : newLo;
  onlyFound({ config, workload, prepare: lacks(widens) }, 'I11');
});

test('a policy that lets a walk start anew two thousand times is reported by I16 and by nothing else', () => {
  let restarts = 2000;
  const policy: ReclaimPolicy = { ...rcu, tracksTables: true, descend: () => (restarts-- > 0 ? HOOK.restart : HOOK.done) };
  onlyFound({ ...scenario('smoke', () => {}), policy }, 'I16');
});

/** A collapse by the host on `smoke`, with something left out or changed while dirty logging is switched off. */
function collapsing(collapse: CollapseMode, defect: Defect): Experiment {
  const sound = scenario(
    'smoke',
    lacks((walker, kind, newLo) => (walker.command === COMMAND.dirtyLogOff ? defect(walker, kind, newLo) : newLo)),
  );
  return { ...sound, config: { ...sound.config, collapse } };
}

test('a collapse by the host without its flush is found by I3', () => {
  for (const collapse of ['in-place', 'zap-parent', 'unmap-memslot'] as const)
    firstFound(
      collapsing(collapse, (_walker, kind, newLo) => (kind === K.tlbiIssued ? undefined : newLo)),
      'I3',
    );
});

test('a recovery in place that makes other permissions than it asked for is reported by I11 and by nothing else', () => {
  const narrows: Defect = (walker, kind, newLo) => (kind === K.descriptorReleased && walker.op === OP.recover ? newLo & ~LO_WRITE : newLo);
  onlyFound(collapsing('in-place', narrows), 'I11');
});

test('a recovery in place that never installs its blocks is found by I4: its descriptors stay locked', () => {
  firstFound(
    collapsing('in-place', (walker, kind, newLo) => (kind === K.descriptorReleased && walker.op === OP.recover ? undefined : newLo)),
    'I4',
  );
});

test('a recovery in place without its last DSB is reported by I15 and by nothing else', () => {
  onlyFound(
    collapsing('in-place', (walker, kind, newLo) => (kind === K.dsbCompleted && walker.pc === PC.mapBarrier ? undefined : newLo)),
    'I15',
  );
});

test('a write protection that is never flushed is reported by I12 and by nothing else', () => {
  const write = { kind: COMMAND.access, ipa: BLOCK.ipa, access: ACCESS.write };
  const wait = (ns: number): object => ({ kind: COMMAND.delay, durationNs: ns });
  const memslot = { kind: COMMAND.memslotCreate, ...BLOCK, hva: 0x7f00_0000_0000, vmaShift: 12 };
  const workload = (): Workload =>
    tapes([wait(20_000), write, wait(600_000), write], [memslot, wait(300_000), { kind: COMMAND.dirtyLogOn }]);
  const sound = judge({ config, workload: workload(), prepare: () => {} });
  assert.equal(sound.verdict, 'holds', formatVerdict(sound));
  const flushes = (kind: number): boolean => kind === K.tlbiIssued || kind === K.dsbCompleted;
  onlyFound(
    { config, workload: workload(), prepare: unless((walker, kind) => walker.command === COMMAND.dirtyLogOn && flushes(kind)) },
    'I12',
  );
});
