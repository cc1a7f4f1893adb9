/*
 * Speed and memory of the verifier, from frames in memory. Prints JSON lines. Arguments: events to fold (default 20 million;
 * `--flat` folds 10^8 and shows that memory stays where it was after the first tenth).
 */
import type { Frame } from '@s2lab/events';
import { ACCESS, EventColumns, FRAME_ROWS } from '@s2lab/events';
import { framesOf, Trace } from '@s2lab/testkit';
import type { EventInput } from '@s2lab/events';
import { Verifier } from '../src/index.ts';

const IPA = 0x4000_0000;
const PA = 0x8000_0000;
const PAGES = 512;
const MIB2 = 0x20_0000;

/** Seeded order of the pages, so that slots are not touched one after the other. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  let state = 0x9e37_79b9;
  for (let i = count - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const j = (state >>> 0) % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/**
 * Events before the cycle, and one cycle: 512 faults, each with the access that caused it and two more by the cached translation, a
 * collapse with its teardown, a lazy split, 64 faults, unmaps. It ends as it began.
 */
function stream(): { prelude: EventInput[]; cycle: EventInput[] } {
  const t = new Trace({ vcpus: 4, run: 'bench' }).memslot(0, IPA, 4 * MIB2, PA).map(0, IPA + MIB2, PA + MIB2, 2);
  const prelude = t.events.length;
  for (const page of shuffled(PAGES)) {
    const [vcpu, ipa, pa] = [page % 4, IPA + page * 4096, PA + page * 4096];
    t.map(vcpu, ipa, pa).access(vcpu, ipa, ACCESS.write).hit(vcpu, ipa, pa).hit(vcpu, ipa, pa, ACCESS.write);
  }
  t.map(1, IPA, PA, 2).reclaim(2).reuse(2);
  for (const page of shuffled(64)) t.map(page % 4, IPA + page * 4096, PA + page * 4096);
  for (const page of shuffled(64)) t.unmap(IPA + page * 4096);
  const still = t.events.map((event) => ({ ...event, at: 0 }) as EventInput);
  return { prelude: still.slice(0, prelude), cycle: still.slice(prelude) };
}

/** Whole frames of as many cycles as fit. */
function block(cycle: readonly EventInput[]): EventColumns {
  const encoded = framesOf(cycle, {}, cycle.length)[0]!.rows;
  const times = Math.max(1, Math.floor(FRAME_ROWS / encoded.length));
  const columns = new EventColumns(times * encoded.length);
  for (const name of ['at', 'old', 'new', 'ipa', 'kind', 'actor', 'walk', 'stage2', 'level', 'slot', 'table', 'arg', 'aux'] as const) {
    const from = encoded[name];
    const wide = from.length / encoded.length;
    for (let i = 0; i < times; i++) (columns[name] as Uint32Array).set(from as Uint32Array, i * encoded.length * wide);
  }
  columns.length = columns.capacity;
  return columns;
}

function fold(events: number, watch: (done: number) => void): number {
  const { prelude, cycle } = stream();
  const [first] = framesOf(prelude, { run: 'bench' }, prelude.length);
  const rows = block(cycle);
  const verifier = new Verifier();
  verifier.fold(first!);
  let seq = prelude.length;
  const { origin } = first!;
  const start = process.cpuUsage();
  while (seq < events) {
    const frame: Frame = { origin, firstSeq: seq, rows };
    verifier.fold(frame);
    seq += rows.length;
    watch(seq);
  }
  const used = process.cpuUsage(start);
  const verdict = verifier.finish();
  if (verdict.verdict !== 'holds') throw new Error(`the stream must be valid: ${JSON.stringify(verdict.violations[0])}`);
  return seq / ((used.user + used.system) / 1e6);
}

function line(name: string, value: number, unit: string, target: number, better: 'higher' | 'lower'): void {
  console.log(JSON.stringify({ name, value: Math.round(value * 100) / 100, unit, target, better }));
}

const flat = process.argv.includes('--flat');
const events = flat ? 100_000_000 : Number(process.argv[2] ?? 20_000_000);
let early = 0;
let rss = 0;
const perSecond = fold(events, (done) => {
  if (early === 0 && done > events / 10) {
    early = process.memoryUsage().rss;
    rss = early;
  }
  if (early > 0 && done % (64 * FRAME_ROWS) < FRAME_ROWS) rss = Math.max(rss, process.memoryUsage().rss);
});
line('verify.memory.events', perSecond / 1e6, 'M events/s', 8, 'higher');
line('verify.memory.growth', (rss - early) / 2 ** 20, `MiB over ${(events * 0.9) / 1e6} M events`, 16, 'lower');
