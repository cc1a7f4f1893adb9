import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { freePort } from './lab-processes.ts';

/** Where Kafka's programs are, and how its broker runs. */
export interface KafkaBrokerOptions {
  /** Folder of Kafka's jars (capability `kafka`). */
  readonly jars: string;
  /** The JVM's launcher (capability `java`); by default the one in PATH. */
  readonly java?: string;
  /** Port on 127.0.0.1; by default a free one. */
  readonly port?: number;
  /** Lines of server.properties that replace or add to the defaults. */
  readonly properties?: Readonly<Record<string, string | number>>;
}

/** A real Kafka broker, on loopback, whose data live in a temporary folder. */
export interface KafkaBroker {
  readonly port: number;
  /** `127.0.0.1:port`. */
  readonly address: string;
  /** Kills the broker as SIGKILL does; its data stay. Resolves when the process is gone. */
  kill9(): Promise<void>;
  /** Starts a killed broker on the same port and data; resolves when it says it has started. */
  restart(): Promise<void>;
  /** Kills the broker and removes its data. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 120_000;

/** Starts fast, at the price of peak speed: C1 only, serial collector. */
const QUICK_JVM = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];

/** Warnings only, but for the line that says that the broker is up. */
const LOGGING = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info'];

/**
 * Runs a program until the shell's standard input ends, then kills it with SIGKILL: when the test process dies, however it dies, its end of
 * the pipe closes and no JVM is left behind.
 */
const KILL_WITH_PARENT = 'exec 3<&0; "$@" </dev/null & pid=$!; { cat <&3 >/dev/null; kill -9 $pid 2>/dev/null; } & wait $pid; exit 0';

function serverProperties(folder: string, port: number, controllerPort: number, more: Readonly<Record<string, string | number>>): string {
  const properties: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': 0,
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'log.cleaner.dedupe.buffer.size': 8_388_608,
    // A broker killed and restarted is let in again when its old session has ended.
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
    ...more,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** A cluster id as Kafka makes them: 16 random bytes, base64url, not beginning with a dash. */
function clusterId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? `a${id.slice(1)}` : id;
}

type BrokerProcess = ChildProcessByStdio<Writable, Readable, Readable>;

async function waitUntilStarted(child: BrokerProcess): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`the Kafka broker ${why}; its last words: ${said.slice(-1500)}`));
    const timer = setTimeout(fail, START_TIMEOUT_MS, `did not start within ${START_TIMEOUT_MS / 1000} s`);
    const listen = (text: string): void => {
      said = (said + text).slice(-20_000);
      if (!said.includes('Kafka Server started')) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.setEncoding('utf8').on('data', listen);
    child.stderr.setEncoding('utf8').on('data', listen);
    child.once('exit', () => {
      clearTimeout(timer);
      fail('ended');
    });
  });
}

/**
 * Starts a broker in KRaft combined mode on free ports of 127.0.0.1. It dies with this process.
 * @throws Error with the broker's last output when it does not start.
 */
export async function startKafkaBroker(options: KafkaBrokerOptions): Promise<KafkaBroker> {
  const folder = await mkdtemp(join(tmpdir(), 's2lab-kafka-'));
  const removeData = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once('exit', removeData);
  const java = options.java ?? 'java';
  const classPath = join(options.jars, '*');
  const config = join(folder, 'server.properties');
  const port = options.port ?? (await freePort());
  await writeFile(config, serverProperties(folder, port, await freePort(), options.properties ?? {}));
  const format = spawnSync(
    java,
    [...QUICK_JVM, ...LOGGING, '-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', config],
    { encoding: 'utf8' },
  );
  if (format.status !== 0) throw new Error(`Kafka's storage tool failed: ${format.error?.message ?? format.stderr.slice(-1500)}`);

  let running: BrokerProcess | undefined;
  const start = async (): Promise<void> => {
    running = spawn('sh', ['-c', KILL_WITH_PARENT, 'sh', java, ...QUICK_JVM, ...LOGGING, '-cp', classPath, 'kafka.Kafka', config], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.stdin.on('error', () => {}); // Its end of the pipe may be gone already; the exit tells.
    await waitUntilStarted(running);
  };
  const kill9 = async (): Promise<void> => {
    if (running === undefined) return;
    const gone = running.exitCode === null ? once(running, 'exit') : undefined;
    running.stdin.end();
    await gone;
    running = undefined;
  };
  const stop = async (): Promise<void> => {
    await kill9();
    process.removeListener('exit', removeData);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await start();
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { port, address: `127.0.0.1:${port}`, kill9, restart: start, stop };
}
