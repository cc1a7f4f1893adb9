import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POLICIES, policyByName } from '@s2lab/policies';
import { afterLogging } from './after-logging.ts';
import { collapseStorm } from './collapse-storm.ts';
import { hostCoalescing } from './host-coalescing.ts';
import { faultNs } from './policy-faults.ts';

test('references cost more where vCPUs share tables, hazard pointers do not', () => {
  const over = (name: string, vcpus: number): number =>
    faultNs(policyByName(name), vcpus, 1, 40) - faultNs(policyByName('rwlock'), vcpus, 1, 40);
  assert.ok(over('refs', 1) > 0);
  assert.ok(over('refs', 8) > 2 * over('refs', 1), `${over('refs', 8)} and ${over('refs', 1)}`);
  assert.ok(over('hazard', 8) < 1.5 * over('hazard', 1), `${over('hazard', 8)} and ${over('hazard', 1)}`);
});

test('a design that defers leaves sub-trees pending and nobody waiting; one that tears down at once the other way round', () => {
  const [vcpus, blocks] = [6, 16];
  const storms = new Map(POLICIES.map(({ name }) => [name, collapseStorm(policyByName(name), vcpus, blocks)]));
  for (const [name, storm] of storms) {
    const defers = policyByName(name).defersFrees;
    assert.equal(storm.pendingPeak > 0, defers, `${name}: ${storm.pendingPeak} pending`);
    assert.equal(storm.pendingNs > 0, defers, `${name}: ${storm.pendingNs} ns pending`);
    // 512 descriptors are torn down within a fault, or not.
    assert.equal(storm.longestNs > 150_000, !defers, `${name}: ${storm.longestNs} ns`);
  }
});

test('faults bring back only blocks that still fault; a host that goes through the memslot brings back all and makes guests wait', () => {
  const lazy = afterLogging('rcu', 'lazy', 4, 4);
  assert.ok(lazy.residual >= 0.5 && lazy.residual < 0.8, `${lazy.residual}`);
  for (const mode of ['unmap-memslot', 'zap-parent', 'in-place'] as const) {
    const host = afterLogging('rwlock', mode, 4, 4);
    assert.equal(host.residual, 0, mode);
    assert.ok(host.longestNs > 10 * lazy.longestNs, `${mode}: ${host.longestNs} and ${lazy.longestNs}`);
  }
});

test('a pKVM host that coalesces has its blocks back: lazily for one abort each, at once for a teardown unless that is deferred', () => {
  const shape = { blocks: 2, pages: 1 };
  const none = hostCoalescing('none', 'hyp-lock', shape);
  const lazy = hostCoalescing('lazy', 'hyp-lock', shape);
  const eager = hostCoalescing('eager', 'hyp-lock', shape);
  const epoch = hostCoalescing('eager', 'epoch', shape);
  assert.deepEqual(
    [none, lazy, eager, epoch].map(({ residual }) => residual),
    [1, 0, 0, 0],
  );
  assert.deepEqual([lazy.abortsBeside, lazy.abortsAfter, eager.abortsAfter], [0, 1, 0]);
  assert.ok(none.abortsBeside > 10 && none.abortsAfter > 0);
  // 512 descriptors of each of four cores are torn down behind one lock; or dropped, or left to others.
  assert.ok(eager.longestTakeBackNs > 10 * lazy.longestTakeBackNs, `${eager.longestTakeBackNs} and ${lazy.longestTakeBackNs}`);
  assert.ok(epoch.longestTakeBackNs < 2 * none.longestTakeBackNs, `${epoch.longestTakeBackNs} and ${none.longestTakeBackNs}`);
  assert.ok(lazy.pendingPeak === 0 && epoch.pendingPeak > 0);
});
