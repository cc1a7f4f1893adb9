import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metricOf, until } from '@s2lab/testkit';
import { count, demand, run } from './drill.ts';
import { s2lab, startLab } from './embedded.ts';

const SIZE = '3m';

/** A file system of 3 MB for one process and its children, without anybody's leave: a user namespace of its own. */
const ON_SMALL_DISK = `mount -t tmpfs -o size=${SIZE} none "$1" && shift && exec "$@"`;

/* The disk under the log of a lab is full; later there is room again, and another run is recorded. */
await run(async (ending) => {
  const folder = ending.after(mkdtempSync(join(tmpdir(), 's2lab-drill-')), async (path) => rmSync(path, { recursive: true }));
  const small = join(folder, 'disk');
  spawnSync('mkdir', [small]);
  const lab = await startLab(ending, ['--speed', '0.02', '-o', join(small, 'run.arrow')], (command, args) => [
    'unshare',
    ['-rm', 'sh', '-c', ON_SMALL_DISK, 'sh', small, command, ...args],
  ]);
  const inside = (name: string): string => `/proc/${lab.child.pid}/root${join(small, name)}`;
  const verified = async (): Promise<number> => metricOf(lab.address, 's2lab_verifier_events_total');
  const written = async (): Promise<number> => metricOf(lab.address, 's2lab_pipeline_events_total');
  const verify = (name: string): number => {
    const copy = join(folder, name);
    copyFileSync(inside(name), copy);
    const [command, args] = s2lab('verify', copy, '--json');
    const { stdout } = spawnSync(command, args, { encoding: 'utf8' });
    const verdict = JSON.parse(stdout) as { verdict: string; events: number; gaps: unknown[] };
    demand(verdict.verdict === 'holds' && verdict.gaps.length === 0, `${name}: ${stdout.slice(0, 500)}`);
    return verdict.events;
  };

  await until('the lab says that the disk is full', () => lab.said.some((line) => line.includes('recording stopped')));
  const stood = await verified();
  const recoveredMs = await until('it goes on without a log', async () => (await verified()) > stood);
  const recorded = verify('run.arrow');

  const begin = async (seed: number): Promise<void> => {
    const request = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ seed }) };
    demand((await fetch(`${lab.address}/api/control`, request)).ok, 'the control was refused');
  };
  unlinkSync(inside('run.arrow')); // somebody makes room
  const before = await written();
  await begin(2);
  await until('the next run is recorded', async () => (await written()) > before + 50_000);
  await begin(3);
  const second = verify('run-2.arrow');
  demand((await lab.stop()).status === 0, 'the lab did not end well');
  return {
    drill: 'disk full under the log of `npm start` (a file system of 3 MB)',
    lost: `nothing: all ${count(recorded)} events up to the full disk are in the log, which verifies`,
    recovery: 'disk full → the lab goes on, and says so',
    recoveredMs,
    seen: `with room again, the next run is recorded: ${count(second)} events verify`,
  };
});
