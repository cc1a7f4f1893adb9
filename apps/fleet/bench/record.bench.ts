import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { EventSink, Frame } from '@s2lab/events';
import { assembleFleet, loadScenario, MetricsSink, pump } from '@s2lab/fleet';
import { EventMetrics } from '@s2lab/metrics';
import { FileSink } from '@s2lab/transport-file';

/* The whole way from the scenario to a sink, on the migration workload: engine, scheduler, pump, and what the sink does. */
const UNTIL_NS = 400e6;

/** Counts the events of the second half of the run, when the code is warm. */
class Meter implements EventSink {
  events = 0;
  private began = 0;
  private warm = 0;

  async write(frame: Frame): Promise<void> {
    this.events += frame.rows.length;
    if (this.began === 0 && this.events > 1_000_000) {
      this.began = performance.now();
      this.warm = this.events;
    }
  }

  async close(): Promise<void> {}

  rate(): number {
    return ((this.events - this.warm) * 1000) / (performance.now() - this.began);
  }
}

async function measure(name: string, target: number | undefined, sink: EventSink | undefined): Promise<Meter> {
  const { scenario } = await loadScenario('demo');
  const one = { ...scenario, machines: [{ ...scenario.machines[0]!, count: 1 }] };
  const fleet = assembleFleet(one, { seed: 1 });
  const meter = new Meter();
  await pump(fleet.producer, sink === undefined ? [meter] : [sink, meter], { speed: 0, untilNs: UNTIL_NS });
  await sink?.close();
  report(name, meter.rate(), 'events/s', 'higher', target);
  return meter;
}

function report(name: string, value: number, unit: string, better: 'higher' | 'lower', target?: number): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, better, ...(target === undefined ? {} : { target }) }));
}

const folder = mkdtempSync(join(tmpdir(), 's2lab-bench-'));
try {
  await measure('engine to memory columns', 5e6, undefined);
  await measure('engine with metrics', undefined, new MetricsSink(new EventMetrics()));
  const file = await FileSink.create(join(folder, 'bench.arrow'));
  const { events } = await measure('engine to a compressed file', 3e6, file);
  report('migration log on disk', file.byteCount / events, 'bytes/event', 'lower', 8);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
