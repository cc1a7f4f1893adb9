import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command, COMMAND } from '@s2lab/engine';
import { InjectedFaults } from './injected-faults.ts';
import type { FaultSpec } from './scenario-schema.ts';

const nothing = { next: (_actor: number, _nowNs: number, _lastResult: number, command: Command) => void (command.kind = COMMAND.access) };

test('each kind of fault becomes its command, before every oneIn-th command of the actors that can meet it', () => {
  const kinds = (fault: FaultSpec, actor: number) =>
    Array.from(
      { length: 4 },
      ((workload) => () => {
        const command = new Command();
        workload.next(actor, 0, 0, command);
        return [command.kind, command.durationNs + command.cachePages];
      })(new InjectedFaults(nothing, fault, 2, 1)),
    );
  const plain = [COMMAND.access, 0];
  const before = (kind: number, value: number) => [[kind, value], plain, [kind, value], plain];
  const vmm = 2;
  assert.deepEqual(kinds({ kind: 'slow-tlbi', durationNs: 7, oneIn: 1 }, vmm), before(COMMAND.slowTlbi, 7));
  assert.deepEqual(kinds({ kind: 'empty-cache', pages: 3, oneIn: 1 }, vmm), before(COMMAND.emptyCache, 3));
  assert.deepEqual(kinds({ kind: 'stalled-grace-periods', durationNs: 9, oneIn: 1 }, 0), before(COMMAND.stallReclaim, 9));
  assert.deepEqual(kinds({ kind: 'stalled-grace-periods', durationNs: 9, oneIn: 1 }, vmm), [plain, plain, plain, plain]);
  assert.deepEqual(kinds({ kind: 'slow-tlbi', durationNs: 7, oneIn: 1, vcpus: 1 }, 1), [plain, plain, plain, plain]);
});

test('a preemption comes between two commands of a workload, which sees the result of its own last command', () => {
  const seen: number[] = [];
  const inner = {
    next(_actor: number, _nowNs: number, lastResult: number, command: Command): void {
      seen.push(lastResult);
      command.kind = COMMAND.access;
    },
  };
  const workload = new InjectedFaults(inner, { kind: 'preempted-walkers', durationNs: 5, level: 0, oneIn: 1 }, 1, 1);
  const kinds = [-11, 0, -14, 0].map((lastResult) => {
    const command = new Command();
    workload.next(0, 0, lastResult, command);
    return command.kind;
  });
  assert.deepEqual(kinds, [COMMAND.preempt, COMMAND.access, COMMAND.preempt, COMMAND.access]);
  assert.deepEqual(seen, [-11, -14]);
});
