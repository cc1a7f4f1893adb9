import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of the stack that runs as its container runs it; it dies with this process. */
export interface LabProcess {
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  readonly pid: number;
  /** Lines it printed so far. */
  readonly lines: readonly string[];
  /** Kills it as SIGKILL does; resolves when it is gone. */
  kill9(): Promise<void>;
  /** Asks it to end as `docker stop` does; resolves with its exit status. */
  stop(): Promise<number | null>;
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Starts fleet or verifier with these settings alone; resolves when it listens.
 * @throws Error with what it said when it ends before
 */
export async function startApp(name: 'fleet' | 'verifier', settings: Readonly<Record<string, string>>): Promise<LabProcess> {
  const program = fileURLToPath(new URL(`../../../apps/${name}/src/main.ts`, import.meta.url));
  const env = { PATH: process.env['PATH'], S2LAB_HTTP_PORT: '0', ...settings };
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  createInterface(child.stderr).on('line', (line) => lines.push(line));
  const port = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line);
      const [, found] = /listening on port (\d+)/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`${name} ended before it listened: ${lines.join('; ')}`)));
  });
  return running(child, `http://127.0.0.1:${port}`, lines);
}

/** A Prometheus that may be killed and started again on its data. */
export interface PrometheusServer {
  readonly address: string;
  kill9(): Promise<void>;
  /** Starts it again on the same port and data; resolves when it answers. */
  restart(): Promise<void>;
  /** Kills it and removes its data. */
  stop(): Promise<void>;
}

/** What a Prometheus scrapes and evaluates. */
export interface PrometheusOptions {
  /** The program (capability `prometheus`). */
  readonly program: string;
  /** Files of rules. */
  readonly rules?: readonly string[];
  /** Addresses of programs (`http://host:port`), by job; each is scraped every second. */
  readonly jobs: Readonly<Record<string, string>>;
}

/** Starts a Prometheus on a free port of 127.0.0.1; resolves when it answers. It dies with this process. */
export async function startPrometheus({ program, rules = [], jobs }: PrometheusOptions): Promise<PrometheusServer> {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-prometheus-'));
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: rules,
    scrape_configs: Object.entries(jobs).map(([job, address]) => ({
      job_name: job,
      static_configs: [{ targets: [new URL(address).host] }],
    })),
  };
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const args = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`];
  let process: LabProcess | undefined;
  const start = async (): Promise<void> => {
    process = running(spawn(program, args, { stdio: 'ignore' }), address, []);
    await until('Prometheus answers', async () => (await fetch(`${address}/-/ready`).catch(() => undefined))?.ok === true);
  };
  const kill9 = async (): Promise<void> => process?.kill9();
  await start();
  return {
    address,
    kill9,
    restart: start,
    stop: async () => {
      await kill9();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Looks every 50 ms until `condition` holds; returns the milliseconds it took.
 * @throws Error that names `what` when it did not within two minutes
 */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await condition())) {
    if (performance.now() - began > 120_000) throw new Error(`never: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  return performance.now() - began;
}

/** The sum of all series of a metric that a program exposes; 0 when there is none. */
export async function metricOf(address: string, name: string): Promise<number> {
  const text = await (await fetch(`${address}/metrics`)).text();
  let sum = 0;
  for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))) sum += Number(value);
  return sum;
}

function running(child: ChildProcess, address: string, lines: readonly string[]): LabProcess {
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const ended = once(child, 'exit').then(([status]) => {
    process.removeListener('exit', killWithUs);
    return status as number | null;
  });
  return {
    address,
    pid: child.pid!,
    lines,
    kill9: async () => {
      child.kill('SIGKILL');
      await ended;
    },
    stop: async () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}
