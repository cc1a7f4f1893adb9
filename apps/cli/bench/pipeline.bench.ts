// The migration scenario end to end on one core: engine alone, engine into a log file, verifier over that file. Rates are events per
// second of CPU time of the whole process, threads of the compressor included, so that other load on the machine does not count.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDamage } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { Verifier } from '@s2lab/invariants';
import { builtinScenarios } from '@s2lab/scenarios';
import { FileSink, FileSource } from '@s2lab/transport-file';

const EVENTS_MIN = 10_000_000;
/** Events before the measurement begins, so that it is of compiled code. */
const WARM_UP = 4_000_000;

function report(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

/** CPU seconds that `work` took. */
async function cpuSeconds(work: () => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const migration = builtinScenarios.get('migration')!;
let events = 0;

/** Runs whole migrations, seed after seed, until enough events were made. */
async function produce(least: number, sinkOf: (seed: number) => Promise<FileSink | undefined>): Promise<void> {
  events = 0;
  for (let seed = 1; events < least; seed += 1) {
    const { producer } = assembleFleet(migration, { seed, runId: `bench-${seed}` });
    const sink = await sinkOf(seed);
    for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
      events += frame.rows.length;
      await sink?.write(frame);
    }
    await sink?.close();
  }
}

await produce(WARM_UP, async () => undefined);
const memory = await cpuSeconds(() => produce(EVENTS_MIN, async () => undefined));
report('engine, migration, to memory columns', events / memory, 'events/s', 5e6, 'higher');

const folder = await mkdtemp(join(tmpdir(), 's2lab-bench-'));
const paths: string[] = [];
let bytes = 0;
const sinks: FileSink[] = [];
const recording = await cpuSeconds(() =>
  produce(EVENTS_MIN, async (seed) => {
    const path = join(folder, `${seed}.arrow`);
    paths.push(path);
    const sink = await FileSink.create(path);
    sinks.push(sink);
    return sink;
  }),
);
bytes = sinks.reduce((sum, sink) => sum + sink.byteCount, 0);
report('engine, migration, to a compressed log file', events / recording, 'events/s', 3e6, 'higher');
report('log file, migration', bytes / events, 'bytes/event', 8, 'lower');

/** Verifies logs one after the other; returns the events judged. */
async function verify(logs: readonly string[]): Promise<number> {
  let judged = 0;
  for (const path of logs) {
    const verifier = new Verifier();
    const source = await FileSource.open(path);
    for await (const item of source.frames()) {
      if (isDamage(item)) throw new Error(item.because);
      verifier.fold(item);
    }
    await source.close();
    const verdict = verifier.finish();
    if (verdict.verdict !== 'holds') throw new Error(`the bench's own log does not hold: ${JSON.stringify(verdict.counts)}`);
    judged += verdict.events;
  }
  return judged;
}

await verify(paths.slice(0, 3));
let judged = 0;
const verifying = await cpuSeconds(async () => {
  judged = await verify(paths);
});
report('verifier, migration, from a compressed log file', judged / verifying, 'events/s', 5e6, 'higher');
await rm(folder, { recursive: true });
