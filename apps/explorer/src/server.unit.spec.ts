import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import type { LabSource } from './live-feed.ts';
import { LiveFeed } from './live-feed.ts';
import type { MetricSource } from './metric-feed.ts';
import { MetricFeed } from './metric-feed.ts';
import { startExplorer } from './server.ts';

const SOURCE: LabSource = {
  about: () => ({ run: 'run-1', scenario: 'demo', seed: 1, speed: 0.001, paused: false }),
  machines: () => [],
  verified: () => 7,
  violations: () => 0,
  violationsOf: () => 0,
  violationNotes: () => [],
  recording: () => ({ state: 'off', path: '', bytes: 0, because: '' }),
  speed: () => 0,
  ended: () => false,
};

const METRICS: MetricSource = {
  getMetricsAsJSON: async () => [{ name: 's2lab_collapses_total', values: [{ labels: { policy: 'rcu' }, value: 3 }] }],
};

/** Status and body of a request with any Host header. */
function get(url: string, host: string): Promise<{ status: number; body: string; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => {
      let body = '';
      response
        .setEncoding('utf8')
        .on('data', (text: string) => {
          body += text;
        })
        .on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
    })
      .on('error', reject)
      .end();
  });
}

test('the page and its parts are served with a policy that allows nothing foreign, and only to this machine', async () => {
  const explorer = await startExplorer({ host: '127.0.0.1', port: 0, feed: new LiveFeed(SOURCE), metricFeed: new MetricFeed(METRICS) });
  try {
    const page = await get(explorer.url, 'localhost');
    assert.equal(page.status, 200);
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'; script-src 'self'/);
    assert.doesNotMatch(page.body, /https?:\/\//, 'nothing is fetched from elsewhere');
    for (const [, path] of page.body.matchAll(/(?:src|href)="([^"]+)"/g))
      assert.equal((await get(new URL(path!, explorer.url).href, 'localhost')).status, 200, path);
    const foreign = await get(explorer.url, 'lab.example.org');
    assert.equal(foreign.status, 403);
  } finally {
    await explorer.close();
  }
});

test('a page that opens late gets the history, then every sample', async () => {
  const feed = new LiveFeed(SOURCE);
  feed.sample();
  feed.sample();
  const explorer = await startExplorer({ host: '127.0.0.1', port: 0, feed, metricFeed: new MetricFeed(METRICS) });
  const stop = new AbortController();
  try {
    const stream = await fetch(`${explorer.url}api/live`, { signal: stop.signal });
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while ((text.match(/^event: sample$/gm) ?? []).length < 1) text += (await reader.read()).value ?? '';
    const events = [...text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(events.slice(0, 3), ['about', 'history', 'sample']);
    const history = JSON.parse(/^event: history\ndata: (.*)$/m.exec(text)![1]!) as { verified: number }[];
    assert.ok(history.length >= 2);
    assert.equal(history[0]!.verified, 7);
  } finally {
    stop.abort();
    await explorer.close();
  }
});
