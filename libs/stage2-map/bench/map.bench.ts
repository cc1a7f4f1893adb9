// A stage-2 of a million mapped pages of which no two neighbours say the same: taken, bounded for the way over the network, and drawn at a
// width of 2,000 pixels. CPU time, medians over rounds. The canvas only counts: how fast a browser fills rectangles is not ours.
import { geometry } from '@s2lab/arch';
import { machineConfig, World } from '@s2lab/engine';
import { ActorActivity, PendingFrees } from '@s2lab/timeline';
import { captureStage2, drawStage2Map, fitView, LIGHT_PALETTE } from '@s2lab/stage2-map';

const PAGES = 1 << 20;
const ROUNDS = 7;
const WIDTH = 2000;
const VMID = 1;
const ORIGIN = { run: 'bench', machine: 0, policy: 'rcu', machineKind: 'kvm' };

function report(name: string, value: number, unit: string, target: number): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(3)), unit, target, better: 'lower' }));
}

/** Median CPU milliseconds of `work`. */
function cpuMs(work: () => void): number {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    if (round > 0) times.push((user + system) / 1000); // the first round warms up
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

/** A world whose tables map `PAGES` pages from address 0 on, every second one read-only. */
function fragmented(): World {
  const world = new World(machineConfig({ vcpus: 1, ipaBits: 40 }));
  const shape = geometry(12, 40);
  const { pages } = world;
  world.prepare(VMID, shape, { fwb: true, xnx: true, asStage1: false });
  const allocate = (level: number): number => {
    const frame = pages.nextFrame();
    pages.allocate(frame, level);
    return frame;
  };
  const link = (table: number, slot: number, child: number): void => {
    const d = pages.indexOf(table, slot);
    pages.descriptors[d] = pages.linkLo(child);
    pages.descriptors[d + 1] = pages.linkHi(child);
  };
  const root = allocate(1);
  for (let page = 1; page < shape.rootPages; page += 1) allocate(1);
  for (let gib = 0; gib * 262_144 < PAGES; gib += 1) {
    const middle = allocate(2);
    link(root, gib, middle);
    for (let slot = 0; slot < 512; slot += 1) {
      const last = allocate(3);
      link(middle, slot, last);
      for (let page = 0; page < 512; page += 1) {
        const output = ((gib * 512 + slot) * 512 + page) * 4096;
        const d = pages.indexOf(last, page);
        pages.descriptors[d] = (output % 2 ** 32) | ((page & 1) === 0 ? 0x7df : 0x75f);
        pages.descriptors[d + 1] = Math.floor(output / 2 ** 32);
      }
    }
  }
  const stage2 = world.stage2(VMID);
  stage2.root = root;
  stage2.rootPages = shape.rootPages;
  return world;
}

const world = fragmented();
const source = {
  world,
  vcpus: 1,
  nextSeq: 1,
  at: 0,
  actors: new ActorActivity(world.actors),
  pending: new PendingFrees(),
  childOf: (_world: World, lo: number, hi: number) => world.pages.frameOf(lo, hi),
};
const whole = captureStage2(source, ORIGIN);
const runs = whole.levels.reduce((sum, level) => sum + level.length, 0);
if (runs < PAGES) throw new Error(`${runs} runs are not a million`);
const view = fitView(whole, WIDTH, 400);
let rectangles = 0;
const canvas = new Proxy({} as CanvasRenderingContext2D, {
  get: () => () => {
    rectangles += 1;
  },
  set: () => true,
});

report(
  'map, a million pages, to plain data',
  cpuMs(() => captureStage2(source, ORIGIN)),
  'CPU ms',
  100,
);
report(
  'map, a million pages, to 4096 runs',
  cpuMs(() => captureStage2(source, ORIGIN, { maxRuns: 4096 })),
  'CPU ms',
  500,
);
const drawn = cpuMs(() => {
  rectangles = 0;
  drawStage2Map(canvas, whole, view, { palette: LIGHT_PALETTE, ratio: 1 });
});
report('map, a million pages, drawn', drawn, 'CPU ms', 50);
report('map, a million pages, calls of the canvas', rectangles, 'calls', 4 * WIDTH);
