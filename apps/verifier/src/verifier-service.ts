import type { Damage, Frame } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import type { Violation } from '@s2lab/invariants';
import type { ServiceHttp } from '@s2lab/metrics';
import { EventMetrics, LabMetrics, serveHttp } from '@s2lab/metrics';
import { KafkaSource } from '@s2lab/transport-kafka';
import { ReportTopics } from './report-topics.ts';
import type { VerifierSettings } from './service-settings.ts';
import { TopicJudge } from './topic-judge.ts';

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
 * of its own; so is each message that is no frame. Offsets are not committed: a verifier that starts anew reads from the beginning, since
 * a machine can only be judged from its first event on.
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
    routes: { '/api/verdict': () => service.judge.verdict() },
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
  readonly judge = new TopicJudge();
  unhealthy: string | undefined = 'not connected to Kafka yet';
  private readonly settings: VerifierSettings;
  private readonly say: (line: string) => void;
  private readonly reports: ReportTopics;

  constructor(settings: VerifierSettings, say: (line: string) => void) {
    this.settings = settings;
    this.say = say;
    this.reports = new ReportTopics({ brokers: settings.S2LAB_KAFKA_BROKERS.split(','), replicas: settings.S2LAB_REPLICAS });
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
    this.unhealthy = undefined;
    this.say(`reading ${settings.S2LAB_TOPIC} as ${settings.S2LAB_GROUP}`);
    const lag = setInterval(() => void this.measureLag(source), LAG_PERIOD_MS);
    const end = (): void => void source.close();
    signal.addEventListener('abort', end, { once: true });
    try {
      for await (const item of source.frames()) {
        if (isDamage(item)) await this.bury(item);
        else await this.check(item);
      }
    } finally {
      clearInterval(lag);
      await source.close();
      await this.reports.close();
    }
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
        });
      } catch (error) {
        this.unhealthy = (error as Error).message;
      }
    }
    return undefined;
  }

  private async check(frame: Frame): Promise<void> {
    const { fresh, duplicates, gap, unjudged, violations } = this.judge.judge(frame);
    if (duplicates > 0) this.metrics.counter('s2lab_verifier_duplicate_events_total').inc(duplicates);
    if (gap) this.metrics.counter('s2lab_verifier_gaps_total').inc();
    if (unjudged) {
      this.metrics.counter('s2lab_verifier_unjudged_machines_total').inc();
      this.say(`machine ${frame.origin.machine} of run ${frame.origin.run} begins at event ${frame.firstSeq} in the topic: not judged`);
    }
    if (fresh !== undefined) {
      this.events.observe(fresh);
      this.metrics.counter('s2lab_verifier_frames_total').inc();
      this.metrics.counter('s2lab_verifier_events_total').inc(fresh.rows.length);
    }
    const { policy } = frame.origin;
    for (const [invariant, count] of violations.counts) this.metrics.counter('s2lab_violations_total').inc({ invariant, policy }, count);
    for (const violation of violations.kept) await this.accuse(violation, policy);
  }

  private async accuse(violation: Violation, policy: string): Promise<void> {
    const { invariant, run, machine, seq, because } = violation;
    this.say(`violation of ${invariant} at event ${seq} of machine ${machine}, run ${run} (${policy}): ${because}`);
    await this.reports.violation(violation);
  }

  private async bury(damage: Damage): Promise<void> {
    this.metrics.counter('s2lab_verifier_dead_letters_total').inc({ damage: damage.damage });
    this.say(`no frame at ${damage.where} (${damage.damage}): ${damage.because}`);
    await this.reports.deadLetter(damage);
  }

  private async measureLag(source: KafkaSource): Promise<void> {
    try {
      const behind = await this.reports.messagesAfter(this.settings.S2LAB_TOPIC, source.positions());
      this.metrics.gauge('s2lab_verifier_lag_frames').set(behind);
      this.unhealthy = undefined;
    } catch (error) {
      this.unhealthy = `the broker does not answer: ${(error as Error).message}`;
    }
  }
}
