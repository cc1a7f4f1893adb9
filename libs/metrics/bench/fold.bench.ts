import { performance } from 'node:perf_hooks';
import { EventMetrics, LabMetrics } from '@s2lab/metrics';
import { syntheticRows } from '@s2lab/testkit';

const MACHINES = 100;
const ROUNDS = 9;
const FRAMES = 200;

const events = new EventMetrics();
const rows = [1, 2, 3, 4].map((seed) => syntheticRows(seed));
const origins = Array.from({ length: MACHINES }, (_, machine) => ({
  run: 'bench',
  machine,
  policy: machine % 2 === 0 ? 'rcu' : 'rwlock',
  machineKind: 'kvm',
  workload: 'migration',
}));

/** Median of `ROUNDS` values after one to warm up. */
function median(value: () => number): number {
  value();
  return Array.from({ length: ROUNDS }, value).sort((a, b) => a - b)[ROUNDS >>> 1]!;
}

const rate = median(() => {
  const began = performance.now();
  let folded = 0;
  for (let i = 0; i < FRAMES; i += 1) {
    const frame = rows[i % rows.length]!;
    events.observe({ origin: origins[i % MACHINES]!, firstSeq: 0, rows: frame });
    folded += frame.length;
  }
  return (folded * 1000) / (performance.now() - began);
});
report('metrics fold', rate, 'events/s', 'higher', 20e6);

const { registry } = new LabMetrics(events, ['verifier', 'pipeline']);
let bytes = 0;
const times: number[] = [];
for (let round = 0; round <= ROUNDS; round += 1) {
  events.observe({ origin: origins[0]!, firstSeq: 0, rows: rows[0]! }); // a scrape of what changed
  const began = performance.now();
  bytes = (await registry.metrics()).length;
  if (round > 0) times.push(performance.now() - began);
}
report('scrape of 100 machines', times.sort((a, b) => a - b)[ROUNDS >>> 1]!, 'ms', 'lower', 50);
report('size of a scrape', bytes / 1000, 'kB', 'lower', 200);

function report(name: string, value: number, unit: string, better: 'higher' | 'lower', target: number): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, better, target }));
}
