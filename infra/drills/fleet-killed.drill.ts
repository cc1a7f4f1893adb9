import { metricOf, startApp, until } from '@s2lab/testkit';
import { broker, count, demand, run } from './drill.ts';
import { checkTopic, nothingLost } from './topic-check.ts';

const TOPIC = 'drill.fleet';

/* The fleet's process is killed and started again with the same settings: another run, on the same topic. */
await run(async (ending) => {
  const kafka = await broker(ending);
  const settings = { S2LAB_KAFKA_BROKERS: kafka.address, S2LAB_TOPIC: TOPIC };
  const fleetSettings = { ...settings, S2LAB_PARTITIONS: '4', S2LAB_SPEED: '0.003', S2LAB_SEED: '7' };
  const first = ending.after(await startApp('fleet', fleetSettings), async (app) => app.kill9());
  const verifier = ending.after(await startApp('verifier', settings), async (app) => app.kill9());
  const runOf = async (address: string): Promise<string> => ((await (await fetch(`${address}/api/state`)).json()) as { run: string }).run;
  await until('500,000 events are verified', async () => (await metricOf(verifier.address, 's2lab_verifier_events_total')) > 500_000);
  const killed = await runOf(first.address);
  const acknowledged = await metricOf(verifier.address, 's2lab_verifier_events_total'); // what somebody has read was acknowledged
  await first.kill9();

  const began = performance.now();
  const second = ending.after(await startApp('fleet', fleetSettings), async (app) => app.kill9());
  const resumed = await runOf(second.address);
  // Of the killed run nobody said that its machines stopped: they count as running beside the new ones.
  const seen = async (): Promise<boolean> => (await metricOf(verifier.address, 's2lab_machines_running')) >= 8;
  await until('the new run is verified', seen);
  const recoveredMs = performance.now() - began;
  demand(resumed !== killed, `the run id ${resumed} came again`);
  demand((await second.stop()) === 0, `the fleet did not end well: ${second.lines.at(-1)}`);

  const content = await checkTopic(kafka.address, TOPIC);
  demand([...content.runs.keys()].toSorted().join() === [killed, resumed].toSorted().join(), `runs ${[...content.runs.keys()].join(', ')}`);
  const kept = content.runs.get(killed)!;
  return {
    drill: 'fleet killed (`kill -9`), started again with the same seed',
    lost: nothingLost({ ...content, events: kept }, acknowledged).replace('in the topic', 'of the killed run in the topic'),
    recovery: 'process started → the new run is verified',
    recoveredMs,
    seen: `another run id (same seed): two runs in the topic, one writer a machine; the new one has ${count(content.runs.get(resumed)!)} events`,
  };
});
