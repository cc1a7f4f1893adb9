// The page on a log of 10⁷ events in Chromium: from the address to the event on the screen, with and without a survey beside the log, and
// steps as a reader takes them, one key a frame and at any moment between two frames:
// - key to drawn: until the page holds the new event, all panels and canvases drawn, before the browser lays it out and paints it;
// - key to frame: until the browser has laid out and painted it and handed it to the compositor; the wait for the next of 60 frames a second,
//   8.3 ms on average, is part of it, and while a held key repeats that is all a reader can see;
// - CPU time of server and browser together, the drawing of the whole frame in software included; the least of a few rounds, because what
//   else runs on the machine makes it longer, never shorter.
// S2LAB_BENCH_EVENTS sets another number of events.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogFile, startExplorer } from '@s2lab/explorer';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { capability } from '@s2lab/testkit';
import { FileSink } from '@s2lab/transport-file';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';

const EVENTS = Number(process.env['S2LAB_BENCH_EVENTS'] ?? 10_000_000);
const OPENINGS = 5;
const STEPS = 60;
const ROUNDS = 4;

function report(name: string, value: number, target: number): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit: 'ms', target, better: 'lower' }));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

async function record(path: string): Promise<void> {
  const { producer } = assembleFleet(builtinScenarios.get('demo')!, { seed: 1 });
  const sink = await FileSink.create(path);
  let events = 0;
  for (let frame = producer.nextFrame(Infinity); frame !== undefined && events < EVENTS; frame = producer.nextFrame(Infinity)) {
    await sink.write(frame);
    events += frame.rows.length;
  }
  await sink.close();
}

/** Milliseconds from the address to the first paint, and to the event on the screen. */
async function openPage(browser: Browser, url: string): Promise<{ page: Page; paint: number; shown: number }> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(url);
  await page.locator('.what').waitFor();
  const shown = await page.evaluate(() => performance.now());
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]!.startTime);
  return { page, paint, shown };
}

/** Milliseconds of CPU that this process and all processes of the browser have used. */
async function cpuMs(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + processInfo.reduce((sum, { cpuTime }) => sum + 1000 * cpuTime, 0);
}

interface StepTimes {
  /** Milliseconds from each key until the page is drawn, and until its frame is. */
  readonly drawn: number[];
  readonly framed: number[];
}

/** Presses `key` time and again, as an untidy reader would: each time at another moment between two frames. */
function stepTimes(page: Page, key: string): Promise<StepTimes> {
  return page.evaluate(
    async ({ key: pressed, steps }) => {
      const place = document.querySelector('.what')!.closest('section')!.querySelector('h2')!;
      const times: StepTimes = { drawn: [], framed: [] };
      const nextFrame = (): Promise<void> =>
        new Promise((resolve) => {
          // A message that is sent while a frame begins is heard when it is made.
          const { port1, port2 } = new MessageChannel();
          port1.addEventListener('message', () => resolve());
          port1.start();
          requestAnimationFrame(() => port2.postMessage(null));
        });
      for (let i = 0; i < steps; i += 1) {
        await new Promise((resolve) => setTimeout(resolve, (i * 7) % 17));
        const before = place.textContent;
        const drawn = new Promise<void>((resolve) => {
          const look = new MutationObserver(() => {
            if (place.textContent === before) return;
            look.disconnect();
            resolve();
          });
          look.observe(place, { childList: true, characterData: true, subtree: true });
        });
        const began = performance.now();
        dispatchEvent(new KeyboardEvent('keydown', { key: pressed }));
        await drawn;
        times.drawn.push(performance.now() - began);
        await nextFrame();
        times.framed.push(performance.now() - began);
      }
      return times;
    },
    { key, steps: STEPS },
  );
}

const found = capability('chromium');
if (!found.available) throw new Error(`the page needs Chromium: ${found.reason}`);
const folder = await mkdtemp(join(tmpdir(), 's2lab-bench-'));
try {
  const path = join(folder, 'demo.arrow');
  await record(path);
  const browser = await chromium.launch({ executablePath: found.path, args: ['--headless', '--no-sandbox', '--disable-gpu'] });
  try {
    for (const surveyed of [false, true]) {
      const log = await LogFile.open(path, { tell: console.error });
      const explorer = await startExplorer({ host: '127.0.0.1', port: 0, log });
      const beside = surveyed ? 'with its survey beside it' : 'while it is surveyed';
      const paints: number[] = [];
      const showns: number[] = [];
      for (let i = 0; i < OPENINGS; i += 1) {
        const { page, paint, shown } = await openPage(browser, explorer.url);
        paints.push(paint);
        showns.push(shown);
        await page.close();
      }
      report(`page on a log of ${EVENTS} events ${beside}, first paint`, median(paints), 1000);
      report(`page on a log of ${EVENTS} events ${beside}, event shown`, median(showns), 1000);
      if (surveyed) {
        const { page } = await openPage(browser, `${explorer.url}#machine=0&seq=${EVENTS >> 3}`);
        await page.waitForLoadState('networkidle'); // opening was measured above
        for (const [name, key] of [
          ['forwards', 'ArrowRight'],
          ['backwards', 'ArrowLeft'],
        ] as const) {
          const rounds: (StepTimes & { readonly cpu: number })[] = [];
          for (let round = 0; round < ROUNDS; round += 1) {
            const began = await cpuMs(browser);
            const times = await stepTimes(page, key);
            rounds.push({ ...times, cpu: ((await cpuMs(browser)) - began) / STEPS });
          }
          const drawn = rounds.flatMap((round) => round.drawn);
          report(`step ${name} on the page, key to drawn`, median(drawn), 16);
          report(`step ${name} on the page, key to drawn, slowest of ${drawn.length}`, Math.max(...drawn), 16);
          report(`step ${name} on the page, key to frame`, median(rounds.flatMap((round) => round.framed)), 16);
          report(`step ${name} on the page, CPU of server and browser`, Math.min(...rounds.map(({ cpu }) => cpu)), 16);
        }
      } else while (!(await log.ask('about', {})).survey.complete) await new Promise((resolve) => setTimeout(resolve, 200));
      await explorer.close();
      await log.close();
    }
  } finally {
    await browser.close();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
