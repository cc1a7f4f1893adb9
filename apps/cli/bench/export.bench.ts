// Exports of the migration scenario, from a compressed log to a file. Rates are events per second of CPU time of the whole process, reading and
// decompression included, so that other load on the machine does not count.
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import { FileSink, FileSource } from '@s2lab/transport-file';
import { ParquetWriter } from '../src/export/parquet-file.ts';
import { PerfettoTrace } from '../src/export/perfetto-trace.ts';
import { writeMigrations } from './migrations.ts';

const ROUNDS = 3;

const folder = await mkdtemp(join(tmpdir(), 's2lab-bench-'));
const log = join(folder, 'log.arrow');
const sink = await FileSink.create(log);
const events = await writeMigrations(0, 1, (frame) => sink.write(frame));
await sink.close();

async function eachFrame(work: (frame: Frame) => Promise<void>): Promise<void> {
  const source = await FileSource.open(log);
  for await (const frame of source.frames()) {
    if (isDamage(frame)) throw new Error(frame.because);
    await work(frame);
  }
  await source.close();
}

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
    await eachFrame((frame) => file.writeFile(trace.write(frame)));
    await file.writeFile(trace.end());
    await file.close();
  });
  await measure('Parquet', 2e6, async (path) => {
    const writer = await ParquetWriter.create(path, false);
    await eachFrame((frame) => writer.write(frame));
    await writer.close();
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
