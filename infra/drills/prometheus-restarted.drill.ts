import { startPrometheus, until } from '@s2lab/testkit';
import { count, demand, need, run } from './drill.ts';
import { startLab } from './embedded.ts';

const DOWN_MS = 3_000;
const QUERY = 'sum(s2lab_events_total)';

/* Prometheus is killed and started again on its data, under a lab that goes on. */
await run(async (ending) => {
  const lab = await startLab(ending, ['--no-log', '--speed', '0.003']);
  const prometheus = ending.after(await startPrometheus({ program: need('prometheus'), jobs: { fleet: lab.address } }), async (server) =>
    server.stop(),
  );
  const ask = async (path: string): Promise<{ value?: [number, string]; values?: [number, string][] }[]> => {
    const response = await fetch(`${prometheus.address}/api/v1/${path}`).catch(() => undefined);
    if (response?.ok !== true) return [];
    return ((await response.json()) as { data: { result: [] } }).data.result;
  };
  const now = async (): Promise<number> => Number((await ask(`query?query=${encodeURIComponent(QUERY)}`))[0]?.value?.[1] ?? 0);
  await until('samples are there', async () => (await now()) > 100_000);
  await new Promise((resolve) => {
    setTimeout(resolve, 3_000);
  });
  const samples = async (from: number, to: number): Promise<[number, string][]> => {
    const range = `query_range?query=${encodeURIComponent(QUERY)}&start=${from}&end=${to}&step=1`;
    return (await ask(range))[0]?.values ?? [];
  };
  const killedAt = Date.now() / 1000;
  const before = await samples(killedAt - 5, killedAt - 1);
  const last = await now();
  await prometheus.kill9();
  await new Promise((resolve) => {
    setTimeout(resolve, DOWN_MS);
  });
  const began = performance.now();
  await prometheus.restart();
  await until('it scrapes again', async () => (await now()) > last);
  const recoveredMs = performance.now() - began;
  const kept = await samples(killedAt - 5, killedAt - 1);
  demand(before.length > 0 && JSON.stringify(kept) === JSON.stringify(before), 'samples from before are others or gone');
  const { status, ended } = await lab.stop();
  demand(status === 0, 'the lab did not end well');
  return {
    drill: 'Prometheus killed (`kill -9`), back after 3 s',
    lost: `nothing but the scrapes of those 3 s: all samples from before are there, counters go on where they are`,
    recovery: 'process started → a newer sample',
    recoveredMs,
    seen: `the lab took no notice: ${count(Number(ended['events']))} events`,
  };
});
