// `npm run images`: the picture of a run in the README, taken from the first dashboard of a lab that this script runs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { capability } from '@s2lab/testkit';
import { chromium } from 'playwright-core';

const PICTURE = fileURLToPath(new URL('../../../docs/images/reclaim.png', import.meta.url));
const BIN = fileURLToPath(new URL('../bin/s2lab.mjs', import.meta.url));

/** Wall seconds of the plain run, and of the same run with stalled grace periods. */
const PLAIN_S = 45;
const STALLED_S = 45;
const STALLED = { faults: [{ kind: 'stalled-grace-periods', durationNs: 4_000_000, oneIn: 500 }] };

const browserPath = capability('chromium');
if (!browserPath.available) throw new Error(`the picture needs chromium: ${browserPath.reason}`);

const lab = spawn(process.execPath, [BIN, 'start', '--port', '0', '--json', '--no-log', '--seed', '1', '--speed', '0.003'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [first] = (await once(lab.stdout, 'data')) as [Buffer];
const { url } = JSON.parse(first.toString().split('\n', 1)[0]!) as { url: string };
const browser = await chromium.launch({
  executablePath: browserPath.path,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 1010 }, colorScheme: 'light' });
  await page.goto(`${url}#view=reclaim`);
  await page.waitForTimeout(PLAIN_S * 1000);
  const answer = await fetch(`${url}api/control`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(STALLED),
  });
  if (!answer.ok) throw new Error(await answer.text());
  await page.waitForTimeout(STALLED_S * 1000);
  await page.screenshot({ path: PICTURE });
  console.log(`${PICTURE}: demo, seed 1, ${PLAIN_S} s, then ${STALLED_S} s of the same run with stalled grace periods`);
} finally {
  await browser.close();
  lab.kill('SIGINT');
  await once(lab, 'exit');
}
