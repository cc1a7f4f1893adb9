import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FullReport } from '@s2lab/checker';
import { s2lab } from './spawned-cli.ts';

/** The matrix that docs/verdicts.md keeps in its small size. */
const SMALL_MATRIX = '--walkers 1 --no-hardware --max-states 20000 --threads 2';

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

test('on the full engine the counterexample is a log that verify, show and replay open', async () => {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-check-'));
  try {
    const small = ['--walkers', '1', '--no-hardware', '--log', 'race.arrow', '--json'];
    const found = await s2lab(['check', '--scenario', 'two-collapses', '--policy', 'refs-naive', ...small], folder);
    const report = JSON.parse(found.stdout) as FullReport & { readonly log: string };
    assert.deepEqual([found.status, report.verdict, report.log], [1, 'violated', 'race.arrow']);
    assert.deepEqual([report.counterexample!.invariant, report.shortest], ['I7', true]);
    const verified = await s2lab(['verify', 'race.arrow', '--json'], folder);
    const verdict = JSON.parse(verified.stdout) as { verdict: string; counts: object };
    assert.deepEqual([verified.status, verdict.verdict, Object.keys(verdict.counts)], [1, 'violated', ['I7']]);
    const shown = await s2lab(['show', 'race.arrow', '--at', '50', '--json'], folder);
    assert.equal((JSON.parse(shown.stdout) as { at: number }).at, 50);
    const replayed = await s2lab(['replay', 'race.arrow', '--json'], folder);
    assert.ok(replayed.stdout.trim().split('\n').length > report.counterexampleSteps!);
    const again = await s2lab(['check', '--scenario', 'two-collapses', '--policy', 'refs-naive', ...small], folder);
    assert.equal(again.status, 2);
    assert.match(again.stderr, /race\.arrow: exists already/);
    const holds = await s2lab(['check', '--scenario', 'two-collapses', '--policy', 'refs', ...small], folder);
    assert.deepEqual([holds.status, holds.stdout], [2, ''], 'before anything is searched, whatever would be found');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a search that met a limit is kept and gone on with; a file that is damaged, or of another search, is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-check-'));
  const refs = ['check', '--scenario', 'two-collapses', '--policy', 'refs', '--walkers', '1', '--no-hardware'];
  try {
    const first = await s2lab([...refs, '--max-states', '300', '--save', 'kept'], folder);
    assert.equal(first.status, 3);
    assert.match(first.stdout, /saved: kept \(go on with --resume kept\)/);
    const second = await s2lab([...refs, '--resume', 'kept', '--json'], folder);
    const whole = await s2lab([...refs, '--json'], folder);
    const states = (text: string) => (JSON.parse(text) as FullReport).storedStates;
    assert.deepEqual([second.status, states(second.stdout)], [0, states(whole.stdout)]);
    const other = await s2lab([...refs, '--slots', '4', '--resume', 'kept'], folder);
    assert.equal(other.status, 2);
    assert.match(other.stderr, /kept is a search of .*"slots":2.*, not of .*"slots":4/);
    const bytes = readFileSync(join(folder, 'kept'));
    bytes[bytes.length - 9] = bytes[bytes.length - 9]! ^ 1;
    writeFileSync(join(folder, 'kept'), bytes);
    const damaged = await s2lab([...refs, '--resume', 'kept'], folder);
    assert.deepEqual([damaged.status, damaged.stderr.includes('kept is damaged')], [2, true]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('one search in several threads answers what one thread answers, and goes on with what another number of threads has kept', async () => {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-check-'));
  const bounds = ['--walkers', '1', '--no-hardware', '--json', '--strategy', 'bfs'];
  const answered = async (...args: string[]) => {
    const { status, stdout, stderr } = await s2lab(['check', ...args, ...bounds], folder);
    const { judgedPaths, seconds, ...report } = JSON.parse(stdout) as FullReport & { readonly seconds: number };
    assert.ok(judgedPaths > 0 && seconds > 0);
    return { status, stderr, report };
  };
  try {
    const race = ['--scenario', 'two-collapses', '--policy', 'refs-naive', '--log', 'race.arrow', '--force'];
    const alone = await answered(...race);
    const log = readFileSync(join(folder, 'race.arrow'));
    const refs = ['--scenario', 'two-collapses', '--policy', 'refs'];
    const whole = await answered(...refs);
    for (const threads of ['2', '3']) {
      assert.deepEqual(await answered(...race, '--threads', threads), alone);
      assert.deepEqual(readFileSync(join(folder, 'race.arrow')), log);
      assert.deepEqual(await answered(...refs, '--threads', threads), whole);
    }
    const part = await answered(...refs, '--max-states', '300', '--save', 'kept', '--threads', '2');
    assert.equal(part.status, 3);
    for (const threads of ['1', '3']) assert.deepEqual(await answered(...refs, '--resume', 'kept', '--threads', threads), whole);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('threads for what cannot be shared are refused in a line that says why', async () => {
  const full = ['--scenario', 'two-collapses', '--policy', 'refs', '--threads', '2'];
  for (const [args, because] of [
    [['--scenario', 'S1', '--threads', '2'], /--threads is for the full engine: say --policy; a small model is searched in one thread/],
    [[...full, '--strategy', 'dfs'], /--threads goes without --strategy dfs, which always goes on from the one state found last: use bfs/],
    [[...full, '--strategy', 'pct'], /--threads goes without --strategy pct, which keeps no states to share/],
    [[...full, '--bit-state', '1MiB'], /--threads goes without --bit-state, which goes depth-first/],
    [['--scenario', 'two-collapses', '--policy', 'refs', '--threads', '65'], /65 threads: there may be 1 to 64/],
    [[...full, '--memory', 'pso', '--walkers', '4', '--collapsers', '4'], /10 actors are too many for pso/],
  ] as const) {
    const { status, stdout, stderr } = await s2lab(['check', ...args], tmpdir());
    assert.deepEqual([status, stdout, stderr.trim().split('\n').length], [2, '', 1]);
    assert.match(stderr, because);
  }
});

test('on the full engine a limit of states leaves schedules open, and the report says how many preemptions it has seen', async () => {
  const args = ['--scenario', 'two-collapses', '--policy', 'rcu', '--walkers', '1', '--no-hardware', '--max-states', '500'];
  const { status, stdout } = await s2lab(['check', ...args], tmpdir());
  assert.equal(status, 3);
  assert.match(
    stdout,
    /^rcu in two-collapses is safe within these bounds: .*, at most \d+ preemptions?; with more preemptions it is not decided/,
  );
  assert.doesNotMatch(stdout, /prove/);
});

test('the verdict matrix in its small size is the one in docs/verdicts.md', async () => {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-check-'));
  try {
    const { status } = await s2lab(['check', '--all', ...SMALL_MATRIX.split(' '), '--write', 'small.md', '--json'], folder);
    assert.equal(status, 0);
    const kept = readFileSync(join(import.meta.dirname, '../../../docs/verdicts.md'), 'utf8');
    assert.ok(kept.includes(`npx s2lab check --all ${SMALL_MATRIX}`));
    for (const line of readFileSync(join(folder, 'small.md'), 'utf8').trim().split('\n')) {
      assert.ok(squeezed(kept).includes(squeezed(line)), `docs/verdicts.md is without: ${line}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the verdict matrix leaves out the rules that --except names, and says so', async () => {
  const args = ['--all', '--scenario', 'collapse-fault', '--policy', 'refs-naive', '--walkers', '1', '--no-hardware'];
  const { stdout } = await s2lab(['check', ...args, '--except', 'I7'], tmpdir());
  assert.match(stdout, /; not judged: I7\.\n/);
  assert.match(stdout, /\| `refs-naive` \| \*\*I1\*\*, \d+ steps \|/);
});

/** A line as it is whatever the width of its columns. */
function squeezed(text: string): string {
  return text.replace(/ +/g, ' ').replace(/-{3,}/g, '---');
}

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
  const { report: symmetric } = await check('--scenario', 'S2', '--strategy', 'dpor', '--reduce', 'symmetry');
  assert.deepEqual([symmetric.verdict, symmetric.executions, symmetric.reductions], ['safe', 124, ['symmetry', 'partial-order']]);
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
    '256KiB',
  );
  assert.deepEqual([status, report.verdict], [3, 'unfinished']);
});
