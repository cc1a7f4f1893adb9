import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { s2lab } from './spawned-cli.ts';

interface Report {
  readonly verdict: string;
  readonly bounds: object;
  readonly reductions: readonly string[];
  readonly storedStates: number;
  readonly executions: number | null;
  readonly counterexampleSteps: number | null;
  readonly counterexample: { readonly kind: string; readonly because: string; readonly steps: readonly { readonly does: string }[] } | null;
  readonly log: null;
}

async function check(...args: string[]): Promise<{ status: number | null; report: Report }> {
  const { status, stdout, stderr } = await s2lab(['check', ...args, '--json'], tmpdir());
  assert.equal(stderr, '');
  return { status, report: JSON.parse(stdout) as Report };
}

test('naive references fail in nine steps, told in words, with status 1', async () => {
  const { status, report } = await check('--scenario', 'S1');
  assert.equal(status, 1);
  assert.equal(report.verdict, 'violated');
  assert.equal(report.counterexampleSteps, 9);
  assert.match(report.counterexample!.steps.at(-1)!.does, /uses the page/);
  assert.equal(report.log, null);
});

test('a mapper that reuses pages makes S2N fail in fifteen steps', async () => {
  const { report } = await check('--scenario', 's2n');
  assert.deepEqual([report.verdict, report.counterexampleSteps], ['violated', 15]);
});

test('a plain search leaves nothing out and is safe within its bounds only', async () => {
  const { status, report } = await check('--scenario', 'S2', '--walkers', '3', '--plain');
  assert.equal(status, 0);
  assert.deepEqual(report.bounds, { walkers: 3, collapsers: 1, entries: 1, mappers: 0 });
  assert.deepEqual([report.verdict, report.reductions, report.storedStates, report.executions], ['safe', [], 1885, null]);
  const { stdout } = await s2lab(['check', '--scenario', 'S2', '--walkers', '3', '--plain'], tmpdir());
  assert.match(stdout, /^S2 is safe within these bounds: 3 walkers, 1 collapser, 0 mappers, 1 entry\n/);
  assert.doesNotMatch(stdout, /prove/);
});

test('the deadlock of two collapsers is shown with who waits for what', async () => {
  for (const scenario of ['S5R', 'S5T']) {
    const { status, stdout } = await s2lab(['check', '--scenario', scenario, '--collapsers', '2'], tmpdir());
    assert.equal(status, 1);
    assert.match(stdout, /deadlock: nobody can step: collapser \d at "C1 locks a child entry" waits for ever/);
  }
});

test('one execution of each class is run, and counted', async () => {
  const { report } = await check('--scenario', 'S2', '--strategy', 'dpor');
  assert.deepEqual([report.verdict, report.executions, report.storedStates], ['safe', 245, 0]);
});

test('a search that may not take more memory ends without a verdict, status 3', async () => {
  const { status, report } = await check(
    '--scenario',
    'S2',
    '--walkers',
    '4',
    '--collapsers',
    '2',
    '--entries',
    '2',
    '--max-memory',
    '1MiB',
  );
  assert.deepEqual([status, report.verdict], [3, 'unfinished']);
});
