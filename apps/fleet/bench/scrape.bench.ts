// What it costs a fleet at full speed to be scraped, and whether the time series stay as many when the machines become more.
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { EventMetrics, LabMetrics, serveHttp } from '@s2lab/metrics';
import type { Scenario } from '@s2lab/scenarios';
import { builtinScenarios } from '@s2lab/scenarios';
import { MetricsSink, RunKeeper, labApi } from '@s2lab/fleet';

const MACHINES = 100;
const SCRAPES = 4;
const PROMETHEUS = new URL('../../../infra/prometheus/prometheus.yml', import.meta.url);
const [, seconds] = /scrape_interval: (\d+)s/.exec(readFileSync(PROMETHEUS, 'utf8'))!;
const PERIOD_MS = 1000 * Number(seconds);

/** The demonstration with so many machines, half of them under each policy. */
function fleetOf(machines: number): Scenario {
  const demo = builtinScenarios.get('demo')!;
  return { ...demo, machines: demo.machines.map((spec) => ({ ...spec, count: machines / 2, staggerNs: 200_000 })) };
}

/** A fleet at full speed with its HTTP server. */
async function started(machines: number): Promise<{ readonly address: string; events(): number; stop(): Promise<void> }> {
  const events = new EventMetrics();
  const metrics = new LabMetrics(events, ['pipeline']);
  const loaded = { scenario: fleetOf(machines), recordings: new Map() };
  const runs = new RunKeeper({ loaded, policy: null, seed: 1, speed: 0, repeat: false, nameRun: (derived) => derived });
  const output = () => ({ to: 'nowhere', where: '', waitingFor: null }) as const;
  const http = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    registry: metrics.registry,
    unhealthy: () => undefined,
    api: labApi({ runs, events, output }),
  });
  const stop = new AbortController();
  const kept = runs.keep({ begin: async () => [new MetricsSink(events)], ended: async () => {} }, stop.signal);
  return {
    address: `http://127.0.0.1:${http.port}`,
    events: () => events.samples('s2lab_events_total').reduce((sum, { value }) => sum + value, 0),
    stop: async () => {
      stop.abort();
      await kept;
      await http.close();
    },
  };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** The lab’s series of one scrape, histograms’ parts each for itself. Those of Node follow from which collections of garbage there were. */
function seriesOf(text: string): number {
  return text.split('\n').filter((line) => line.startsWith('s2lab_')).length;
}

function report(name: string, value: number, unit: string, target?: number): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, better: 'lower', target }));
}

/** Processor time of a scrape over HTTP: with the scraper in the same process, so rather too much than too little. */
async function scrapeMs(address: string): Promise<{ readonly ms: number; readonly text: string }> {
  const began = process.cpuUsage();
  const text = await (await fetch(`${address}/metrics`)).text();
  const { user, system } = process.cpuUsage(began);
  return { ms: (user + system) / 1000, text };
}

const fleet = await started(MACHINES);
while (fleet.events() < 2_000_000) await pause(100);
// A paused fleet makes no events that would be counted as the scrape’s time; what it made before is summed up by the scrape.
const control = async (change: object): Promise<void> => {
  const request = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify(change) };
  const response = await fetch(`${fleet.address}/api/control`, request);
  if (!response.ok) throw new Error(await response.text());
};
let spentMs = 0;
let largest = '';
await scrapeMs(fleet.address);
for (let i = 0; i < SCRAPES; i += 1) {
  await pause(PERIOD_MS / 2);
  await control({ paused: true });
  const { ms, text } = await scrapeMs(fleet.address);
  spentMs += ms;
  if (text.length > largest.length) largest = text;
  await control({ paused: false });
}
report(
  `scraping ${MACHINES} running machines every ${PERIOD_MS / 1000} s`,
  (100 * spentMs) / (SCRAPES * PERIOD_MS),
  '% of the fleet’s time',
  1,
);
report(`scrape of ${MACHINES} running machines, over HTTP`, spentMs / SCRAPES, 'CPU ms', 50);
report(`size of a scrape of ${MACHINES} running machines`, largest.length / 1000, 'kB', 200);
const began = performance.now();
for (let i = 0; i < 20; i += 1) await (await fetch(`${fleet.address}/api/machines?by=pendingFrees&limit=10`)).arrayBuffer();
const topMs = (performance.now() - began) / 20;
await fleet.stop();
report('the ten machines with the most pending frees, of 100 at full speed', topMs, 'ms');

const small = await started(4);
while (small.events() < 2_000_000) await pause(100);
const { text } = await scrapeMs(small.address);
await small.stop();
// What depends on what machines happened to do (operations and results that occurred) may differ by a few.
report('time series more at 100 machines than at 4', Math.max(0, seriesOf(largest) - seriesOf(text)), 'series', 10);
