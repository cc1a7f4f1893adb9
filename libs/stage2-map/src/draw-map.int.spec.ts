import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { copyRows } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { BROWSER_FLAGS, requireCapability } from '@s2lab/testkit';
import { MachineView } from '@s2lab/timeline';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import {
  captureStage2,
  DARK_PALETTE,
  drawStage2Map,
  fitView,
  LevelRuns,
  LIGHT_PALETTE,
  mapBands,
  SLOT,
  stateToJson,
  xOf,
} from './index.ts';
import type * as Map from './index.ts';
import type { Rgb, Stage2State } from './index.ts';

const WIDTH = 900;
const HEIGHT = 260;

/** A machine of the built-in smoke run, in the midst of dirty logging. */
function midst(): Stage2State {
  const { producer } = assembleFleet(builtinScenarios.get('smoke')!, { seed: 3 });
  const view = new MachineView();
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity))
    if (frame.origin.machine === 0) view.fold(copyRows(frame.rows), frame.firstSeq, 3000);
  const state = captureStage2(view, { run: 'r', machine: 0, policy: 'rcu', machineKind: 'kvm' });
  const pages = state.levels[3]!;
  assert.ok(pages.length > 0);
  const free = { vmid: 1, table: 99, level: 2, ipa: pages.ipa[0]! + 8 * 2 ** 21, sinceNs: 0, held: false };
  const walker = {
    actor: 0,
    name: 'vCPU 0',
    kind: 'software',
    level: 3,
    table: 1,
    slot: 1,
    ipa: pages.ipa[0]! + 0x8000,
    sinceSeq: 1,
    why: '',
  } as const;
  return { ...state, pending: [free], walkers: [walker] };
}

test('the map in a browser has the colours of the palette where the descriptors are, in light and dark, and the library needs nothing of the engine', async (t) => {
  const executablePath = requireCapability(t, 'chromium');
  if (executablePath === undefined) return;
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL('./index.ts', import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    format: 'iife',
    globalName: 'stage2Map',
    target: 'es2022',
  });
  const weight = (name: string): number =>
    Object.entries(metafile.outputs).reduce(
      (sum, [, { inputs }]) =>
        sum + Object.entries(inputs).reduce((s, [path, { bytesInOutput }]) => s + (path.includes(name) ? bytesInOutput : 0), 0),
      0,
    );
  assert.ok(weight('libs/engine') < 1000, `${weight('libs/engine')} bytes of the engine are in the bundle`);
  const state = midst();
  const browser = await chromium.launch({ executablePath, args: BROWSER_FLAGS });
  try {
    const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT } });
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.setContent(
      `<body style="margin:0"><canvas width="${2 * WIDTH}" height="${2 * HEIGHT}" style="width:${WIDTH}px;height:${HEIGHT}px"></canvas>`,
    );
    await page.addScriptTag({ content: outputFiles[0]!.text });
    const view = fitView(state, WIDTH, HEIGHT);
    const bands = mapBands(state, view);
    const colourAt = async (x: number, y: number): Promise<readonly number[]> =>
      page.evaluate(
        ([px, py]) =>
          [
            ...document
              .querySelector('canvas')!
              .getContext('2d')!
              .getImageData(Math.round(2 * px!), Math.round(2 * py!), 1, 1).data,
          ].slice(0, 3),
        [x, y],
      );
    for (const dark of [false, true]) {
      const palette: typeof LIGHT_PALETTE = dark ? DARK_PALETTE : LIGHT_PALETTE;
      await page.evaluate(
        ([json, shown, isDark]) => {
          const lib = (globalThis as unknown as { stage2Map: typeof Map }).stage2Map;
          const canvas = document.querySelector('canvas')!.getContext('2d')!;
          lib.drawStage2Map(canvas, lib.stateFromJson(json as Map.Stage2StateJson), shown as Map.MapView, {
            palette: isDark === true ? lib.DARK_PALETTE : lib.LIGHT_PALETTE,
            ratio: 2,
          });
        },
        [JSON.parse(JSON.stringify(stateToJson(state))), view, dark] as const,
      );
      const near = (actual: readonly number[], wanted: Rgb, what: string): void =>
        assert.ok(
          actual.every((part, i) => Math.abs(part - wanted[i]!) <= 2),
          `${what}: ${String(actual)}, wanted ${wanted.join()}`,
        );
      let looked = 0;
      for (const { level, top, height } of bands) {
        const runs = state.levels[level]!;
        const span = [2 ** 39, 2 ** 30, 2 ** 21, 2 ** 12][level]!;
        for (let i = 0; i < runs.length; i += 1) {
          const from = xOf(view, runs.ipa[i]!);
          const to = xOf(view, runs.ipa[i]! + runs.count[i]! * span);
          const x = (Math.max(from, 31) + Math.min(to, WIDTH - 8)) / 2;
          if (Math.min(to, WIDTH - 8) - Math.max(from, 31) < 6 || Math.abs(x - xOf(view, state.walkers[0]!.ipa)) < 8) continue;
          near(await colourAt(x, top + height / 3), palette.slots[runs.state[i]!]!, `level ${level} run ${i}`);
          looked += 1;
          if (looked > 30) break;
        }
      }
      assert.ok(looked > 3, String(looked));
      const mark = bands.find(({ level }) => level === 3)!;
      near(await colourAt(xOf(view, state.walkers[0]!.ipa), mark.top + mark.height - 5), palette.software, 'the walker');
    }
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
  }
});

test('drawing a million fragmented pages paints no more rectangles than there are pixels', () => {
  const levels = [0, 1, 2, 3].map(() => new LevelRuns());
  for (let page = 0; page < 1_000_000; page += 1)
    levels[3]!.add(page * 4096, 1, page >>> 9, page & 511, page % 3 === 0 ? SLOT.page : SLOT.empty, 0, 0);
  const state: Stage2State = { ...midst(), levels, pending: [], walkers: [] };
  let rectangles = 0;
  const canvas = new Proxy({} as CanvasRenderingContext2D, {
    get: () => () => {
      rectangles += 1;
    },
    set: () => true,
  });
  drawStage2Map(canvas, state, { from: 0, to: 2 ** 32, width: WIDTH, height: HEIGHT }, { palette: LIGHT_PALETTE, ratio: 1 });
  assert.ok(rectangles < 4 * WIDTH, String(rectangles));
});
