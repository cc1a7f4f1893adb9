import type { Command } from 'commander';
import type { EventSink } from '@s2lab/events';
import type { LoadedScenario, PumpOutcome } from '@s2lab/fleet';
import { countArgument } from '../arguments.ts';
import { topicAddress } from '../log-argument.ts';
import { say, sayJson, tell } from '../output.ts';
import { Progress, byteText, compact, virtualText } from '../progress.ts';
import type { RunOptions } from '../run-options.ts';
import { DEFAULT_SCENARIO, withRunOptions } from '../run-options.ts';
import { stopSignal } from '../stop-signal.ts';
import { UsageError } from '../usage-error.ts';

interface RecordOptions extends RunOptions {
  readonly output?: string;
  readonly force?: boolean;
  readonly workload?: string;
  readonly memslots?: string;
  readonly ignoreUnknown?: boolean;
  readonly acceptLostEvents?: boolean;
  readonly kafka?: string;
  readonly topic: string;
  readonly partitions: number;
}

/** Where a recording goes, and what it is called when it is done. */
interface Target {
  readonly sink: EventSink;
  readonly name: string;
  bytes(): number;
}

/** Partitions of a topic of events that we make. */
const DEFAULT_PARTITIONS = 8;

/** Frames on their way to the broker at once. */
const IN_FLIGHT = 8;

/** Policy of a recorded workload: what the kernel does. */
const RECORDED_POLICY = 'rcu';

/** `record`: a run into a log file or a topic. */
export function addRecord(program: Command): void {
  withRunOptions(program.command('record'))
    .description('run a scenario or a recorded workload at full speed and record its events')
    .argument('[scenario]', `built-in scenario, or path of a scenario file (default: ${DEFAULT_SCENARIO})`)
    .option('-o, --output <log>', 'log file to make (an Arrow file)')
    .option('-f, --force', 'replace the log file if it exists')
    .option('--workload <file>', 'recorded workload instead of a scenario: an operation script, or the text of trace-cmd report')
    .option('--memslots <file>', 'where the memslots of a traced machine were (JSON)')
    .option('--ignore-unknown', 'leave out lines of a trace that are not understood')
    .option('--accept-lost-events', 'play a trace although it says that events were lost')
    .option('--kafka <host:port>', 'record into a Kafka topic instead of a file')
    .option('--topic <name>', 'topic of --kafka', 's2lab.events')
    .option('--partitions <n>', 'partitions of the topic', countArgument, DEFAULT_PARTITIONS)
    .addHelpText(
      'after',
      `
Examples:
  s2lab record migration --seed 7 -o run.arrow
  s2lab record --workload trace.txt --memslots memslots.json -o trace.arrow
  s2lab record boot --duration 10ms --kafka 127.0.0.1:9092 --topic s2lab.events`,
    )
    .action(record);
}

/** What is said about a traced workload. */
export interface TracedWorkload {
  /** Log file to make. */
  readonly output: string;
  readonly force?: boolean;
  readonly memslots?: string;
  readonly ignoreUnknown?: boolean;
  readonly acceptLostEvents?: boolean;
  readonly json?: boolean;
}

/** Records the run of a traced workload, as `record --workload` does without further options. */
export async function recordTraced(workload: string, traced: TracedWorkload): Promise<void> {
  await record(undefined, { ...traced, workload, seed: 1, topic: '', partitions: DEFAULT_PARTITIONS });
}

async function record(name: string | undefined, options: RecordOptions): Promise<void> {
  if ((options.output === undefined) === (options.kafka === undefined)) {
    throw new UsageError('record: where to? give either -o LOG or --kafka HOST:PORT');
  }
  const { assembleFleet, pump } = await import('@s2lab/fleet');
  const { scenario, recordings } = await load(name, options);
  // All of the input is read and checked before the log is made: wrong input leaves no file behind.
  const fleet = assembleFleet(scenario, { seed: options.seed, policy: options.policy, recordings });
  const description = JSON.stringify({
    run: fleet.run,
    scenario,
    seed: options.seed,
    policy: options.policy ?? null,
    durationNs: options.duration ?? null,
  });
  const target = await openTarget(options, description);
  const progress = new Progress(options.json === true);
  let events = 0;
  const show: EventSink = {
    write: async (frame) => {
      events += frame.rows.length;
      progress.update(() => `${target.name}: ${compact(events)} events, ${byteText(target.bytes())}`);
    },
    close: async () => {},
  };
  const began = performance.now();
  let outcome: PumpOutcome;
  try {
    outcome = await pump(fleet.producer, [target.sink, show], {
      speed: 0,
      untilNs: options.duration ?? scenario.durationNs,
      signal: stopSignal(),
    });
  } finally {
    progress.end();
    await target.sink.close();
  }
  const seconds = (performance.now() - began) / 1000;
  if (options.json === true) {
    sayJson({ run: fleet.run, log: target.name, bytes: target.bytes(), ...outcome, machines: fleet.machines.length, wallSeconds: seconds });
  } else {
    say(
      `${target.name}: ${compact(outcome.events)} events of ${fleet.machines.length} machines, ${virtualText(outcome.virtualNs)} of virtual time, ${byteText(target.bytes())} ` +
        `(${(target.bytes() / Math.max(1, outcome.events)).toFixed(2)} bytes an event), ${seconds.toFixed(2)} s${outcome.interrupted ? '; interrupted, the log is whole up to here' : ''}`,
    );
  }
  if (outcome.interrupted) process.exitCode = 130;
}

async function load(name: string | undefined, options: RecordOptions): Promise<LoadedScenario> {
  const { loadRecordedWorkload, loadScenario } = await import('@s2lab/fleet');
  if (options.workload === undefined) {
    if (options.memslots !== undefined) throw new UsageError('record: --memslots belongs to a traced workload; give --workload FILE too');
    return loadScenario(name ?? DEFAULT_SCENARIO);
  }
  if (name !== undefined) throw new UsageError(`record: a scenario (${name}) and --workload exclude each other; give one`);
  return loadRecordedWorkload({
    path: options.workload,
    memslots: options.memslots,
    policy: options.policy ?? RECORDED_POLICY,
    trace: { ignoreUnknown: options.ignoreUnknown, acceptLostEvents: options.acceptLostEvents },
  });
}

async function openTarget(options: RecordOptions, description: string): Promise<Target> {
  if (options.kafka !== undefined) {
    const { brokers, topic } = topicAddress(`kafka://${options.kafka}/${options.topic}`);
    const [{ KafkaSink, createTopics }, { WindowedSink }, { muteKafkaWarnings }] = await Promise.all([
      import('@s2lab/transport-kafka'),
      import('@s2lab/fleet'),
      import('@s2lab/metrics'),
    ]);
    muteKafkaWarnings();
    const connection = { brokers, clientId: 's2lab' };
    await createTopics(connection, [{ topic, partitions: options.partitions }]); // says soon that no broker answers; the sink would wait for ever
    const sink = new KafkaSink({
      ...connection,
      topic,
      partitions: options.partitions,
      onStall: (because) => tell(because === undefined ? 'the broker goes on' : `waiting for the broker: ${because}`),
    });
    return { sink: new WindowedSink(sink, IN_FLIGHT), name: `kafka://${options.kafka}/${topic}`, bytes: () => sink.byteCount };
  }
  const { FileSink } = await import('@s2lab/transport-file');
  const sink = await FileSink.create(options.output!, { description, overwrite: options.force === true });
  return { sink, name: options.output!, bytes: () => sink.byteCount };
}
