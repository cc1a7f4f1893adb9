/*
 * Two verifier services of one consumer group on two cores against one, on a real broker: events a second of wall time, from the moment the
 * services go on with a full topic to the last verdict. Each is warmed up before with events of other machines, until its code is compiled
 * (docs/adr/0063), and stopped (SIGSTOP) while the topic is filled, so that neither start, group membership nor the producer is measured. The
 * most of three rounds each. The broker needs some of the two cores as well; and on a machine that is busy with other work the figure says
 * nothing: the note tells the load before, and a second figure how much more processor time an event took when two judged at once. Needs
 * what `npm run provision` finds: a JRE and Kafka's jars.
 */
import { cpus, loadavg } from 'node:os';
import { muteKafkaWarnings } from '@s2lab/metrics';
import { capability, metricOf, startApp, startKafkaBroker, until } from '@s2lab/testkit';
import type { LabProcess } from '@s2lab/testkit';
import { createTopics, KafkaSink } from '@s2lab/transport-kafka';
import { writeMigrations } from './migrations.ts';

const ROUNDS = 3;
const PARTITIONS = 2;
/** Machines of the warm-up and of the measured part, 1.3 million events each. After half of the warm-up, all code must be compiled. */
const WARM_UP = 8;
const MACHINES = 12;

interface VerdictSoFar {
  readonly events: number;
  readonly verdict: string;
  readonly partitions: readonly number[];
}

function pathOf(name: 'java' | 'kafka'): string {
  const found = capability(name);
  if (!found.available) throw new Error(`the Kafka benchmark needs ${name}: ${found.reason}`);
  return found.path;
}

async function verdicts(services: readonly LabProcess[]): Promise<VerdictSoFar[]> {
  return Promise.all(services.map(async ({ address }) => (await (await fetch(`${address}/api/verdict`)).json()) as VerdictSoFar));
}

const eventsOf = (all: readonly VerdictSoFar[]): number => all.reduce((sum, { events }) => sum + events, 0);

async function cpuOf(services: readonly LabProcess[]): Promise<number> {
  const each = await Promise.all(services.map(({ address }) => metricOf(address, 'process_cpu_seconds_total')));
  return each.reduce((sum, seconds) => sum + seconds, 0);
}

/** Events a second of wall time, and seconds of processor time of the services an event, of `count` verifiers on a topic of its own. */
async function judge(broker: string, topic: string, count: number): Promise<{ perSecond: number; cpuEach: number }> {
  const setting = { brokers: [broker], clientId: 'bench', topic, partitions: PARTITIONS };
  await createTopics(setting, [setting]);
  const env = { S2LAB_KAFKA_BROKERS: broker, S2LAB_TOPIC: topic, S2LAB_GROUP: topic };
  const services = await Promise.all(Array.from({ length: count }, () => startApp('verifier', env)));
  const signal = (name: NodeJS.Signals): void => services.forEach(({ pid }) => process.kill(pid, name));
  try {
    await until('each verifier has its share', async () =>
      (await verdicts(services)).every(({ partitions }) => partitions.length === PARTITIONS / count),
    );
    const sink = new KafkaSink(setting);
    const warm = await writeMigrations(0, WARM_UP, (frame) => sink.write(frame));
    await until('the warm-up is judged', async () => eventsOf(await verdicts(services)) === warm);
    signal('SIGSTOP');
    const events = await writeMigrations(WARM_UP, WARM_UP + MACHINES, (frame) => sink.write(frame));
    await sink.close();
    signal('SIGCONT');
    const [begun, cpuBefore] = [performance.now(), await cpuOf(services)];
    await until('all events are judged', async () => eventsOf(await verdicts(services)) === warm + events);
    const seconds = (performance.now() - begun) / 1000;
    const found = await verdicts(services);
    if (found.some(({ verdict }) => verdict !== 'holds')) throw new Error(`the events must hold: ${JSON.stringify(found)}`);
    return { perSecond: events / seconds, cpuEach: ((await cpuOf(services)) - cpuBefore) / events };
  } finally {
    await Promise.all(services.map((service) => service.kill9()));
  }
}

function report(
  name: string,
  value: number,
  unit: string,
  better: 'higher' | 'lower',
  more: Readonly<Record<string, number | string>>,
): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(3)), unit, better, ...more }));
}

muteKafkaWarnings();
const broker = await startKafkaBroker({ java: pathOf('java'), jars: pathOf('kafka') });
try {
  const note = `load ${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores before`;
  const perSecond = [0, 0, 0];
  const cpuEach = [0, Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const count of [1, 2]) {
      const found = await judge(broker.address, `scale.${count}.${round}`, count);
      perSecond[count] = Math.max(perSecond[count]!, found.perSecond);
      cpuEach[count] = Math.min(cpuEach[count]!, found.cpuEach);
    }
  }
  report('one verifier of a Kafka topic', perSecond[1]!, 'events/s', 'higher', { note });
  report('two verifiers against one, Kafka', perSecond[2]! / perSecond[1]!, '×', 'higher', { target: 1.7, note });
  report('processor time of an event, two verifiers against one, Kafka', cpuEach[2]! / cpuEach[1]!, '×', 'lower', { note });
} finally {
  await broker.stop();
}
