import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BROWSER_FLAGS, capability, requireCapability } from '@s2lab/testkit';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { s2lab } from './spawned-cli.ts';
import { StartedPage } from './started-page.ts';

/** A recording of the kernel's own code with its grace period taken out: tables are freed under readers. */
const BROKEN = fileURLToPath(new URL('../../../testdata/golden/broken/free-now.parallel-1025.jsonl.gz', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

const dir = mkdtempSync(join(tmpdir(), 's2lab-ui-'));
const log = join(dir, 'broken.arrow');
let browser: Browser | undefined;

before(async () => {
  assert.equal((await s2lab(['import', 'golden', BROKEN, '-o', log], dir)).status, 0);
  const found = capability('chromium');
  if (found.available) browser = await chromium.launch({ executablePath: found.path, args: BROWSER_FLAGS });
});
after(async () => {
  await browser?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A page that says all that goes wrong on it. */
async function newPage(t: TestContext): Promise<{ page: Page; complaints: string[] } | undefined> {
  if (requireCapability(t, 'chromium') === undefined) return undefined;
  const page = await browser!.newPage({ viewport: { width: 1440, height: 900 } });
  t.after(() => page.close());
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  return { page, complaints };
}

/** Serves a folder as any web server would. @returns its address */
async function serveFolder(t: TestContext, folder: string): Promise<string> {
  const site = createServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : request.url!;
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/json' }).end(readFileSync(join(folder, path)));
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  t.after(() => site.close());
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
}

/** Waits until the address says that `seq` is shown. */
async function isAt(page: Page, seq: number): Promise<void> {
  await page.waitForFunction((wanted) => new URLSearchParams(location.hash.slice(1)).get('seq') === String(wanted), seq);
}

/** Names of the colours on a canvas: a picture that was drawn has several. */
function coloursOf(page: Page, panel: string): Promise<number> {
  return page
    .getByRole('region', { name: panel })
    .locator('canvas')
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      const words = new Uint32Array(data.buffer);
      return new Set(words).size;
    });
}

test('a log on a page opens at its first violation and is gone through by keys, forwards and backwards', async (t) => {
  const opened = await newPage(t);
  if (opened === undefined) return;
  const { page, complaints } = opened;
  const served = new StartedPage(['ui', log, '--port', '0', '--json'], dir);
  t.after(() => served.child.kill('SIGKILL'));
  const { url } = await served.listening();
  await page.goto(url);
  await page.getByRole('status').filter({ hasText: 'violated: 44 violations' }).waitFor();
  await isAt(page, 632);
  await page.getByText('table 3 was freed while vCPU 1 is still in a read-side section').first().waitFor();
  for (const panel of ['Time line', 'Stage-2', 'Lanes']) assert.ok((await coloursOf(page, panel)) > 4, panel);

  await page.keyboard.press('[');
  await isAt(page, 97);
  const step = page.getByRole('region', { name: 'Event', exact: true });
  await step.getByText('descriptor-swapped table=2 slot=350').waitFor();
  assert.match(await step.locator('.change').innerText(), /was[^]*table at PA[^]*is[^]*locked/);
  assert.match(await page.getByRole('tree').locator('.changed').innerText(), /\[350\][^]*locked/);

  await page.keyboard.press('ArrowLeft');
  await isAt(page, 96);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await isAt(page, 98);
  await page.getByRole('tree').getByText('table 2', { exact: true }).waitFor();
  await page.keyboard.press('n');
  await isAt(page, 1314);
  await page.keyboard.press('N');
  await isAt(page, 632);

  await page.goto(`${url}#machine=0&seq=97&slot=2/350`);
  await isAt(page, 97);
  await page.keyboard.press('W');
  await page.waitForFunction(() => Number(new URLSearchParams(location.hash.slice(1)).get('seq')) < 97);
  await page.keyboard.press('w');
  await isAt(page, 97);
  await page.keyboard.press('.');
  await isAt(page, 98);

  await page.getByRole('searchbox').fill('kind=table-freed table=3');
  await page.getByRole('searchbox').press('Enter');
  await isAt(page, 632);
  await page.getByRole('searchbox').fill('kind=nothing');
  await page.getByRole('searchbox').press('Enter');
  await page.getByRole('alert').filter({ hasText: 'there is no kind nothing' }).waitFor();
  await page.getByRole('button', { name: 'Help: keys' }).click();
  await page.getByRole('dialog').getByText('event of the proof before').waitFor();
  await page.keyboard.press('Escape');

  await page.keyboard.press('Home');
  await isAt(page, 0);
  await page.getByRole('button', { name: 'Play (Space)' }).click();
  await page.waitForFunction(() => Number(new URLSearchParams(location.hash.slice(1)).get('seq')) > 3);
  await page.getByRole('button', { name: /Play|Pause/ }).click();
  // The search for a kind that does not exist was refused, and the browser notes a refused request.
  assert.deepEqual(
    complaints.filter((line) => !line.includes('404')),
    [],
  );
  assert.equal(await served.interrupt(), 0, served.stderr);
});

/** First address that the map's tip names: that under the pointer. */
async function addressUnderPointer(page: Page): Promise<number> {
  const tip = await page.getByRole('region', { name: 'Stage-2' }).locator('.note').innerText();
  return Number(/0x[\da-f]+/.exec(tip)?.[0] ?? NaN);
}

/** Where a panel's canvas is: its left edge, width and middle, CSS pixels. */
async function placeOf(page: Page, panel: string): Promise<{ x: number; width: number; middle: number }> {
  const canvas = page.getByRole('region', { name: panel }).locator('canvas');
  await canvas.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await canvas.boundingBox())!;
  return { x, width, middle: y + height / 2 };
}

function seqOf(page: Page): number {
  return Number(new URLSearchParams(new URL(page.url()).hash.slice(1)).get('seq'));
}

test('a wheel zooms the map and a drag moves it, and what is under the pointer stays under it; keys do the same', async (t) => {
  const opened = await newPage(t);
  if (opened === undefined) return;
  const { page, complaints } = opened;
  const served = new StartedPage(['ui', log, '--port', '0', '--json'], dir);
  t.after(() => served.child.kill('SIGKILL'));
  const { url } = await served.listening();
  await page.goto(`${url}#machine=0&seq=632`);
  await isAt(page, 632);
  const asked: URLSearchParams[] = [];
  page.on('request', (request) => {
    if (request.url().includes('api/log/moment')) asked.push(new URL(request.url()).searchParams);
  });
  const { x, width, middle } = await placeOf(page, 'Stage-2');
  const at = async (share: number): Promise<number> => {
    await page.mouse.move(x + share * width, middle);
    return addressUnderPointer(page);
  };
  const [left, centre, right] = [await at(0.2), await at(0.5), await at(0.8)];
  assert.ok(left < centre && centre < right, `${left} ${centre} ${right}`);
  const page4k = 4096;
  await at(0.5);
  for (let notch = 0; notch < 6; notch += 1) await page.mouse.wheel(0, -100);
  await page.waitForFunction(() => performance.getEntriesByType('resource').some(({ name }) => /log\/moments.*&?from=[1-9]/.test(name)));
  const [nearLeft, nearCentre, nearRight] = [await at(0.2), await at(0.5), await at(0.8)];
  assert.ok(Math.abs(nearCentre - centre) <= page4k, 'the wheel zooms around the pointer');
  const ratio = (right - left) / (nearRight - nearLeft);
  assert.ok(ratio > 4 && ratio < 5.5, `six notches bring the map 1.3⁶ = 4.8 times closer: ${ratio}`);
  assert.ok(Number(asked.at(-1)!.get('to')) - Number(asked.at(-1)!.get('from')) < 4 * (right - left), 'that part is asked for in full');

  await at(0.5);
  await page.mouse.down();
  await page.mouse.move(x + 0.6 * width, middle, { steps: 4 });
  await page.mouse.move(x + 0.7 * width, middle, { steps: 4 });
  await page.mouse.up();
  assert.ok(Math.abs((await at(0.7)) - nearCentre) <= 2 * page4k, 'what was under the pointer went with it');
  assert.equal(await page.locator('.chosen-slot b').count(), 0, 'a drag chooses nothing');
  await page.mouse.down();
  await page.mouse.up();
  await page.locator('.chosen-slot b').waitFor();

  await page.getByRole('button', { name: 'Show all of the map' }).click();
  assert.equal(await at(0.2), left);
  const map = page.getByRole('region', { name: 'Stage-2' }).locator('canvas');
  await map.focus();
  await map.press('+');
  assert.ok((await at(0.2)) > left);
  await map.press('-');
  assert.ok(Math.abs((await at(0.2)) - left) <= page4k);
  await map.press('+');
  const before = await at(0.2);
  await map.press('Shift+ArrowRight');
  assert.ok((await at(0.2)) > before, 'the map moves on');
  await map.press('0');
  assert.equal(await at(0.2), left);
  assert.equal(await page.getByRole('spinbutton').inputValue(), '632', 'no key went to the page');
  await map.press('ArrowRight');
  await isAt(page, 633);
  assert.deepEqual(complaints, []);
});

test('the time line is dragged along, the lanes are zoomed, and twenty steps are a handful of questions', async (t) => {
  const opened = await newPage(t);
  if (opened === undefined) return;
  const { page, complaints } = opened;
  const served = new StartedPage(['ui', log, '--port', '0', '--json'], dir);
  t.after(() => served.child.kill('SIGKILL'));
  const { url } = await served.listening();
  await page.goto(`${url}#machine=0&seq=100`);
  await isAt(page, 100);
  const { events } = ((await (await fetch(`${url}api/log/about`)).json()) as { machines: { events: number }[] }).machines[0]!;
  const line = await placeOf(page, 'Time line');
  const eventAt = (share: number): number => Math.round((share * line.width * (events - 1)) / (line.width - 2));
  await page.mouse.move(line.x + 0.25 * line.width, line.middle);
  await page.mouse.down();
  await isAt(page, eventAt(0.25));
  await page.mouse.move(line.x + 0.5 * line.width, line.middle, { steps: 5 });
  await isAt(page, eventAt(0.5));
  await page.mouse.up();
  await page.mouse.move(line.x + 0.75 * line.width, line.middle, { steps: 5 });
  await page.getByText(/^events [\d,]+ and \d+ more/).waitFor();
  assert.equal(seqOf(page), eventAt(0.5), 'no drag without a button');

  // Ten notches show 1.3¹⁰ = 13.8 times fewer events, around the pointer.
  await page.mouse.move(line.x + 0.5 * line.width, line.middle);
  for (let notch = 0; notch < 10; notch += 1) await page.mouse.wheel(0, -100);
  await page.mouse.click(line.x + 0.75 * line.width, line.middle);
  const near = eventAt(0.5) + (eventAt(0.75) - eventAt(0.5)) / 1.3 ** 10;
  await page.waitForFunction((past) => Number(new URLSearchParams(location.hash.slice(1)).get('seq')) > past, eventAt(0.5));
  assert.ok(Math.abs(seqOf(page) - near) <= 3, `event ${seqOf(page)}, where ${near} was pointed at`);
  await page.mouse.wheel(400, 0);
  await page.mouse.click(line.x + 0.75 * line.width, line.middle);
  await page.waitForFunction((past) => Number(new URLSearchParams(location.hash.slice(1)).get('seq')) > past, Math.ceil(near) + 50);
  await page.mouse.dblclick(line.x + 0.5 * line.width, line.middle);
  await page.mouse.click(line.x + 0.5 * line.width, line.middle);
  await isAt(page, eventAt(0.5));

  // Where one clicks in the lanes, as many events away as are shown there.
  const away = async (): Promise<number> => {
    await page.getByRole('spinbutton').fill(String(eventAt(0.5)));
    await page.getByRole('spinbutton').press('Enter');
    await isAt(page, eventAt(0.5));
    const { x, width, middle } = await placeOf(page, 'Lanes');
    await page.mouse.click(x + 0.8 * width, middle);
    await page.waitForFunction((from) => Number(new URLSearchParams(location.hash.slice(1)).get('seq')) > from, eventAt(0.5));
    return seqOf(page) - eventAt(0.5);
  };
  const usual = await away();
  for (let notch = 0; notch < 3; notch += 1) await page.mouse.wheel(0, 100);
  const zoomed = await away();
  assert.ok(zoomed > 1.5 * usual, `${usual} events away, and ${zoomed} with more of them shown`);

  await page.waitForLoadState('networkidle');
  let questions = 0;
  page.on('request', () => (questions += 1));
  const from = seqOf(page);
  for (let step = 0; step < 20; step += 1) await page.keyboard.press('ArrowRight');
  await isAt(page, from + 20);
  assert.ok(questions <= 6, `${questions} questions for 20 steps`);
  await page.getByRole('button', { name: 'Play (Space)' }).click();
  await page.waitForFunction((past) => Number(new URLSearchParams(location.hash.slice(1)).get('seq')) > past, from + 20);
  await page.keyboard.press(' ');
  await page.getByRole('button', { name: 'Play (Space)' }).filter({ hasText: 'play' }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('kind=lock-acquired');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Home');
  await isAt(page, 0);
  assert.deepEqual(complaints, []);
});

test('as a static site the page reads and verifies a log in the browser: the same verdict, the same moment', async (t) => {
  const opened = await newPage(t);
  if (opened === undefined) return;
  const { page, complaints } = opened;
  const folder = join(dir, 'site');
  const written = await s2lab(['ui', '--export', folder, '--json'], dir);
  assert.equal(written.status, 0, written.stderr);
  const again = await s2lab(['ui', '--export', folder], dir);
  assert.equal(again.status, 2);
  assert.match(again.stderr, /is not empty; choose another one, or write into it with --force/);
  await page.goto(await serveFolder(t, folder));
  await page.getByText('Drop a log here').waitFor();
  await page.getByLabel('Log file').setInputFiles(BROKEN);
  await page.getByText('this is no event log').waitFor();
  await page.getByLabel('Log file').setInputFiles(log);
  await page.getByRole('status').filter({ hasText: 'violated: 44 violations' }).waitFor();
  await page.evaluate(() => {
    location.hash = '#machine=0&seq=632';
  });
  await isAt(page, 632);
  const events = page.getByRole('region', { name: 'Walkers' });
  await events.getByText('in a read-side section since event 93').waitFor();
  const shown = JSON.parse((await s2lab(['show', log, '--at', '632', '--json'], dir)).stdout) as { liveTables: number };
  await events.getByText(`${shown.liveTables} live tables`).waitFor();

  const dropped = await page.evaluateHandle((base64) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], 'dropped.arrow'));
    return transfer;
  }, readFileSync(log).toString('base64'));
  await page.dispatchEvent('body', 'dragover', { dataTransfer: dropped });
  await page.dispatchEvent('body', 'drop', { dataTransfer: dropped });
  await page.getByText('dropped.arrow').waitFor();
  await page.getByRole('status').filter({ hasText: 'violated: 44 violations' }).waitFor();
  await isAt(page, 0);
  await page.keyboard.press('n');
  await isAt(page, 632);
  assert.deepEqual(complaints, []);
});

test('a site that was exported with its log opens where a link points', async (t) => {
  const opened = await newPage(t);
  if (opened === undefined) return;
  const { page, complaints } = opened;
  const folder = join(dir, 'site-with-log');
  assert.equal((await s2lab(['ui', log, '--export', folder], dir)).status, 0);
  await page.goto(`${await serveFolder(t, folder)}#machine=0&seq=97&slot=2/350`);
  await isAt(page, 97);
  await page.getByRole('region', { name: 'Event', exact: true }).getByText('descriptor-swapped table=2 slot=350').waitFor();
  await page.locator('.chosen-slot b').filter({ hasText: 'slot 2/350' }).waitFor();
  await page.keyboard.press('ArrowLeft');
  await isAt(page, 96);
  assert.deepEqual(complaints, []);
});

test('the log of a running lab grows on the page, and the page goes back in it while the lab runs', async (t) => {
  const opened = await newPage(t);
  if (opened === undefined) return;
  const { page, complaints } = opened;
  const lab = new StartedPage(['start', '--port', '0', '--json', '--speed', '0.004', '-o', 'live.arrow'], dir);
  t.after(() => lab.child.kill('SIGKILL'));
  const { url } = await lab.listening();
  await page.goto(url);
  await page.getByRole('link', { name: 'Log' }).click();
  const newest = async (): Promise<number> => Number(new URLSearchParams(new URL(page.url()).hash.slice(1)).get('seq'));
  await page.waitForFunction(() => Number(new URLSearchParams(location.hash.slice(1)).get('seq')) > 100);
  const first = await newest();
  await page.waitForFunction((before) => Number(new URLSearchParams(location.hash.slice(1)).get('seq')) > before, first);
  await page.goto(`${url}#machine=0&seq=100`);
  await isAt(page, 100);
  await page.keyboard.press('ArrowLeft');
  await isAt(page, 99);
  await page.getByRole('link', { name: 'Live' }).click();
  await page.getByRole('figure', { name: /^Collapse rate/ }).waitFor();
  const control = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ policy: 'rwlock' }) };
  assert.ok((await fetch(`${url}api/control`, control)).ok);
  await page.getByRole('link', { name: 'Log' }).click();
  await page.getByText('live-2.arrow').waitFor();
  await page.getByRole('combobox', { name: 'Machine' }).getByText('rwlock').first().waitFor({ state: 'attached' });
  assert.deepEqual(complaints, []);
  assert.equal(await lab.interrupt(), 0, lab.stderr);
});
