import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { LabEvent } from '@s2lab/events';
import { decodeEvent, OPERATION } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { policyByName, POLICIES } from '@s2lab/policies';
import type { ScenarioInput } from '@s2lab/scenarios';
import { machineConfigFor, parseScenario, workloadFor } from '@s2lab/scenarios';
import { FleetRun } from '@s2lab/scheduler';

const UNSAFE: readonly string[] = ['refs-naive', 'eager'];
const SAFE = POLICIES.filter(({ name }) => !UNSAFE.includes(name));
const ACCESS = { accessesPerVcpu: 1500, thinkNs: 200 };

/** All events of one machine with this workload, which every rule has judged. */
function eventsOf(policy: string, machine: Omit<ScenarioInput['machines'][number], 'policy'>): LabEvent[] {
  const scenario = parseScenario({ name: 'any', machines: [{ vcpus: 3, memoryBytes: '8MiB', ...machine, policy }] }, 'any');
  const origin = { run: 'workloads', machine: 0, policy, machineKind: 'kvm', workload: machine.workload.type };
  const setup = { origin, config: machineConfigFor(scenario, 0, 1), policy: policyByName(policy), workload: workloadFor(scenario, 0, 1) };
  const run = new FleetRun([setup]);
  const verifier = new Verifier();
  const events: LabEvent[] = [];
  for (let frame = run.nextFrame(Infinity); frame !== undefined; frame = run.nextFrame(Infinity)) {
    verifier.fold(frame);
    for (let i = 0; i < frame.rows.length; i += 1) events.push(decodeEvent(frame.rows, i, frame.firstSeq + i, 0));
  }
  assert.deepEqual(verifier.finish().violations, [], policy);
  return events;
}

const operations = (events: readonly LabEvent[], operation: number) =>
  events.filter((e) => e.kind === 'operation-began' && e.operation === operation).length;

for (const { name } of SAFE) {
  test(`${name}: a balloon splits the huge pages it takes parts of, and what comes back is mapped by pages`, () => {
    const params = { ...ACCESS, chunkNs: 5000, holdNs: 100_000, skew: 1 };
    const events = eventsOf(name, { workload: { type: 'balloon', params } });
    assert.ok(operations(events, OPERATION.unmapRange) > 30);
    const from = events.findIndex((e) => e.kind === 'operation-began' && e.operation === OPERATION.unmapRange);
    const sizes = (part: readonly LabEvent[]) => new Set(part.flatMap((e) => (e.kind === 'fault-handled' ? [e.bytes] : [])));
    assert.deepEqual(sizes(events.slice(0, from)), new Set([2 ** 21]));
    assert.ok(sizes(events.slice(from)).has(4096));
  });

  test(`${name}: ageing swaps out what nobody touched, and the guest faults it in again`, () => {
    const params = { ...ACCESS, scanNs: 300, windowBytes: '256KiB', driftAccesses: 5 };
    const events = eventsOf(name, { workload: { type: 'ageing', params } });
    assert.ok(operations(events, OPERATION.ageRange) > 100);
    const swapped = new Set<number>();
    let back = 0;
    for (const e of events) {
      if (e.kind === 'operation-began' && e.operation === OPERATION.unmapRange) swapped.add(e.ipa);
      if (e.kind === 'fault-handled' && swapped.has(e.ipa - (e.ipa % 0x1_0000))) back += 1;
    }
    assert.ok(swapped.size > 10 && back > 10, `${swapped.size} swapped out, ${back} faults on them`);
  });

  test(`${name}: memslots come and go under a guest that keeps off them, and no access aborts`, () => {
    const params = { ...ACCESS, churnedSlots: 2, churnNs: 20_000, downNs: 10_000, skew: 1 };
    const events = eventsOf(name, { memslots: 4, workload: { type: 'churn', params } });
    assert.ok(operations(events, OPERATION.memslotDelete) > 5);
    assert.equal(events.filter(({ kind }) => kind === 'guest-aborted').length, 0);
  });

  test(`${name}: a stage-2 is destroyed under faulting vCPUs, whose later accesses abort`, () => {
    const params = { thinkNs: 0, skew: 1, destroyAfterNs: 150_000, accessesAfter: 5 };
    const events = eventsOf(name, { thp: 0, workload: { type: 'destroy', params } });
    const destroyed = events.findIndex(({ kind }) => kind === 'stage2-destroyed');
    const open = new Set<number>();
    for (const e of events.slice(0, destroyed)) {
      if (e.kind === 'fault-taken') open.add(e.actor);
      if (e.kind === 'fault-handled') open.delete(e.actor);
    }
    assert.ok(open.size > 0, 'a fault was being handled');
    const after = events.slice(destroyed);
    assert.ok(after.filter(({ kind }) => kind === 'guest-aborted').length >= 15);
    assert.equal(after.filter(({ kind }) => kind === 'guest-accessed' || kind === 'hardware-descriptor-read').length, 0);
  });
}
