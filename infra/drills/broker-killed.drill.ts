import { metricOf, startApp, until } from '@s2lab/testkit';
import { broker, count, demand, run } from './drill.ts';
import { checkTopic, nothingLost } from './topic-check.ts';

const TOPIC = 'drill.broker';
const DOWN_MS = 4_000;

/* The broker's process is killed under a fleet and a verifier, and started again on its data. */
await run(async (ending) => {
  const kafka = await broker(ending);
  const settings = { S2LAB_KAFKA_BROKERS: kafka.address, S2LAB_TOPIC: TOPIC };
  const fleet = ending.after(await startApp('fleet', { ...settings, S2LAB_PARTITIONS: '4', S2LAB_SPEED: '0.003' }), async (app) =>
    app.kill9(),
  );
  const verifier = ending.after(await startApp('verifier', settings), async (app) => app.kill9());
  const verified = async (): Promise<number> => metricOf(verifier.address, 's2lab_verifier_events_total');
  await until('100,000 events are verified', async () => (await verified()) > 100_000);

  await kafka.kill9();
  await until('the fleet says that it waits', async () => (await fetch(`${fleet.address}/healthz`)).status === 503);
  await new Promise((resolve) => {
    setTimeout(resolve, DOWN_MS);
  });
  const stood = await verified();
  await kafka.restart();
  const acknowledgedMs = await until('the fleet writes again', async () => (await fetch(`${fleet.address}/healthz`)).status === 200);
  const recoveredMs = acknowledgedMs + (await until('the verifier reads again', async () => (await verified()) > stood));

  const acknowledged = await metricOf(fleet.address, 's2lab_pipeline_events_total');
  demand((await fleet.stop()) === 0, `the fleet did not end well: ${fleet.lines.at(-1)}`);
  const content = await checkTopic(kafka.address, TOPIC);
  await until('the verifier has read everything', async () => (await verified()) >= content.events);
  demand((await metricOf(verifier.address, 's2lab_verifier_gaps_total')) === 0, 'the verifier met a gap');
  return {
    drill: 'broker killed (`kill -9`), back after 4 s',
    lost: nothingLost(content, acknowledged),
    recovery: 'broker says that it has started → verified again',
    recoveredMs,
    seen: `fleet writes again after ${(acknowledgedMs / 1000).toFixed(1)} s; simulated time stood still meanwhile; ${count(content.duplicates)} events arrived twice and were dropped`,
  };
});
