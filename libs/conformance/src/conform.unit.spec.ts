import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { conform, differenceText } from './index.ts';

function recording(file: string): string[] {
  return gunzipSync(readFileSync(new URL(`../../../testdata/golden/${file}`, import.meta.url)))
    .toString()
    .split('\n');
}

const LINES = recording('stock/scripted-ia40.ps12.jsonl.gz');
const FAULT_PATH = recording('kvm/random-3107.ps14.jsonl.gz');

/** The recording with its first line that matches replaced, and the number of that line. */
function altered(what: RegExp, by: (line: string) => string | undefined, from: readonly string[] = LINES) {
  const at = from.findIndex((line) => what.test(line));
  assert.ok(at >= 0);
  const line = by(from[at]!);
  return { lines: [...from.slice(0, at), ...(line === undefined ? [] : [line]), ...from.slice(at + 1)], at: at + 1 };
}

const CHANGES: readonly (readonly [what: string, match: RegExp, by: (line: string) => string])[] = [
  ['a descriptor', /"e":"rel"/, (line) => line.replace('"new":"0x7', '"new":"0x6')],
  ['what a compare-and-exchange expected', /"e":"cas"/, (line) => line.replace('"exp":"0x0"', '"exp":"0x1"')],
  ['the outcome of a compare-and-exchange', /"e":"cas"/, (line) => line.replace('"ok":1', '"ok":0')],
  ['a reference count', /"e":"put"/, (line) => line.replace('"c":', '"c":1')],
  ['a table', /"e":"alloc"/, (line) => line.replace('"t":2', '"t":9')],
  ['the level hint of a TLBI', /"k":"ipa"/, (line) => line.replace('"l":3', '"l":2')],
  ['a barrier', /"k":"ishst"/, (line) => line.replace('ishst', 'ish')],
  ['who is handed to RCU', /"call_rcu"/, (line) => line.replace('"l":2', '"l":1')],
  ['a result', /"ret":-11/, (line) => line.replace('-11', '0')],
  ['pages left in a cache', /"mc_left"/, (line) => line.replace('"mc_left":', '"mc_left":4')],
  ['the leaf that was looked up', /"ret":0,"pte"/, (line) => line.replace('"pte":"0x1', '"pte":"0x2')],
  ['a digest', /"digest":"/, (line) => line.replace('"digest":"0x', '"digest":"0x1')],
  ['an entry of a dump', /"e":"pt"/, (line) => line.replace('"v":"0x7', '"v":"0x6')],
  ['a count in a dump', /"e":"pg"/, (line) => line.replace('"c":2', '"c":3')],
];

const FAULT_CHANGES: typeof CHANGES = [
  ['the kind of a fault', /"k":"perm"/, (line) => line.replace('perm', 'trans')],
  ['a top-up', /"topup"/, (line) => line.replace('"to":', '"to":1')],
  ['the size chosen', /"vma"/, (line) => line.replace('"max_map":"0x', '"max_map":"0x1')],
  ['a lock', /"lock","k":"r"/, (line) => line.replace('"r"', '"w"')],
  ['an offer to yield', /"resched"/, (line) => line.replace('"e":"resched"', '"e":"lock","k":"w"')],
  ['a dirty page', /"dirty"/, (line) => line.replace('"was":0', '"was":1')],
  ['the split cache given back', /"cache_free"/, (line) => line.replace('"n":', '"n":1')],
  ['the access flag set by hardware', /"hw_af"/, (line) => line.replace('"old":"0x', '"old":"0x1')],
  ['the result of the handler', /"abort_ret"/, (line) => line.replace('"r":0', '"r":-11')],
  ['the descriptor an access ended at', /"ret":0,"level"/, (line) => line.replace('"pte":"0x', '"pte":"0x1')],
];

for (const [what, match, by] of [...CHANGES, ...FAULT_CHANGES]) {
  test(`a recording with ${what} changed differs in that line`, () => {
    const faults = FAULT_CHANGES.some(([name]) => name === what);
    const { lines, at } = altered(match, by, faults ? FAULT_PATH : LINES);
    const { agreed, firstDifference } = conform(lines);
    assert.equal(agreed, false);
    assert.equal(firstDifference!.line, at);
    assert.equal(firstDifference!.event, lines[at - 1]);
    assert.notEqual(firstDifference!.expected, firstDifference!.got);
    assert.ok(differenceText(firstDifference!).some((text) => text.includes(`> ${at}: `)));
  });
}

test('an event that is missing or is not the engine’s shows in the line after it', () => {
  const { lines, at } = altered(/"e":"dsb","k":"ishst"/, () => undefined);
  assert.equal(conform(lines).firstDifference!.line, at);
  const warned = [...LINES.slice(0, 4), '{"e":"warn","what":"x"}', ...LINES.slice(4)];
  assert.match(conform(warned).firstDifference!.expected, /warn/);
});

test('the lock around the end of a stage-2 is not in recordings of the fault path: a named, counted exception', () => {
  assert.deepEqual(conform(FAULT_PATH).exceptions, { 'destroy_vm without its lock': 1 });
  assert.deepEqual(conform(LINES).exceptions, {});
});

test('only that lock is excepted: a recording that has it is compared with it, and one with a lock of its own in the teardown differs there', () => {
  const destroy = FAULT_PATH.findIndex((line) => line.includes('"destroy_vm"'));
  const locks = (...modes: readonly string[]) => modes.flatMap((k) => [`{"e":"lock","k":"${k}"}`, `{"e":"unlock","k":"${k}"}`]);
  const withLocks = (at: number, ...modes: readonly string[]) => FAULT_PATH.toSpliced(at, 0, ...locks(...modes));
  const recorded = conform(withLocks(destroy + 1, 'w'));
  assert.deepEqual([recorded.agreed, recorded.exceptions], [true, {}]);
  assert.equal(conform(withLocks(destroy + 1, 'r')).firstDifference!.line, destroy + 2);
  assert.equal(conform(withLocks(destroy + 2, 'w')).firstDifference!.line, destroy + 3);
});

test('what is no recording is refused with its line', () => {
  const refused = (lines: readonly string[], says: RegExp) =>
    assert.throws(() => conform(lines), { name: 'RecordingError', message: says });
  refused([], /line 1: the first line/);
  refused(['{"op":0}'], /line 1: the first line/);
  refused(LINES.slice(0, 20), /cut off|no result/);
  refused([LINES[0]!, '{"op":0,"name":"map","addr":"0x0"}', '{"ret":0}'], /before "init"/);
  refused(altered(/"name":"init"/, (line) => line.replace('"ia_bits":40', '"ia_bits":33.5')).lines, /ia_bits/);
  refused(altered(/"name":"init"/, (line) => line.replace('"page_shift":12', '"page_shift":13')).lines, /line 2: /);
  refused(altered(/"name":"map"/, (line) => line.replace('"map"', '"fold"')).lines, /"fold" is not known/);
  refused(['{"trace":1,"kernel":"v7.2.13","page_shift":12,"script":"x"}', '{"end":1}'], /mem_protect/);
});
