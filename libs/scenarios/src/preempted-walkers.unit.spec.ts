import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command, COMMAND } from '@s2lab/engine';
import { PreemptedWalkers } from './preempted-walkers.ts';

test('a preemption comes between two commands of a workload, which sees the result of its own last command', () => {
  const seen: number[] = [];
  const inner = {
    next(_actor: number, _nowNs: number, lastResult: number, command: Command): void {
      seen.push(lastResult);
      command.kind = COMMAND.access;
    },
  };
  const workload = new PreemptedWalkers(inner, { kind: 'preempted-walkers', durationNs: 5, oneIn: 1 }, 1, 1);
  const kinds = [-11, 0, -14, 0].map((lastResult) => {
    const command = new Command();
    workload.next(0, 0, lastResult, command);
    return command.kind;
  });
  assert.deepEqual(kinds, [COMMAND.preempt, COMMAND.access, COMMAND.preempt, COMMAND.access]);
  assert.deepEqual(seen, [-11, -14]);
});
