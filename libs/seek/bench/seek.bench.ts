// Going to events of a log of 10⁷ events: opening, building checkpoints, seeks to places spread over the log, single steps in both
// directions, what checkpoints take, and what memory a long way back does. S2LAB_BENCH_EVENTS=100000000 makes it a log of 10⁸ events: some minutes, and 600 MB of disk.
// Times are CPU time of the whole process, threads of the compressor included, so that other load on the machine does not count.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assembleFleet } from '@s2lab/fleet';
import { isDamage } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { builtinScenarios } from '@s2lab/scenarios';
import { LogTimeline } from '@s2lab/seek';
import { LogCursor } from '@s2lab/survey';
import { FileSink, FileSource } from '@s2lab/transport-file';

const EVENTS = Number(process.env['S2LAB_BENCH_EVENTS'] ?? 10_000_000);
const SIZE = EVENTS === 10_000_000 ? '10⁷ events' : EVENTS === 100_000_000 ? '10⁸ events' : `${EVENTS} events`;
const SEEKS = 40;
const STEPS = 300;
const WAY_BACK = 10_000;
/** Steps of that way after which all that is kept is there. */
const SETTLED = 2000;

function report(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

/** CPU milliseconds that the process has used. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** MiB that are in use once garbage is collected: the memory of buffers is given back some time after. */
async function memoryInUse(): Promise<number> {
  let least = Infinity;
  for (let times = 0; times < 5; times += 1) {
    collectGarbage();
    await setTimeout(50);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least / 2 ** 20;
}

const folder = await mkdtemp(join(tmpdir(), 's2lab-bench-'));
try {
  const path = join(folder, 'demo.arrow');
  // The endless scenario: four machines, cut when the log is long enough.
  const { producer } = assembleFleet(builtinScenarios.get('demo')!, { seed: 1 });
  const sink = await FileSink.create(path);
  let events = 0;
  for (let frame = producer.nextFrame(Infinity); frame !== undefined && events < EVENTS; frame = producer.nextFrame(Infinity)) {
    await sink.write(frame);
    events += frame.rows.length;
  }
  await sink.close();

  let began = cpuMs();
  const verifier = new Verifier();
  const source = await FileSource.open(path);
  for await (const item of source.frames()) if (!isDamage(item)) verifier.fold(item);
  await source.close();
  const verifySeconds = (cpuMs() - began) / 1000;
  began = cpuMs();
  const first = await LogTimeline.open(path, console.error);
  const built = (await first.requireCheckpoints())!;
  const buildSeconds = (cpuMs() - began) / 1000;
  report('checkpoints, share of the log', (100 * built.bytes) / first.log.size, '%', 5, 'lower');
  report('checkpoints, events between two', events / built.checkpoints, 'events', 500_000, 'lower');
  report('verdict, checkpoints and overview in one pass', events / buildSeconds, 'events/s', 2e6, 'higher');
  report('that pass, against one for the verdict alone', buildSeconds / verifySeconds, 'times', 2, 'lower');
  await first.close();

  began = cpuMs();
  const timeline = await LogTimeline.open(path, console.error);
  await timeline.requireCheckpoints();
  report(`log of ${SIZE}, opening`, cpuMs() - began, 'ms', 50, 'lower');
  const times: number[] = [];
  for (let i = 0; i < SEEKS; i += 1) {
    const machine = timeline.machines[i % timeline.machines.length]!;
    const seq = Math.floor(((i * 0.618_034) % 1) * machine.events);
    began = cpuMs();
    await timeline.viewAt(machine, seq);
    times.push(cpuMs() - began);
  }
  times.sort((a, b) => a - b);
  report(`seek in a log of ${SIZE}, median`, times[SEEKS >> 1]!, 'ms', 200, 'lower');
  report(`seek in a log of ${SIZE}, slowest of 40`, times.at(-1)!, 'ms', 200, 'lower');
  for (const [name, by] of [
    ['forwards', 1],
    ['backwards', -1],
  ] as const) {
    const cursor = new LogCursor(timeline);
    const machine = timeline.machines[0]!;
    let seq = machine.events >> 1;
    await cursor.at(machine, seq);
    const steps: number[] = [];
    for (let i = 0; i < STEPS; i += 1) {
      began = cpuMs();
      await cursor.at(machine, (seq += by));
      steps.push(cpuMs() - began);
    }
    steps.sort((a, b) => a - b);
    report(`step ${name}, median`, steps[STEPS >> 1]!, 'ms', 16, 'lower');
    report(`step ${name}, slowest of ${STEPS}`, steps.at(-1)!, 'ms', 16, 'lower');
  }
  const back = new LogCursor(timeline);
  const machine = timeline.machines[0]!;
  const last = machine.events - 1;
  for (let by = 0; by < SETTLED; by += 1) await back.at(machine, last - by);
  const settled = await memoryInUse();
  for (let by = SETTLED; by < WAY_BACK; by += 1) await back.at(machine, last - by);
  report(`memory in use, grown between steps ${SETTLED} and ${WAY_BACK} backwards`, (await memoryInUse()) - settled, 'MiB', 8, 'lower');
  report('memory of the process, most', process.resourceUsage().maxRSS / 1024, 'MiB', 1024, 'lower');
  await timeline.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
