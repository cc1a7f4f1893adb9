import { once } from 'node:events';
import { connect } from 'node:net';
import { LiveFeed, startExplorer } from '@s2lab/explorer';
import { labApi, loadScenario, MetricsSink, RunKeeper } from '@s2lab/fleet';
import { EventMetrics, LabMetrics, serveHttp } from '@s2lab/metrics';
import { mutateText } from './mutation.ts';
import type { FuzzTarget } from './fuzz-target.ts';

/** A server that does not answer for so long hangs; the machine may be busy with other things. */
const PATIENCE_MS = 60_000;

const SEEDS = [
  'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n',
  'GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/plain\r\n\r\n',
  'GET /api/about HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n',
  'GET /api/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n',
  'GET /api/state?machine=0&table=1 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n',
  'GET /api/machines/0 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n',
  'GET /api/verdict HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n',
  'PATCH /api/control HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"paused":true}',
  'PATCH /api/control HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nb\r\n{"speed":1}\r\n0\r\n\r\n',
  'PATCH /api/machines/0 HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"policy":"rcu"}',
  'GET /site.json HTTP/1.1\r\nhost: evil.example\r\norigin: http://evil.example\r\n\r\n',
];

/** Sends what may be no HTTP at all, and waits until the server has answered or closed. */
async function send(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    answer += part;
    if (answer.length > 64) socket.destroy();
  });
  socket.on('error', () => {});
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('silent')));
  socket.end(Buffer.from(text, 'utf8'));
  await once(socket, 'close');
  return answer;
}

async function isAlive(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  await answer.body?.cancel();
  return answer.status === 200;
}

/** A feed of a lab in which nothing happens. */
function quietFeed(): LiveFeed {
  return new LiveFeed({
    about: () => ({ run: 'fuzz', scenario: 'smoke', seed: 1, policy: null, speed: 0 }) as never,
    machines: () => [],
    verified: () => 0,
    violations: () => 0,
    violationsOf: () => 0,
    violationNotes: () => [],
    recording: () => ({ log: null }) as never,
    speed: () => 0,
    ended: () => false,
  });
}

/** The HTTP servers of a service, of the page, and of the lab’s API: raw requests over TCP. */
export const httpTarget: FuzzTarget = {
  name: 'HTTP servers: service, page and API',
  share: 5_000,
  open: async () => {
    const events = new EventMetrics();
    const runs = new RunKeeper({
      loaded: await loadScenario('smoke'),
      policy: null,
      seed: 1,
      speed: 0.001,
      repeat: true,
      nameRun: (derived, _scenario, _seed, number) => `${derived}-${number}`,
    });
    const stop = new AbortController();
    const kept = runs.keep({ begin: async () => [new MetricsSink(events)], ended: async () => {} }, stop.signal);
    const api = labApi({ runs, events, output: () => ({ to: 'nowhere', where: '', waitingFor: null }) });
    const metrics = new LabMetrics(events, ['verifier']);
    const service = await serveHttp({
      host: '127.0.0.1',
      port: 0,
      registry: metrics.registry,
      unhealthy: () => undefined,
      routes: { '/api/verdict': () => ({ verdict: 'holds' }) },
    });
    const explorer = await startExplorer({ host: '127.0.0.1', port: 0, feed: quietFeed(), api });
    const ports = [service.port, Number(new URL(explorer.url).port)];
    let sent = 0;
    return {
      run: async (random) => {
        const port = random.pick(ports);
        const answer = await send(port, mutateText(random, SEEDS));
        const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
        if (status >= 500 && status !== 503) throw new Error(`the server failed: ${answer.slice(0, 200)}`);
        sent += 1;
        if (sent % 200 === 0) for (const each of ports) if (!(await isAlive(each))) throw new Error('the server is not healthy any more');
        return status >= 200 && status < 300;
      },
      close: async () => {
        stop.abort();
        await kept;
        await Promise.all([service.close(), explorer.close()]);
      },
    };
  },
};
