// The migration scenario end to end on one core: engine alone, engine into a log file, verifier over that file. Rates are events per
// second of CPU time of the whole process, threads of the compressor included, so that other load on the machine does not count.
// Each of the three runs in a fresh process, as a user's would, and works for a while before it is measured: of compiled code.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDamage } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { UNREAD_COLUMNS, Verifier } from '@s2lab/invariants';
import { builtinScenarios } from '@s2lab/scenarios';
import { FileSink, FileSource } from '@s2lab/transport-file';

const EVENTS_MIN = 10_000_000;
/** Events before the measurement begins. */
const WARM_UP = 4_000_000;

function report(name: string, value: number, unit: string, target: number | undefined, better: 'higher' | 'lower', note = ''): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better, note }));
}

/** Runs `work`, which returns how many events it did, and gives that and the events per second of CPU time and of the clock. */
async function rated(work: () => Promise<number>): Promise<{ events: number; perSecond: number; byTheClock: number }> {
  const before = process.cpuUsage();
  const begun = performance.now();
  const events = await work();
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(before);
  return { events, perSecond: (events * 1e6) / (user + system), byTheClock: (events * 1e3) / ms };
}

const migration = builtinScenarios.get('migration')!;

/** Runs whole migrations, seed after seed, until there are `least` events, into sinks if there are any; returns how many events there were. */
async function produce(least: number, sinkOf: (seed: number) => Promise<FileSink | undefined>): Promise<number> {
  let events = 0;
  for (let seed = 1; events < least; seed += 1) {
    const { producer } = assembleFleet(migration, { seed, runId: `bench-${seed}` });
    const sink = await sinkOf(seed);
    for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
      events += frame.rows.length;
      await sink?.write(frame);
    }
    await sink?.close();
  }
  return events;
}

/** Verifies the logs one after the other; returns the events judged. */
async function verify(logs: readonly string[]): Promise<number> {
  let judged = 0;
  for (const path of logs) {
    const verifier = new Verifier();
    const source = await FileSource.open(path, { without: UNREAD_COLUMNS });
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

const parts: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  async engine() {
    await produce(WARM_UP, async () => undefined);
    const { perSecond } = await rated(() => produce(EVENTS_MIN, async () => undefined));
    report('engine, migration, to memory columns', perSecond, 'events/s', 5e6, 'higher');
  },
  async record(folder) {
    const warm = join(folder, 'warm-up');
    mkdirSync(warm);
    await produce(WARM_UP, (seed) => FileSink.create(join(warm, `${seed}.arrow`)));
    await rm(warm, { recursive: true });
    const sinks: FileSink[] = [];
    const { events, perSecond } = await rated(() =>
      produce(EVENTS_MIN, async (seed) => {
        const sink = await FileSink.create(join(folder, `${seed}.arrow`));
        sinks.push(sink);
        return sink;
      }),
    );
    report('engine, migration, to a compressed log file', perSecond, 'events/s', 3e6, 'higher');
    const bytes = sinks.reduce((sum, sink) => sum + sink.byteCount, 0);
    report('log file, migration', bytes / events, 'bytes/event', 8, 'lower');
  },
  async verify(folder) {
    const logs = (await readdir(folder)).toSorted().map((name) => join(folder, name));
    await verify(logs.slice(0, 3));
    const { perSecond, byTheClock } = await rated(() => verify(logs));
    report('verifier, migration, from a compressed log file', perSecond, 'events/s', 5e6, 'higher');
    // The same figure has two targets: that of the first version, and that of the verifier.
    report('verifier, migration, from a compressed log file, all invariants', perSecond, 'events/s', 8e6, 'higher');
    const load = `load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`;
    report('verifier, migration, from a compressed log file, by the clock', byTheClock, 'events/s', undefined, 'higher', load);
  },
};

const [part, folder] = process.argv.slice(2);
if (part !== undefined && folder !== undefined) {
  await parts[part]!(folder);
} else {
  const logs = await mkdtemp(join(tmpdir(), 's2lab-bench-'));
  for (const name of Object.keys(parts)) {
    const { status, stdout } = spawnSync(process.execPath, [import.meta.filename, name, logs], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (status !== 0) throw new Error(`${name} ended with ${status}`);
    process.stdout.write(stdout);
  }
  await rm(logs, { recursive: true });
}
