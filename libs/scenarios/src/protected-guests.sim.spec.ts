import { test } from 'node:test';
import assert from 'node:assert/strict';
import { COMMAND } from '@s2lab/engine';
import { RESULT } from '@s2lab/events';
import { parseScenario, ScenarioError, workloadFor } from './index.ts';
import type { ScenarioInput } from './index.ts';

const INPUT = {
  name: 'protected',
  machines: [
    {
      kind: 'pkvm',
      policy: 'hyp-lock',
      vcpus: 2,
      memoryBytes: '64MiB',
      workload: {
        type: 'protected-guests',
        params: { lives: 2, guestBytes: '32KiB', protectedPercent: 100, hostTouches: 5, guestTouches: 5 },
      },
    },
  ],
} as const satisfies ScenarioInput;

/** What a core is told, when a page that a guest touches first is missing and everything else goes well. */
function commandsOf(seed: number): { readonly kinds: number[]; readonly donated: Set<number> } {
  const workload = workloadFor(parseScenario(INPUT, 'spec'), 0, seed);
  const kinds: number[] = [];
  const donated = new Set<number>();
  let last: number = RESULT.ok;
  for (let now = 0; now < 100_000; now += 1) {
    const command = { ...blank() };
    workload.next(0, now * 1000, last, command as never);
    if (command.kind === COMMAND.done) break;
    if (command.kind === COMMAND.delay) continue;
    last = RESULT.ok;
    kinds.push(command.kind);
    if (command.kind === COMMAND.hostDonateGuest) donated.add(command.pa);
    if (command.kind === COMMAND.access && command.vmid !== 0 && kinds.at(-2) !== COMMAND.hostDonateGuest && donated.size < 8)
      last = RESULT.efault;
  }
  return { kinds, donated };
}

function blank(): Record<string, number> & { kind: number; pa: number; vmid: number } {
  return { kind: COMMAND.done, pa: 0, vmid: 0 };
}

test('a guest is started, given its pages as it touches them, taken them from and ended, as often as was asked', () => {
  const { kinds, donated } = commandsOf(1);
  const count = (kind: number): number => kinds.filter((other) => other === kind).length;
  assert.equal(donated.size, 8);
  assert.deepEqual([COMMAND.guestInit, COMMAND.topUpMemcache, COMMAND.guestDestroy].map(count), [2, 2, 2]);
  assert.deepEqual([COMMAND.guestShareHost, COMMAND.guestUnshareHost, COMMAND.hostReclaim].map(count), [16, 16, 16]);
  assert.ok(kinds.indexOf(COMMAND.guestInit) < kinds.indexOf(COMMAND.hostDonateGuest));
  assert.ok(kinds.lastIndexOf(COMMAND.hostReclaim) < kinds.lastIndexOf(COMMAND.guestDestroy));
});

test('what a pkvm machine and a kvm machine cannot be is refused where it stands', () => {
  const refused = (change: object, says: RegExp) =>
    assert.throws(
      () => parseScenario({ ...INPUT, machines: [{ ...INPUT.machines[0], ...change }] }, 'file'),
      (error: unknown) => error instanceof ScenarioError && says.test(error.message),
    );
  refused({ kind: 'kvm' }, /machines\[0\]\.workload\.type: expected one for a kvm machine, found 'protected-guests'/);
  refused({ workload: { type: 'boot' } }, /workload\.type: expected 'protected-guests', found 'boot'/);
  refused({ memoryBytes: '8MiB' }, /memoryBytes: expected at least \d+ for 2 guests at a time/);
  refused({ kind: 'kvm', coalesce: 'eager', workload: { type: 'boot' } }, /coalesce: a kvm machine has no stage-2 of its host/);
  refused({ kind: 'kvm', hostPolicy: 'epoch', workload: { type: 'boot' } }, /hostPolicy: a kvm machine has no stage-2 of its host/);
});
