// Going to events of a log of 10⁷ events: opening, building checkpoints, seeks to places spread over the log, and what checkpoints take.
// Times are CPU time of the whole process, threads of the compressor included, so that other load on the machine does not count.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { LogTimeline } from '@s2lab/seek';
import { FileSink } from '@s2lab/transport-file';

const EVENTS = 10_000_000;
const SEEKS = 40;

function report(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better }));
}

/** CPU milliseconds that the process has used. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
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
  const first = await LogTimeline.open(path, console.error);
  const built = (await first.requireCheckpoints())!;
  const buildSeconds = (cpuMs() - began) / 1000;
  report('checkpoints, share of the log', (100 * built.bytes) / first.log.size, '%', 5, 'lower');
  report('checkpoints, events between two', events / built.checkpoints, 'events', 500_000, 'lower');
  report('checkpoints, building', events / buildSeconds, 'events/s', 2e6, 'higher');
  await first.close();

  began = cpuMs();
  const timeline = await LogTimeline.open(path, console.error);
  await timeline.requireCheckpoints();
  report('log of 10⁷ events, opening', cpuMs() - began, 'ms', 50, 'lower');
  const times: number[] = [];
  for (let i = 0; i < SEEKS; i += 1) {
    const machine = timeline.machines[i % timeline.machines.length]!;
    const seq = Math.floor(((i * 0.618_034) % 1) * machine.events);
    began = cpuMs();
    await timeline.viewAt(machine, seq);
    times.push(cpuMs() - began);
  }
  times.sort((a, b) => a - b);
  report('seek in a log of 10⁷ events, median', times[SEEKS >> 1]!, 'ms', 200, 'lower');
  report('seek in a log of 10⁷ events, slowest of 40', times.at(-1)!, 'ms', 200, 'lower');
  await timeline.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
