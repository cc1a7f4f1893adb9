import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { labApi, loadScenario, MetricsSink, RunKeeper } from '@s2lab/fleet';
import { buildPlugin } from '@s2lab/grafana-toolkit';
import { EventMetrics } from '@s2lab/metrics';
import { BROWSER_FLAGS, requireCapability } from '@s2lab/testkit';
import { build } from 'esbuild';
import { fastify } from 'fastify';
import type { Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import type { HostPage } from './host-page.ts';

const WIDTH = 1000;
const HEIGHT = 320;
const HTML =
  '<!doctype html><meta charset="utf-8"><body><div id="panel"></div><div id="editor"></div>' +
  ['system.js', 'amd.js', 'host.js'].map((file) => `<script src="/${file}"></script>`).join('');

/** As a verifier tells them, oldest first. */
const VIOLATIONS = [
  { invariant: 'I5', run: 'r', machine: 2, seq: 10, because: 'freed twice', witness: [], show: '' },
  { invariant: 'I1', run: 'r', machine: 3, seq: 20, because: 'read after free', witness: [], show: '' },
];

declare const host: HostPage;

const dir = mkdtempSync(join(tmpdir(), 's2lab-plugins-'));
const app = fastify({ forceCloseConnections: true });
const stop = new AbortController();
const events = new EventMetrics();
const runs = new RunKeeper({
  loaded: await loadScenario('demo'),
  policy: 'rcu',
  seed: 1,
  speed: 0.002,
  repeat: false,
  nameRun: (derived) => derived,
});
let kept: Promise<void> = Promise.resolve();
after(async () => {
  stop.abort();
  await kept;
  await app.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Grafana’s part of the way: it serves the plugins and hands requests on to the fleet. */
async function serve(): Promise<string> {
  const require = createRequire(import.meta.url);
  const script = (path: string, text: string): void => {
    app.get(path, async (_request, reply) => reply.type('text/javascript').send(text));
  };
  const home = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
  for (const name of ['stage2-panel', 'stage2-datasource']) {
    const { plugin, folder } = await buildPlugin(home(name), join(dir, name));
    script(`/public/plugins/${plugin.id}/module.js`, readFileSync(join(folder, 'module.js'), 'utf8'));
  }
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./host-page.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  script('/host.js', outputFiles[0]!.text);
  script('/system.js', readFileSync(require.resolve('systemjs/dist/system.js'), 'utf8'));
  script('/amd.js', readFileSync(require.resolve('systemjs/dist/extras/amd.js'), 'utf8'));
  app.get('/', async (_request, reply) => reply.type('text/html').send(HTML));
  app.get('/favicon.ico', async (_request, reply) => reply.code(204).send());
  app.get('/api/datasources/proxy/uid/x/api/verdict', async () => ({ latest: VIOLATIONS }));
  await app.register(
    async (proxy) => proxy.register(labApi({ runs, events, output: () => ({ to: 'nowhere', where: '', waitingFor: null }) })),
    {
      prefix: '/api/datasources/proxy/uid/x',
    },
  );
  return app.listen({ host: '127.0.0.1', port: 0 });
}

/** Asks for the state of a machine and draws it. */
async function shown(page: Page, machine: string, theme: 'light' | 'dark' = 'light', options: object = {}): Promise<string> {
  await page.evaluate(async (asked) => host.refresh({ machine: asked }), machine);
  await page.evaluate(([o, t, w, hgt]) => host.draw(o as object, t as 'light', w as number, hgt as number), [
    options,
    theme,
    WIDTH,
    HEIGHT,
  ] as const);
  await page.getByText(/machine \d+ \(/).waitFor();
  return page.getByText(/machine \d+ \(/).innerText();
}

/** How many of the map’s pixels have changed since the last call. */
async function picture(page: Page): Promise<string> {
  return page
    .locator('canvas')
    .first()
    .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
}

test('in a browser, the panel draws what a running fleet answers to the data source, and can be zoomed, pointed at and wound back', async (t) => {
  const executablePath = requireCapability(t, 'chromium');
  if (executablePath === undefined) return;
  const url = await serve();
  kept = runs.keep({ begin: async () => [new MetricsSink(events)], ended: async () => {} }, stop.signal);
  const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT + 60 } });
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  await page.evaluate(async () => host.load('/api/datasources/proxy/uid/x'));
  assert.deepEqual(await page.evaluate(async () => host.test()), { status: 'success', message: 'The fleet answers; it has 4 machines.' });
  assert.deepEqual(
    (await page.evaluate(async () => host.find('machines'))).map(({ value }) => value),
    ['0', '1', '2', '3'],
  );
  assert.equal((await page.evaluate(async () => host.find('explorer')))[0]!.value, 'http://127.0.0.1:7800/');

  // Until the guest has pages mapped at the last level.
  for (let tries = 0; !(await mapped()); tries += 1) assert.ok(tries < 200, 'nothing is ever mapped');
  async function mapped(): Promise<boolean> {
    const answer = await app.inject({ url: '/api/datasources/proxy/uid/x/api/machines/1/stage2', headers: { host: 'localhost' } });
    const state = answer.json<{ levels: { state: number[] }[] }>();
    await page.waitForTimeout(50);
    return state.levels.some(({ state: codes }) => codes.includes(3)) && state.levels.some(({ state: codes }) => codes.includes(2));
  }

  const head = await shown(page, '$machine');
  assert.match(head, /machine 1 \(rcu, kvm\) · event [\d,]+ · [\d.]+ ms virtual · \d+ tables · \d+ frees pending/);
  const link = await page.getByRole('link', { name: 'open in the explorer' }).getAttribute('href');
  assert.match(link ?? '', /^http:\/\/127\.0\.0\.1:7800\/#seq=\d+&machine=1$/);
  assert.equal(await page.getByRole('listitem').count(), 10);

  const map = page.getByRole('img', { name: /^Stage-2 of machine 1, levels 1 to 3/ });
  const box = (await map.boundingBox())!;
  const first = await picture(page);
  await page.mouse.move(box.x + 100, box.y + box.height / 2);
  await page
    .getByRole('tooltip')
    .filter({ hasText: /IPA 0x[0-9a-f]+, level 2: (block|table|invalid).*table \d+ slot \d+/s })
    .waitFor();
  await page.mouse.wheel(0, -400);
  const closer = await picture(page);
  assert.notEqual(closer, first, 'the wheel zooms');
  await page.mouse.down();
  await page.mouse.move(box.x + 300, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  assert.notEqual(await picture(page), closer, 'dragging moves the map');
  await map.dblclick();
  await map.press('+');
  await map.press('ArrowRight');
  await map.press('0');
  await page.mouse.move(box.x + 5, box.y + HEIGHT + 20);
  await page.getByRole('tooltip').waitFor({ state: 'detached' });
  assert.equal(await picture(page), first, 'double click and 0 show all again');

  const before = await page.evaluate(() => Date.now());
  await page.waitForTimeout(300);
  const later = await shown(page, '$machine', 'dark');
  assert.notEqual(later, head, 'the machine has run on');
  await page.evaluate((time) => host.hoverElsewhere(time), before);
  await page.getByText(/machine 1 .* as of /).waitFor();
  const event = /event [\d,]+/;
  assert.equal(
    event.exec(await page.getByText(/machine 1 /).innerText())?.[0],
    event.exec(head)?.[0],
    'the cursor of another panel winds back',
  );
  await page.evaluate(() => host.hoverElsewhere(null));
  await page.getByText(later.split(' · ')[1]!).waitFor();

  const strip = (await page.getByRole('img', { name: /^Pending frees over time/ }).boundingBox())!;
  await page.mouse.move(strip.x + strip.width / 2, strip.y + 10);
  await page.mouse.move(strip.x + strip.width / 2, strip.y + strip.height + 30);
  const cursor = await page.evaluate(() => host.cursor);
  assert.ok(typeof cursor[0] === 'number' && Math.abs(cursor[0] - (before - 30_000)) < 10_000, String(cursor));
  assert.equal(cursor.at(-1), null, 'other panels hear of the end');

  await page.evaluate(
    async ([width, height]) => {
      await host.refresh({ machine: '1', maxRuns: '16' });
      host.draw({}, 'light', width!, height!);
    },
    [WIDTH, HEIGHT],
  );
  await page.getByText(/machine 1 .*neighbours merged/).waitFor();
  await page.mouse.move(box.x + 100, box.y + 20);
  for (let notch = 0; notch < 60; notch += 1) await page.mouse.wheel(0, -100);
  await page.getByText(/machine 1 .*neighbours merged/).waitFor({ state: 'detached' });

  await shown(page, '2', 'light', { top: 2, bottom: 2, palette: 'dark', legend: false, strip: false });
  await page.getByRole('img', { name: /^Stage-2 of machine 2, levels 2 to 2/ }).waitFor();
  assert.equal((await page.getByRole('listitem').count()) + (await page.locator('canvas').count()), 1);

  const listed = await page.evaluate(async () => host.ask({ show: 'machines' }));
  assert.deepEqual(new Set(listed['machine']), new Set([0, 1, 2, 3]));
  assert.deepEqual(
    listed['pendingFrees'],
    listed['pendingFrees']?.toSorted((a, b) => Number(b) - Number(a)),
  );
  const found = await page.evaluate(async () => host.ask({ show: 'violations' }));
  assert.deepEqual(found, {
    invariant: ['I1', 'I5'],
    because: ['read after free', 'freed twice'],
    machine: [3, 2],
    event: [20, 10],
    run: ['r', 'r'],
  });

  await page.evaluate(() => host.edit({ refId: 'A', machine: '0' }, (query) => Object.assign(globalThis, { edited: query })));
  await page.getByLabel('From IPA').fill('0x40000000');
  assert.deepEqual(await page.evaluate(() => (globalThis as unknown as { edited: object }).edited), {
    refId: 'A',
    machine: '0',
    from: '0x40000000',
  });
  assert.deepEqual(complaints, []);
});
