import { randomBytes } from 'node:crypto';
import { EventMetrics, LabMetrics, serveHttp } from '@s2lab/metrics';
import type { ServiceHttp } from '@s2lab/metrics';
import { KafkaSink } from '@s2lab/transport-kafka';
import type { LabOutput } from './api/api-lab.ts';
import { labApi } from './api/lab-api.ts';
import type { RunHooks } from './control/run-keeper.ts';
import { RunKeeper } from './control/run-keeper.ts';
import { SpeedGauge } from './control/speed-gauge.ts';
import { MeteredSink, MetricsSink } from './metered-sink.ts';
import { loadScenario } from './scenario-source.ts';
import type { FleetSettings } from './service-settings.ts';
import { WindowedSink } from './windowed-sink.ts';

/** Frames on their way to the broker at once. */
const IN_FLIGHT = 8;

/** How long a stop waits for a broker that does not answer, twice: before the sink is closed, and while it drains. */
const PATIENCE_MS = 3_000;

/** A fleet service that runs. */
export interface FleetService {
  readonly http: ServiceHttp;
  /** Resolves when the signal has ended the runs and everything in flight is acknowledged; rejects when the broker does not answer. */
  readonly ended: Promise<void>;
}

/**
 * Runs a scenario again and again into a Kafka topic, each time as a new run with the next seed, and serves metrics, health and state.
 * When the broker is slow or gone, simulated time stands still and nothing is lost.
 * @param say takes one line for each thing worth knowing
 * @throws ScenarioError when the scenario cannot be run; the operating system’s error when the port cannot be had
 */
export async function startFleetService(settings: FleetSettings, signal: AbortSignal, say: (line: string) => void): Promise<FleetService> {
  const loaded = await loadScenario(settings.S2LAB_SCENARIO);
  const runs = new RunKeeper({
    loaded,
    policy: settings.S2LAB_POLICY ?? null,
    seed: settings.S2LAB_SEED,
    speed: settings.S2LAB_SPEED,
    machineBase: settings.S2LAB_MACHINE_BASE,
    repeat: true,
    // Several fleets, and a fleet that was started again, share a topic: nobody ever writes another one's machine.
    nameRun: (_derived, scenario, seed) => `${scenario}-${seed}-${randomBytes(6).toString('hex')}`,
  });
  const events = new EventMetrics();
  const metrics = new LabMetrics(events, ['pipeline']);
  const broker = new BrokerState(metrics, say);
  const kafka = new KafkaSink({
    brokers: settings.S2LAB_KAFKA_BROKERS.split(','),
    clientId: 's2lab-fleet',
    topic: settings.S2LAB_TOPIC,
    partitions: settings.S2LAB_PARTITIONS,
    replicas: settings.S2LAB_REPLICAS,
    drainMs: PATIENCE_MS,
    onStall: (because) => broker.stalled(because),
  });
  const output = (): LabOutput => ({ to: 'kafka', where: settings.S2LAB_TOPIC, waitingFor: broker.because ?? null });
  const http = await serveHttp({
    host: settings.S2LAB_HTTP_HOST,
    port: settings.S2LAB_HTTP_PORT,
    registry: metrics.registry,
    unhealthy: () => broker.because,
    api: labApi({ runs, events, output }),
  });
  const speed = new SpeedGauge(metrics, runs.pace);
  const sinks = [
    new MeteredSink(new WindowedSink(kafka, IN_FLIGHT), 'kafka', metrics, () => kafka.byteCount),
    new MetricsSink(events),
    speed,
  ];
  const hooks: RunHooks = {
    begin: async ({ fleet, seed, because }) => {
      say(
        `run ${fleet.run}: ${fleet.machines.length} machines, seed ${seed}${because === null ? '' : `, because of ${JSON.stringify(because.change)}`}`,
      );
      return sinks;
    },
    ended: async () => {},
  };
  const runAll = async (): Promise<void> => {
    await runs.keep(hooks, signal);
    await sinks[0]!.close();
  };
  return { http, ended: closing(runAll(), http, kafka, signal) };
}

/**
 * Waits for the runs and ends the HTTP server. A stop does not wait for ever for a broker that is gone: then the runs reject, which says that
 * not everything is acknowledged.
 */
async function closing(runs: Promise<void>, http: ServiceHttp, kafka: KafkaSink, signal: AbortSignal): Promise<void> {
  let giveUp: NodeJS.Timeout | undefined;
  signal.addEventListener('abort', () => {
    giveUp = setTimeout(() => void kafka.close().catch(() => {}), PATIENCE_MS); // what it could not send rejects in the runs
  });
  try {
    await runs;
  } finally {
    clearTimeout(giveUp);
    await http.close();
  }
}

/** Whether the broker answers, as the sink sees it. */
class BrokerState {
  because: string | undefined;
  private readonly metrics: LabMetrics;
  private readonly say: (line: string) => void;

  constructor(metrics: LabMetrics, say: (line: string) => void) {
    this.metrics = metrics;
    this.say = say;
    this.stalled(undefined, true);
  }

  stalled(because: string | undefined, quiet = false): void {
    this.because = because;
    this.metrics.gauge('s2lab_pipeline_broker_reachable').set(because === undefined ? 1 : 0);
    if (!quiet)
      this.say(
        because === undefined
          ? 'the broker acknowledges again, the simulation goes on'
          : `the broker does not acknowledge, the simulation waits: ${because}`,
      );
  }
}
