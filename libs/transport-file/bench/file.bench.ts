import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import { FileSink, FileSource } from '@s2lab/transport-file';
import { syntheticRows } from '@s2lab/testkit';

const FRAMES = 120;
const MACHINES = 4;
const ROUNDS = 5;

function report(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >>> 1]!;

const rows = [1, 2, 3, 4].map((seed) => syntheticRows(seed));
const frames: Frame[] = Array.from({ length: FRAMES }, (_, i) => ({
  origin: { run: 'bench', machine: i % MACHINES, policy: 'rcu', machineKind: 'kvm', workload: 'migration' },
  firstSeq: Math.floor(i / MACHINES) * rows[0]!.length,
  rows: rows[i % rows.length]!,
}));
const events = frames.reduce((sum, frame) => sum + frame.rows.length, 0);

const folder = await mkdtemp(join(tmpdir(), 's2lab-bench-'));
const writeRates: number[] = [];
const readRates: number[] = [];
let bytes = 0;
for (let round = 0; round <= ROUNDS; round += 1) {
  const path = join(folder, `${round}.arrow`);
  let began = performance.now();
  const sink = await FileSink.create(path);
  for (const frame of frames) await sink.write(frame);
  bytes = sink.byteCount;
  await sink.close();
  if (round > 0) writeRates.push((events * 1000) / (performance.now() - began));
  began = performance.now();
  const source = await FileSource.open(path);
  let read = 0;
  for await (const item of source.frames()) {
    if (isDamage(item)) throw new Error(item.because);
    read += item.rows.length;
  }
  await source.close();
  if (read !== events) throw new Error(`${read} of ${events} events were read`);
  if (round > 0) readRates.push((events * 1000) / (performance.now() - began));
}
await rm(folder, { recursive: true });
report('file write', median(writeRates), 'events/s', 6e6, 'higher');
report('file read', median(readRates), 'events/s', 10e6, 'higher');
report('file size', bytes / events, 'bytes/event', 8, 'lower');
