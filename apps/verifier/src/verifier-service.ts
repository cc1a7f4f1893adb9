import type { Damage, Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import type { Violation } from '@s2lab/invariants';
import { UNREAD_COLUMNS } from '@s2lab/invariants';
import type { ServiceHttp } from '@s2lab/metrics';
import { EventMetrics, LabMetrics, serveHttp } from '@s2lab/metrics';
import type { PlacedItem } from '@s2lab/transport-kafka';
import { KafkaSource } from '@s2lab/transport-kafka';
import type { CheckpointStore } from './checkpoint.ts';
import { PartitionJudges } from './partition-judges.ts';
import { ReportTopics } from './report-topics.ts';
import type { VerifierSettings } from './service-settings.ts';
import { SqliteCheckpoints } from './sqlite-checkpoints.ts';
import { TopicCheckpoints } from './topic-checkpoints.ts';

/** Milliseconds between two looks at how far behind the verifier is. */
const LAG_PERIOD_MS = 2_000;

/** A verifier service that runs. */
export interface VerifierService {
  readonly http: ServiceHttp;
  /** Resolves when the signal has ended it; rejects when the topic cannot be read any more. */
  readonly ended: Promise<void>;
}

/**
 * Checks the events of a topic as they come and serves metrics, health and verdict. Each violation is one line, and a message in a topic
 * of its own; so is each message that is no frame. State and offsets are kept together as checkpoints of each partition: whoever has the partition next
 * goes on from there, however this verifier ends. Offsets are not committed to the group.
 * @param say takes one line for each thing worth knowing
 * @throws the operating system’s error when the port cannot be had
 */
export async function startVerifierService(
  settings: VerifierSettings,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<VerifierService> {
  const service = new Service(settings, say);
  const http = await serveHttp({
    host: settings.S2LAB_HTTP_HOST,
    port: settings.S2LAB_HTTP_PORT,
    registry: service.metrics.registry,
    unhealthy: () => service.unhealthy,
    routes: { '/api/verdict': () => service.verdict() },
  });
  const ended = async (): Promise<void> => {
    try {
      await service.run(signal);
    } finally {
      await http.close();
    }
  };
  return { http, ended: ended() };
}

class Service {
  readonly events = new EventMetrics();
  readonly metrics = new LabMetrics(this.events, ['verifier']);
  unhealthy: string | undefined = 'not connected to Kafka yet';
  private readonly settings: VerifierSettings;
  private readonly say: (line: string) => void;
  private readonly reports: ReportTopics;
  private judges = new PartitionJudges(undefined);
  private store: CheckpointStore | undefined = undefined;
  /** The end of what is being done: everything that touches the judges is done one thing after the other. */
  private turn: Promise<void> = Promise.resolve();

  constructor(settings: VerifierSettings, say: (line: string) => void) {
    this.settings = settings;
    this.say = say;
    this.reports = new ReportTopics({ brokers: settings.S2LAB_KAFKA_BROKERS.split(','), replicas: settings.S2LAB_REPLICAS });
  }

  verdict(): ReturnType<PartitionJudges['verdict']> {
    return this.judges.verdict();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { settings } = this;
    try {
      await this.reports.open(signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    this.unhealthy = `waiting for the topic ${settings.S2LAB_TOPIC}`;
    const source = await this.openSource(signal);
    if (source === undefined) return;
    this.store = await this.openStore(signal);
    this.judges = new PartitionJudges(this.store);
    this.unhealthy = undefined;
    this.say(`reading ${settings.S2LAB_TOPIC} as ${settings.S2LAB_GROUP}`);
    const lag = setInterval(() => void this.measureLag(), LAG_PERIOD_MS);
    const keep = setInterval(() => void this.inTurn(() => this.keep()), settings.S2LAB_CHECKPOINT_SECONDS * 1000);
    const end = (): void => void source.close();
    signal.addEventListener('abort', end, { once: true });
    try {
      for await (const placed of source.items()) await this.inTurn(() => this.receive(source, placed));
      await this.inTurn(() => this.keep());
    } finally {
      clearInterval(lag);
      clearInterval(keep);
      await source.close();
      await this.turn;
      await this.reports.close();
      await this.store?.close();
    }
  }

  private inTurn(what: () => Promise<void>): Promise<void> {
    const done = this.turn.then(what);
    this.turn = done.catch(() => {});
    return done;
  }

  /** Tries until the topic is there. */
  private async openSource(signal: AbortSignal): Promise<KafkaSource | undefined> {
    const { S2LAB_KAFKA_BROKERS: brokers, S2LAB_TOPIC: topic, S2LAB_GROUP: groupId } = this.settings;
    while (!signal.aborted) {
      try {
        return await KafkaSource.open({
          brokers: brokers.split(','),
          clientId: 's2lab-verifier',
          topic,
          groupId,
          until: 'closed',
          patienceMs: 2_000,
          without: UNREAD_COLUMNS,
          onAssigned: (partitions) => void this.inTurn(() => this.assign(partitions, signal)),
        });
      } catch (error) {
        this.unhealthy = (error as Error).message;
      }
    }
    return undefined;
  }

  private async openStore(signal: AbortSignal): Promise<CheckpointStore | undefined> {
    const {
      S2LAB_CHECKPOINTS: where,
      S2LAB_KAFKA_BROKERS,
      S2LAB_REPLICAS: replicas,
      S2LAB_TOPIC: events,
      S2LAB_GROUP: group,
    } = this.settings;
    if (where === 'none') return undefined;
    if (where !== 'topic') return new SqliteCheckpoints(where, `${events}/${group}`);
    const store = new TopicCheckpoints({ brokers: S2LAB_KAFKA_BROKERS.split(','), replicas, events, group });
    await store.open(signal);
    return store;
  }

  private async assign(partitions: readonly number[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const taken = await this.judges.assign(partitions);
        for (const { partition, from, next, because, violations } of taken) {
          // What was found before this process came is still so: the alert must not end with a restart.
          for (const { invariant, policy, count } of violations)
            this.metrics.counter('s2lab_violations_total').inc({ invariant, policy }, count);
          this.metrics.counter('s2lab_verifier_taken_up_total').inc({ from });
          if (because !== undefined) {
            this.metrics.counter('s2lab_verifier_checkpoint_failures_total').inc();
            this.say(`the checkpoint of partition ${partition} cannot be taken up: ${because}`);
          }
          this.say(
            `partition ${partition} is taken up from ${from === 'checkpoint' ? `its checkpoint at offset ${next}` : 'its beginning'}`,
          );
        }
        break;
      } catch (error) {
        // Without its checkpoint a partition would be judged from its beginning, which may be gone: rather wait for the broker.
        this.unhealthy = `checkpoints cannot be had: ${(error as Error).message}`;
        this.metrics.counter('s2lab_verifier_checkpoint_failures_total').inc();
        this.say(this.unhealthy);
      }
    }
    this.metrics.gauge('s2lab_verifier_partitions').set(partitions.length);
    this.metrics.gauge('s2lab_verifier_restarts').set(this.judges.restarts());
  }

  private async receive(source: KafkaSource, { item, partition, offset, value }: PlacedItem): Promise<void> {
    const place = this.judges.place(partition, offset);
    if (place === 'foreign') return;
    if (place !== 'next') {
      source.seek(partition, place.before);
      return;
    }
    if (isDamage(item)) {
      await this.bury(item, value);
      this.judges.judge(partition, offset, undefined, Date.now());
    } else await this.check(item, partition, offset);
    this.measureAge();
  }

  private async check(frame: Frame, partition: number, offset: string): Promise<void> {
    const { fresh, duplicates, gap, unjudged, violations } = this.judges.judge(partition, offset, frame, Date.now())!;
    if (duplicates > 0) this.metrics.counter('s2lab_verifier_duplicate_events_total').inc(duplicates);
    if (gap) this.metrics.counter('s2lab_verifier_gaps_total').inc();
    if (unjudged) {
      this.metrics.counter('s2lab_verifier_unjudged_machines_total').inc();
      this.say(`machine ${frame.origin.machine} of run ${frame.origin.run} begins at event ${frame.firstSeq} in the topic: not judged`);
    }
    if (fresh !== undefined) {
      // Of a machine whose beginning another process saw, gauges would be wrong: what was freed here was never seen to be made.
      if (!this.judges.isResumed(partition, `${frame.origin.run}/${frame.origin.machine}`)) this.events.observe(fresh);
      this.metrics.counter('s2lab_verifier_frames_total').inc();
      this.metrics.counter('s2lab_verifier_events_total').inc(fresh.rows.length);
    }
    const { policy } = frame.origin;
    for (const [invariant, count] of violations.counts) this.metrics.counter('s2lab_violations_total').inc({ invariant, policy }, count);
    for (const violation of violations.kept) await this.accuse(violation, policy);
  }

  /** Keeps the state of all partitions; what cannot be kept now is kept next time. */
  private async keep(): Promise<void> {
    if (this.store === undefined) return;
    try {
      const { saved, bytes } = await this.judges.saveAll();
      this.metrics.counter('s2lab_verifier_checkpoints_total').inc(saved);
      this.metrics.counter('s2lab_verifier_checkpoint_bytes_total').inc(bytes);
      this.measureAge();
    } catch (error) {
      this.metrics.counter('s2lab_verifier_checkpoint_failures_total').inc();
      this.say(`a checkpoint cannot be kept: ${(error as Error).message}`);
    }
  }

  private async accuse(violation: Violation, policy: string): Promise<void> {
    const { invariant, run, machine, seq, because } = violation;
    this.say(`violation of ${invariant} at event ${seq} of machine ${machine}, run ${run} (${policy}): ${because}`);
    await this.reports.violation(violation);
  }

  private async bury(damage: Damage, message: Uint8Array | null): Promise<void> {
    this.metrics.counter('s2lab_verifier_dead_letters_total').inc({ damage: damage.damage });
    this.say(`no frame at ${damage.where} (${damage.damage}): ${damage.because}`);
    await this.reports.deadLetter(damage, message);
  }

  private measureAge(): void {
    const ms = this.store === undefined ? 0 : this.judges.unsavedMs(Date.now());
    this.metrics.gauge('s2lab_verifier_checkpoint_age_seconds').set(ms / 1000);
  }

  private async measureLag(): Promise<void> {
    this.measureAge();
    try {
      const behind = await this.reports.messagesAfter(this.settings.S2LAB_TOPIC, this.judges.positions());
      this.metrics.gauge('s2lab_verifier_lag_frames').set(behind);
      this.unhealthy = undefined;
    } catch (error) {
      this.unhealthy = `the broker does not answer: ${(error as Error).message}`;
    }
  }
}
