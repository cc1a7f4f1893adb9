import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { formatVerdict, Verifier } from '@s2lab/invariants';
import { importGolden } from './index.ts';

/*
 * What a wrong kernel would have recorded: each line below changes a clean recording as a bug of one line in the code would, everywhere the
 * code comes by; what follows from it (what slots hold and counts are) is made to agree, so that the log does not contradict itself.
 */

const GOLDEN = join(import.meta.dirname, '../../../testdata/golden');
const LOCKED = '0x1000000000000000';
const WRITE = 1n << 7n;
const READ = 1n << 6n;
const ACCESSED = 1n << 10n;
const SHARE = 3n << 8n;
const TYPE = 0x3cn;
const XN = 3n << 53n;
const ADDRESS = 0xffff_ffff_f000n;

const PARALLEL = 'stock/parallel-1033-ia48-rng0-fwb0.ps12';
const SHARED = 'stock/parallel-1025-ia40.ps12';
const FAULTS = 'kvm/dirty-log-3000-chunk0x0-initset0.ps12';
const PKVM = 'pkvm/random-2001-parange2.ps12';

/** A line of a recording, with the operation that it belongs to. */
interface Line {
  [field: string]: unknown;
  readonly during: Line | undefined;
}

/** What a line becomes: itself, changed, or nothing. */
type Bug = (line: Line) => Line | undefined;

const bits = (line: Line, field: string): bigint => BigInt(line[field] as string);
const hex = (value: bigint): string => `0x${value.toString(16)}`;
const name = (line: Line): unknown => line.during?.['name'];
const isStore = ({ e, ok }: Line): boolean => e === 'wr' || e === 'rel' || (e === 'cas' && ok === 1);
const isTable = (line: Line, field: string): boolean => line['l'] !== 3 && (bits(line, field) & 3n) === 3n;
const isLeaf = (line: Line, field: string): boolean => (bits(line, field) & 1n) === 1n && !isTable(line, field);
const makes = (line: Line): boolean => line['e'] === 'rel' && isLeaf(line, 'new');

/** Leaves lines out. */
const without =
  (which: (line: Line) => boolean): Bug =>
  (line) =>
    which(line) ? undefined : line;

/** Changes what stores write. */
const writing =
  (which: (line: Line) => boolean, how: (value: bigint, line: Line) => bigint): Bug =>
  (line) =>
    isStore(line) && which(line) ? { ...line, new: hex(how(bits(line, 'new'), line)) } : line;

/** Makes plain stores of others. */
const plainly =
  (which: (line: Line) => boolean): Bug =>
  (line) =>
    isStore(line) && which(line) ? { ...line, e: 'wr' } : line;

const during =
  (operation: string, e: string) =>
  (line: Line): boolean =>
    line['e'] === e && name(line) === operation;

const storesDuring =
  (operation: string) =>
  (line: Line): boolean =>
    isStore(line) && name(line) === operation && isLeaf(line, 'old') && isLeaf(line, 'new');

/** What is wrong with the code, the recording it is shown on, what it does to it, and the invariant that must be the first to say so. */
const KINDS: readonly (readonly [wrong: string, recording: string, invariant: string, bug: Bug])[] = [
  ['a shared walk locks by a plain store', SHARED, 'I9', plainly((line) => line['new'] === LOCKED)],
  ['an attribute walk stores plainly while it is shared', SHARED, 'I9', plainly((line) => line['e'] === 'cas' && line['new'] !== LOCKED)],
  ['make stores plainly', SHARED, 'I15', plainly((line) => line['e'] === 'rel')],
  ['a table is linked plainly', PKVM, 'I15', plainly((line) => line['e'] === 'rel' && isTable(line, 'new'))],
  ['a parallel unmap holds the lock to read', SHARED, 'I9', (line) => (line['k'] === 'w' ? { ...line, k: 'r' } : line)],
  ['no read-side section', SHARED, 'I9', without((line) => line['e'] === 'rcu')],
  [
    'a map without write permission',
    SHARED,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'map',
      (value) => value & ~WRITE,
    ),
  ],
  [
    'a map that anybody may execute',
    SHARED,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'map',
      (value) => value & ~XN,
    ),
  ],
  [
    'a map of device memory only',
    SHARED,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'map',
      (value) => (value & ~TYPE) | 4n,
    ),
  ],
  [
    'a map that is not shareable',
    SHARED,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'map',
      (value) => value & ~SHARE,
    ),
  ],
  [
    'a map without the access flag',
    SHARED,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'map',
      (value) => value & ~ACCESSED,
    ),
  ],
  [
    'a map to the page beside',
    SHARED,
    'I10',
    writing(
      (line) => makes(line) && line['l'] === 3,
      (value) => value ^ 0x1000n,
    ),
  ],
  ['a relaxation does nothing', SHARED, 'I10', without(storesDuring('relax'))],
  ['a relaxation is not flushed', SHARED, 'I14', without(during('relax', 'tlbi'))],
  ['write protection takes reading away', SHARED, 'I10', writing(storesDuring('wrprotect'), (value) => value & ~READ)],
  ['write protection does nothing', SHARED, 'I10', without(storesDuring('wrprotect'))],
  ['ageing takes writing away', SHARED, 'I10', writing(storesDuring('age'), (_, line) => bits(line, 'old') & ~WRITE)],
  ['an unmap flushes its own core only', SHARED, 'I3', (line) => (line['k'] === 'ipa' ? { ...line, k: 'ipa_nsh' } : line)],
  [
    'an unmap flushes the page beside',
    PARALLEL,
    'I3',
    (line) => (line['k'] === 'ipa' ? { ...line, a: hex(bits(line, 'a') + 0x1000n) } : line),
  ],
  ['a flush names the level below', SHARED, 'I3', (line) => (line['k'] === 'ipa' ? { ...line, l: 3 } : line)],
  ['nothing is counted', SHARED, 'I7', without((line) => line['e'] === 'get')],
  ['a break keeps its reference', SHARED, 'I7', without(during('map', 'put'))],
  ['a map does not clean the data cache', PARALLEL, 'I15', without(during('map', 'dc'))],
  ['a map does not clean the data cache, with FWB', SHARED, 'I15', without(during('map', 'dc'))],
  ['a map leaves the instruction cache as it is', SHARED, 'I15', without(during('map', 'ic'))],
  ['a relaxation leaves the instruction cache as it is', PARALLEL, 'I15', without(during('relax', 'ic'))],
  [
    'a fault maps without the access flag',
    FAULTS,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'access',
      (value) => value & ~ACCESSED,
    ),
  ],
  [
    'a fault maps device memory',
    FAULTS,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'access',
      (value) => (value & ~TYPE) | 4n,
    ),
  ],
  ['a write fault marks nothing dirty', FAULTS, 'I12', without((line) => line['e'] === 'dirty')],
  [
    'a write fault marks the page beside',
    FAULTS,
    'I12',
    (line) => (line['e'] === 'dirty' ? { ...line, gfn: hex(bits(line, 'gfn') + 1n) } : line),
  ],
  ['logging begins without write protection', FAULTS, 'I12', without(storesDuring('log_on'))],
  ['logging begins without a flush', FAULTS, 'I12', without(during('log_on', 'tlbi'))],
  ['dirty bits are cleared without write protection', FAULTS, 'I12', without(storesDuring('clear_dirty'))],
  ['dirty bits are cleared without a flush', FAULTS, 'I12', without(during('clear_dirty', 'tlbi'))],
  ['the fault path takes no lock', FAULTS, 'I9', without(({ e }) => e === 'lock' || e === 'unlock')],
  ['a donated page stays the host’s', PKVM, 'I13', without(during('donate_guest', 'host_state'))],
  ['a shared page is noted by one side', PKVM, 'I13', without(during('share_hyp', 'hyp_state'))],
  ['a reclaimed page is not wiped', PKVM, 'I13', without((line) => during('reclaim', 'dc')(line) && line['zeroed'] === 1)],
  ['a guest leaves its translations behind', PKVM, 'I14', without(during('vm_destroy', 'tlbi'))],
  [
    'the host is not mapped as it is',
    PKVM,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'host_fault',
      (value) => value + 0x20_0000n,
    ),
  ],
  [
    'a donated page is read-only',
    PKVM,
    'I10',
    writing(
      (line) => makes(line) && name(line) === 'donate_guest',
      (value) => value & ~WRITE,
    ),
  ],
  ['the hypervisor’s lock is not taken', PKVM, 'I9', without((line) => line['k'] === 'hyp')],
  ['the host’s lock is not taken', PKVM, 'I9', without((line) => line['k'] === 'host')],
];

function read(recording: string): Line[] {
  const running = new Map<unknown, Line>();
  const text = gunzipSync(readFileSync(join(GOLDEN, `${recording}.jsonl.gz`))).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = JSON.parse(line) as Record<string, unknown>;
      const walker = fields['w'] ?? -1;
      if (fields['op'] !== undefined) running.set(walker, fields as Line);
      return { ...fields, during: running.get(walker) };
    });
}

/** What slots held before each write and what counts are, as the changed lines have it. */
function settled(lines: readonly Line[]): string[] {
  const slots = new Map<string, bigint>();
  const counts = new Map<unknown, number>();
  return lines.map((each) => {
    const line: Record<string, unknown> = { ...each, during: undefined };
    const { e, t } = line;
    const table = `${t as string | number | null}/`;
    const key = `${table}${line['i'] as number}`;
    if (e === 'alloc' && t !== null) {
      counts.set(t, 1);
      for (const known of slots.keys()) if (known.startsWith(table)) slots.delete(known);
    } else if (e === 'get' || e === 'put') {
      const step = e === 'get' ? 1 : -1;
      counts.set(t, (counts.get(t) ?? (line['c'] as number) - step) + step);
      return JSON.stringify({ ...line, c: counts.get(t) });
    } else if (e === 'cnt') return JSON.stringify({ ...line, c: counts.get(t) ?? line['c'] });
    else if (e === 'rd') return JSON.stringify({ ...line, v: hex(slots.get(key) ?? 0n) });
    else if (e === 'wr' || e === 'rel' || e === 'cas' || e === 'hw_af') {
      const old = slots.get(key) ?? 0n;
      const expected = line['ok'] === undefined ? {} : { exp: line['ok'] === 1 ? hex(old) : line['exp'] };
      const written = carried(BigInt(line['old'] as string), BigInt(line['new'] as string), old);
      if (line['ok'] !== 0) slots.set(key, written);
      return JSON.stringify({ ...line, ...expected, old: hex(old), new: hex(written) });
    }
    return JSON.stringify(line);
  });
}

/** What is written over `old`: a change of attributes leaves the others as it finds them. */
function carried(recorded: bigint, written: bigint, old: bigint): bigint {
  const changes = (recorded & written & old & 1n) === 1n && ((recorded ^ written) & (ADDRESS | TYPE)) === 0n;
  return changes ? written ^ recorded ^ old : written;
}

for (const [wrong, recording, invariant, bug] of KINDS) {
  test(`${invariant} is the first to say that ${wrong} (${recording})`, () => {
    const lines = read(recording);
    const changed = lines.flatMap((line) => bug(line) ?? []);
    assert.ok(changed.length < lines.length || changed.some((line, i) => line !== lines[i]), 'the code comes by');
    const verifier = new Verifier({ maxViolations: 2 });
    for (const frame of importGolden(settled(changed))) verifier.fold(frame);
    const verdict = verifier.finish();
    assert.equal(verdict.violations[0]?.invariant, invariant, formatVerdict(verdict));
  });
}

test('a recording that is changed in nothing holds', () => {
  for (const recording of [PARALLEL, SHARED, FAULTS, PKVM]) {
    const verifier = new Verifier();
    for (const frame of importGolden(settled(read(recording)))) verifier.fold(frame);
    assert.equal(verifier.finish().verdict, 'holds', recording);
  }
});
