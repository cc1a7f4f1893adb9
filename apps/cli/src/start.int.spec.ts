import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { VIEWS } from '@s2lab/dashboards';
import { BROWSER_FLAGS, requireCapability } from '@s2lab/testkit';
import type { Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { s2lab } from './spawned-cli.ts';
import { StartedPage } from './started-page.ts';

const dir = mkdtempSync(join(tmpdir(), 's2lab-start-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** A lab that was started, with what it printed. */
class StartedLab extends StartedPage {
  constructor(args: readonly string[]) {
    super(['start', '--port', '0', '--json', ...args], dir);
  }
}

interface Ended {
  readonly event: string;
  readonly events: number;
  readonly interrupted: boolean;
  readonly log: { readonly path: string };
  readonly verdict: { readonly verdict: string; readonly events: number };
}

test('start shows a living lab on a page, and Ctrl-C ends it with a whole log and a verdict', async (t) => {
  const executablePath = requireCapability(t, 'chromium');
  if (executablePath === undefined) return;
  const lab = new StartedLab(['--speed', '0.002']);
  t.after(() => lab.child.kill('SIGKILL')); // a lab that outlives a failed check would hold up all specs
  const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
  try {
    const { url } = await lab.listening();
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    const answer = await page.goto(url);
    assert.match(answer?.headers()['content-security-policy'] ?? '', /default-src 'none'/);
    await page.getByRole('status').filter({ hasText: 'holds so far' }).waitFor();
    for (const title of ['Collapse rate', 'Pending frees', 'Faults by kind', 'TLB invalidations', 'Events', 'Violations']) {
      await page.getByRole('figure', { name: new RegExp(`^${title}`) }).waitFor();
    }
    await changes(page, 'Events');
    await changes(page, 'Faults by kind');
    assert.equal(await page.locator('canvas').count(), 8);
    assert.equal(await page.locator('tbody tr').count(), 4);
    await page.getByText('machine', { exact: true }).first().click();
    await page
      .getByRole('figure', { name: /^Events/ })
      .getByText('#0')
      .waitFor();
    await page.getByRole('button', { name: 'Pause view' }).click();
    const paused = await legend(page, 'Events');
    await page.waitForTimeout(700);
    assert.equal(await legend(page, 'Events'), paused, 'a paused view stands still');
    assert.deepEqual(complaints, []);
    const metrics = await (await fetch(`${url}metrics`)).text();
    assert.match(metrics, /^s2lab_events_total\{.*\} [1-9]\d*$/m);
  } finally {
    await browser.close();
  }
  const status = await lab.interrupt();
  const ended = lab.lines.at(-1) as unknown as Ended;
  assert.equal(status, 0, lab.stderr);
  assert.equal(ended.event, 'ended');
  assert.equal(ended.interrupted, true);
  assert.equal(ended.verdict.verdict, 'holds');
  const verified = await s2lab(['verify', ended.log.path, '--json'], dir);
  assert.equal(verified.status, 0, verified.stdout);
  assert.equal((JSON.parse(verified.stdout) as { events: number }).events, ended.events);
});

/** Views and panels that the demonstration has no data for: it has no hypervisor and no broker. */
const VIEW_WITHOUT_DATA = 'pkvm';
const WITHOUT_DATA = ['Broker reachable'];

test('every dashboard of Grafana is a view of the page, with data in each panel', async (t) => {
  const executablePath = requireCapability(t, 'chromium');
  if (executablePath === undefined) return;
  const lab = new StartedLab(['--speed', '0.003']);
  t.after(() => lab.child.kill('SIGKILL'));
  const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
  try {
    const { url } = await lab.listening();
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    for (const view of VIEWS) {
      await page.goto(`${url}#view=${view.name}`);
      const shown = page.locator('.view:not([hidden])');
      const panels = [...view.headline, ...view.rows.flatMap((row) => row.panels)];
      await shown
        .locator('.cell')
        .nth(panels.length - 1)
        .waitFor();
      await shown.locator('.chart canvas').first().waitFor();
      await page.waitForTimeout(1500);
      const titles = await shown.locator('.cell h2').allTextContents();
      assert.deepEqual(
        titles.map((title) => title.trim()),
        panels.map(({ title }) => title),
      );
      if (view.name === VIEW_WITHOUT_DATA) continue;
      const empty = await shown.locator('figure:has(.no-data) h2').allTextContents();
      assert.deepEqual(
        empty.map((title) => title.trim()).filter((title) => !WITHOUT_DATA.includes(title)),
        [],
        view.title,
      );
    }
    await page.goto(`${url}#view=reclaim`);
    await page.locator('.top tbody tr').nth(3).waitFor();
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
  }
  assert.equal(await lab.interrupt(), 0, lab.stderr);
});

test('the page steers the lab: another policy is another run with a log of its own, a pause stands still', async (t) => {
  const executablePath = requireCapability(t, 'chromium');
  if (executablePath === undefined) return;
  const lab = new StartedLab(['--speed', '0.002', '-o', 'steered.arrow']);
  t.after(() => lab.child.kill('SIGKILL'));
  const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
  try {
    const { url } = await lab.listening();
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(url);
    await page.getByLabel('Policy', { exact: true }).selectOption('hazard');
    await page.getByLabel('Preempted walker').check();
    await page.getByRole('button', { name: 'Begin run' }).click();
    await page
      .getByRole('figure', { name: /^Events/ })
      .getByText('hazard')
      .waitFor();
    await page.getByRole('button', { name: 'Pause lab' }).click();
    await page.getByText('paused', { exact: true }).waitFor();
    const eventsOf = async (): Promise<number> => {
      const { machines } = (await (await fetch(`${url}api/machines`)).json()) as { machines: { events: number }[] };
      return machines.reduce((sum, { events }) => sum + events, 0);
    };
    const paused = await eventsOf();
    await page.waitForTimeout(500);
    assert.equal(await eventsOf(), paused);
    await page.getByRole('button', { name: 'Resume lab' }).click();
    while ((await eventsOf()) === paused) await page.waitForTimeout(50);
    await page.getByLabel('Speed').selectOption('0.0005');
    await page.getByText('0.0005×').first().waitFor();
  } finally {
    await browser.close();
  }
  assert.equal(await lab.interrupt(), 0, lab.stderr);
  const { logs } = lab.lines.at(-1) as unknown as { logs: { path: string }[] };
  assert.deepEqual(
    logs.map(({ path }) => path),
    ['steered.arrow', 'steered-2.arrow'],
  );
  for (const { path } of logs) assert.equal((await s2lab(['verify', path], dir)).status, 0, path);
});

test('recording stops aloud at its limit, and the lab goes on', async () => {
  const lab = new StartedLab(['--speed', 'max', '--scenario', 'migration', '--max-log-bytes', '100KiB']);
  await lab.listening();
  while (!lab.stderr.includes('recording stopped')) await once(lab.child.stderr, 'data');
  assert.match(lab.stderr, /recording stopped: the log reached its limit of 100\.0 KiB/);
  assert.equal(await lab.interrupt(), 0);
  const ended = lab.lines.at(-1) as unknown as Ended;
  const verified = await s2lab(['verify', ended.log.path, '--json'], dir);
  assert.equal(verified.status, 0, verified.stdout);
  assert.ok((JSON.parse(verified.stdout) as { events: number }).events < ended.events || !ended.interrupted);
});

test('a port in use is one line with what to do', async () => {
  const lab = new StartedLab(['--no-log']);
  const { url } = await lab.listening();
  const second = await s2lab(['start', '--no-log', '--port', new URL(url).port], dir);
  assert.equal(second.status, 2);
  assert.match(second.stderr, /^s2lab: port \d+ on 127\.0\.0\.1 is in use; choose another one with --port[^\n]*\n$/);
  assert.equal(await lab.interrupt(), 0);
});

/** The names and values above a chart. */
async function legend(page: Page, title: string): Promise<string> {
  return page
    .getByRole('figure', { name: new RegExp(`^${title}`) })
    .locator('ul')
    .innerText();
}

/** Waits until the values above a chart are others than now. */
async function changes(page: Page, title: string): Promise<void> {
  const first = await legend(page, title);
  for (let tries = 0; tries < 100; tries += 1) {
    await page.waitForTimeout(200);
    if ((await legend(page, title)) !== first) return;
  }
  assert.fail(`${title} does not move: ${first}`);
}
