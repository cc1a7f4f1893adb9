// Exports of the migration scenario, from decoded frames to a file. Rates are events per second of CPU time of the whole process, so that
// other load on the machine does not count.
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame } from '@s2lab/events';
import { copyRows } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { createParquet } from '../src/export/parquet-file.ts';
import { PerfettoTrace } from '../src/export/perfetto-trace.ts';

const ROUNDS = 3;

const frames: Frame[] = [];
const { producer } = assembleFleet(builtinScenarios.get('migration')!, { seed: 1 });
for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity))
  frames.push({ ...frame, rows: copyRows(frame.rows) });
const events = frames.reduce((sum, frame) => sum + frame.rows.length, 0);
const folder = await mkdtemp(join(tmpdir(), 's2lab-bench-'));

/** Best of some rounds: events per second of CPU time. */
async function measure(name: string, target: number, work: (path: string) => Promise<void>): Promise<void> {
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    await work(join(folder, `${name}-${round}`));
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, events / ((user + system) / 1e6));
  }
  console.log(
    JSON.stringify({
      name: `export to ${name}, migration`,
      value: Number(best.toPrecision(4)),
      unit: 'events/s',
      target,
      better: 'higher',
    }),
  );
}

try {
  await measure('Perfetto', 1e6, async (path) => {
    const file = await open(path, 'w');
    const trace = new PerfettoTrace();
    for (const frame of frames) await file.writeFile(trace.write(frame));
    await file.writeFile(trace.end());
    await file.close();
  });
  await measure('Parquet', 2e6, async (path) => {
    const writer = await createParquet(path, false);
    for (const frame of frames) await writer.write(frame);
    await writer.close();
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
