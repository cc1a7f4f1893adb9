import { performance } from 'node:perf_hooks';
import type { Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import { decodeFrame, encodeFrame } from '@s2lab/frame';
import { syntheticRows } from '@s2lab/testkit';

const ROUNDS = 9;
const FRAMES_PER_ROUND = 12;

const origin = { run: 'bench', machine: 3, policy: 'rcu', machineKind: 'kvm', workload: 'migration' };
const frames: Frame[] = [1, 2, 3, 4].map((seed) => ({ origin, firstSeq: seed * 32_768, rows: syntheticRows(seed) }));

/** Median over rounds of events per second that `work` handles. */
function eventsPerSecond(work: (i: number) => number): number {
  const rates: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const began = performance.now();
    let events = 0;
    for (let i = 0; i < FRAMES_PER_ROUND; i += 1) events += work(i % frames.length);
    if (round > 0) rates.push((events * 1000) / (performance.now() - began)); // The first round warms up.
  }
  return rates.sort((a, b) => a - b)[ROUNDS >>> 1]!;
}

function report(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

const encoded = frames.map((frame) => encodeFrame(frame));
const rows = frames.reduce((sum, frame) => sum + frame.rows.length, 0);
report(
  'frame encode',
  eventsPerSecond((i) => {
    encodeFrame(frames[i]!);
    return frames[i]!.rows.length;
  }),
  'events/s',
  8e6,
  'higher',
);
report(
  'frame decode',
  eventsPerSecond((i) => {
    const item = decodeFrame(encoded[i]!, 'bench');
    if (isDamage(item)) throw new Error(item.because);
    return item.rows.length;
  }),
  'events/s',
  12e6,
  'higher',
);
report('frame size', encoded.reduce((sum, bytes) => sum + bytes.byteLength, 0) / rows, 'bytes/event', 8, 'lower');
