import { metricOf, startApp, until } from '@s2lab/testkit';
import { broker, count, demand, run } from './drill.ts';
import { checkTopic } from './topic-check.ts';

const TOPIC = 'drill.verifier';

/* The verifier's process is killed under a fleet and started again, as Docker does. */
await run(async (ending) => {
  const kafka = await broker(ending);
  const settings = { S2LAB_KAFKA_BROKERS: kafka.address, S2LAB_TOPIC: TOPIC };
  const fleet = ending.after(await startApp('fleet', { ...settings, S2LAB_PARTITIONS: '4', S2LAB_SPEED: '0.003' }), async (app) =>
    app.kill9(),
  );
  const first = ending.after(await startApp('verifier', settings), async (app) => app.kill9());
  await until('a million events are verified', async () => (await metricOf(first.address, 's2lab_verifier_events_total')) > 1_000_000);
  const before = await metricOf(first.address, 's2lab_verifier_events_total');
  await first.kill9();

  const began = performance.now();
  const second = ending.after(await startApp('verifier', settings), async (app) => app.kill9());
  const progress = async (): Promise<number> => metricOf(second.address, 's2lab_verifier_events_total');
  await until('it verifies', async () => (await progress()) > 0);
  const verifiesMs = performance.now() - began;
  const written = await metricOf(fleet.address, 's2lab_pipeline_events_total');
  const lag = async (): Promise<number> => metricOf(second.address, 's2lab_verifier_lag_frames');
  await until('it has caught up', async () => (await progress()) > 0 && (await lag()) <= 8);
  const recoveredMs = performance.now() - began;

  demand((await fleet.stop()) === 0, `the fleet did not end well: ${fleet.lines.at(-1)}`);
  const content = await checkTopic(kafka.address, TOPIC);
  let judged = -1;
  await until('all of the topic is judged', async () => {
    const before = judged;
    judged = await progress();
    await new Promise((resolve) => {
      setTimeout(resolve, 2_500); // longer than between two looks at the lag
    });
    return judged === before && (await lag()) === 0;
  });
  const { verdict } = (await (await fetch(`${second.address}/api/verdict`)).json()) as { verdict: string };
  demand(verdict === 'holds', `the verdict is ${verdict}`);
  demand((await metricOf(second.address, 's2lab_verifier_gaps_total')) === 0, 'the verifier met a gap');
  demand((await metricOf(second.address, 's2lab_verifier_unjudged_machines_total')) === 0, 'machines were not judged');
  return {
    drill: 'verifier killed (`kill -9`), started again',
    lost: `nothing: all of the topic’s ${count(content.events)} events are judged, no gap, no machine left out, verdict holds`,
    recovery: 'process started → lag of at most 8 frames',
    recoveredMs,
    seen: `first event after ${(verifiesMs / 1000).toFixed(1)} s; ${count(before)} events had been verified, ${count(written)} were written by then; it read ${count(judged)} itself`,
  };
});
