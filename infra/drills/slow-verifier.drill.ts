import { metricOf, startApp, until } from '@s2lab/testkit';
import { broker, count, demand, run } from './drill.ts';
import { checkTopic } from './topic-check.ts';

const TOPIC = 'drill.slow';
const STANDS_MS = 12_000;

/* A consumer that does not read: the verifier's process is stopped for longer than the group waits for it, and goes on. */
await run(async (ending) => {
  const kafka = await broker(ending);
  const settings = { S2LAB_KAFKA_BROKERS: kafka.address, S2LAB_TOPIC: TOPIC };
  const fleet = ending.after(await startApp('fleet', { ...settings, S2LAB_PARTITIONS: '4', S2LAB_SPEED: '0.003' }), async (app) =>
    app.kill9(),
  );
  const verifier = ending.after(await startApp('verifier', settings), async (app) => app.kill9());
  const verified = async (): Promise<number> => metricOf(verifier.address, 's2lab_verifier_events_total');
  const written = async (): Promise<number> => metricOf(fleet.address, 's2lab_pipeline_events_total');
  await until('200,000 events are verified', async () => (await verified()) > 200_000);

  process.kill(verifier.pid, 'SIGSTOP');
  const stoppedAt = await written();
  await new Promise((resolve) => {
    setTimeout(resolve, STANDS_MS);
  });
  const behind = (await written()) - stoppedAt;
  demand(behind > 0, 'the fleet waited for a verifier that does not read');
  demand((await metricOf(fleet.address, 's2lab_pipeline_sink_stalled')) === 0, 'the fleet’s sink stands');
  const target = await written();
  process.kill(verifier.pid, 'SIGCONT');
  const recoveredMs = await until('it has caught up', async () => (await verified()) >= target);

  demand((await fleet.stop()) === 0, `the fleet did not end well: ${fleet.lines.at(-1)}`);
  const content = await checkTopic(kafka.address, TOPIC);
  await until('all is verified', async () => (await verified()) >= content.events);
  demand((await metricOf(verifier.address, 's2lab_verifier_gaps_total')) === 0, 'the verifier met a gap');
  demand((await metricOf(verifier.address, 's2lab_violations_total')) === 0, 'the verifier found a violation');
  return {
    drill: 'slow consumer: the verifier stands for 12 s',
    lost: `nothing: all ${count(content.events)} events verified, no gap, no violation`,
    recovery: 'verifier goes on → what was written meanwhile is verified',
    recoveredMs,
    seen: `the fleet did not slow down: ${count(behind)} events meanwhile; ${count(await metricOf(verifier.address, 's2lab_verifier_duplicate_events_total'))} arrived twice and were dropped`,
  };
});
