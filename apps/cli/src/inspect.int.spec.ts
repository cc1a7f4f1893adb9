import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FileSink, openIndexedLog } from '@s2lab/transport-file';
import { Trace } from '@s2lab/testkit';
import { BIN, s2lab } from './spawned-cli.ts';

const dir = mkdtempSync(join(tmpdir(), 's2lab-inspect-'));
after(() => rmSync(dir, { recursive: true, force: true }));

before(async () => {
  for (const [log, seed] of [
    ['a.arrow', '5'],
    ['b.arrow', '6'],
  ] as const)
    assert.equal((await s2lab(['record', 'smoke', '--seed', seed, '-o', log], dir)).status, 0);
});

async function json<T>(args: readonly string[], status = 0): Promise<T> {
  const ended = await s2lab([...args, '--json'], dir);
  assert.equal(ended.status, status, ended.stderr);
  return JSON.parse(ended.stdout) as T;
}

const BAD: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [['show', 'a.arrow'], /--at <seq>/],
  [['show', 'a.arrow', '--at', '99999999'], /no event 99999999: its last is \d+/],
  [['show', 'a.arrow', '--at', '10', '--machine', '3'], /no such machine; it holds 0 of smoke-/],
  [['show', 'a.arrow', '--at', '3000', '--vcpu', '9'], /vCPUs 0 to 1/],
  [['show', 'a.arrow', '--at', '3000', '--table', '900'], /no such table/],
  [['show', 'a.arrow', '--at', '3000', '--ipa', 'here'], /such as 0x40200000/],
  [['index', 'kafka://h:1/t'], /s2lab export kafka:\/\/h:1\/t --format arrow/],
  [['show', 'kafka://nonsense', '--at', '1'], /kafka:\/\/host:port\/topic/],
  [['show', 'nothing.arrow', '--at', '1'], /nothing\.arrow.*no such file/],
  [['history', 'a.arrow'], /--slot TABLE\/SLOT or --ipa/],
  [['history', 'a.arrow', '--slot', '7'], /such as 7\/12/],
  [['history', 'a.arrow', '--slot', '7/1', '--ipa', '0'], /exclude each other/],
  [['diff', 'a.arrow', 'nothing.arrow'], /nothing\.arrow.*no such file/],
  [['bisect', 'a.arrow'], /either --invariant ID or --where/],
  [['bisect', 'a.arrow', '--invariant', 'I99'], /I99.*there are I1/],
  [['bisect', 'a.arrow', '--where', 'kind=nothing'], /no kind nothing/],
  [['export', 'a.arrow', '--format', 'parquet'], /where to\?/],
  [['export', 'a.arrow', '--format', 'parquet', '--from', '99999999', '-o', 'none.parquet'], /none\.parquet was not made/],
  [['export', 'a.arrow', '--format', 'perfetto', '-o', 'no/such/folder/x'], /no such file/],
  [['index', 'nothing.arrow'], /nothing\.arrow.*no such file/],
];

test('every bad question ends in one clear line and status 2', async () => {
  for (const [args, says] of BAD) {
    const { status, stdout, stderr } = await s2lab(args, dir);
    const shown = `s2lab ${args.join(' ')}\n${stderr}`;
    assert.equal(status, 2, shown);
    assert.equal(stdout, '', shown);
    assert.match(stderr, /^s2lab: [^\n]+\n$/, shown);
    assert.match(stderr, says, shown);
  }
});

interface Slot {
  readonly table: number;
  readonly slot: number;
  readonly kind: string;
  readonly descriptor: { readonly bits: string };
  readonly child: { readonly slots: readonly Slot[] } | null;
}

test('show and history agree: what a slot holds is what the last write before put there', async () => {
  const shown = await json<{ trees: readonly { slots: readonly Slot[] }[]; liveTables: number }>([
    'show',
    'a.arrow',
    '--at',
    '3000',
    '--ipa',
    '0x40000000',
  ]);
  assert.ok(existsSync(join(dir, 'a.arrow.checkpoints')));
  let slot = shown.trees[0]!.slots[0]!;
  for (let depth = 0; slot.child !== null; depth += 1) {
    const { writes } = await json<{ writes: readonly { new: { bits: string } | null }[] }>([
      'history',
      'a.arrow',
      '--slot',
      `${slot.table}/${slot.slot}`,
      '--to',
      '3001',
    ]);
    assert.equal(writes.findLast((write) => write.new !== null)!.new!.bits, slot.descriptor.bits);
    slot = slot.child.slots[0]!;
    assert.ok(depth < 4);
  }
  const text = await s2lab(['show', 'a.arrow', '--at', '3000', '--lines', '5', '--vcpu', '0'], dir);
  assert.match(
    text.stdout,
    /event 3000[^]*live tables\nstage-2 of VMID 1; its lock: [^]*vCPU 0 [^]*VMM[^]*table 0: level 1[^]*… \d+ more lines/,
  );
});

test('checkpoints that do not fit the log are said and built anew', async () => {
  const file = join(dir, 'a.arrow.checkpoints');
  assert.equal((await s2lab(['index', 'a.arrow'], dir)).status, 0);
  const whole = readFileSync(file);
  await s2lab(['index', 'b.arrow'], dir);
  writeFileSync(file, readFileSync(join(dir, 'b.arrow.checkpoints')));
  const { status, stderr } = await s2lab(['show', 'a.arrow', '--at', '10'], dir);
  assert.equal(status, 0);
  assert.match(stderr, /^s2lab: a\.arrow\.checkpoints: the log has changed since; building them anew\n$/);
  assert.deepEqual(readFileSync(file), whole);
});

test('diff says 0 for a log and its copy in other frames, 1 and the first event for another seed', async () => {
  assert.equal((await s2lab(['export', 'a.arrow', '--format', 'arrow', '-o', 'copy.arrow'], dir)).status, 0);
  assert.equal((await json<{ equal: boolean }>(['diff', 'a.arrow', 'copy.arrow'])).equal, true);
  const { machines } = await json<{
    machines: readonly { divergence: { seq: number; fields: string[]; events: { seq: number }[]; before: unknown[] } }[];
  }>(['diff', 'a.arrow', 'b.arrow'], 1);
  const { seq, fields, events, before: ahead } = machines[0]!.divergence;
  assert.equal(events[0]!.seq, seq);
  assert.ok(fields.length > 0);
  assert.equal(ahead.length, Math.min(5, seq));
  await s2lab(['export', 'a.arrow', '--format', 'arrow', '--to', '500', '-o', 'part.arrow'], dir);
  const part = await s2lab(['diff', 'a.arrow', 'part.arrow'], dir);
  assert.equal(part.status, 1);
  assert.match(part.stdout, /the logs part at event 500\n[^]*> part\.arrow ends after 500 events/);
});

test('bisect finds the first event of a predicate, and the one at which an invariant fails', async () => {
  const { found } = await json<{ found: { seq: number; events: readonly { seq: number; kind: string }[] } }>([
    'bisect',
    'a.arrow',
    '--where',
    'kind=table-retired',
  ]);
  assert.equal(found.events.find(({ seq }) => seq === found.seq)!.kind, 'table-retired');
  const first = await s2lab(['replay', 'a.arrow', '--to', String(found.seq)], dir);
  assert.doesNotMatch(first.stdout, /table-retired/);
  assert.equal((await s2lab(['bisect', 'a.arrow', '--invariant', 'I1'], dir)).status, 1);
  assert.equal((await s2lab(['bisect', 'a.arrow', '--where', 'kind=table-freed table=7000'], dir)).status, 1);

  const trace = new Trace();
  trace.event({ kind: 'lock-acquired', lock: 0, mode: 2, actor: 0 });
  trace.event({ kind: 'lock-acquired', lock: 0, mode: 2, actor: 1 });
  const sink = await FileSink.create(join(dir, 'bad.arrow'));
  for (const frame of trace.frames()) await sink.write(frame);
  await sink.close();
  const wrong = await json<{ found: { seq: number; because: string; witness: { seq: number }[] } }>([
    'bisect',
    'bad.arrow',
    '--invariant',
    'I9',
  ]);
  assert.equal(wrong.found.seq, trace.events.length - 1);
  assert.equal(wrong.found.witness.at(-1)!.seq, wrong.found.seq);
});

test('verify --index says what verify says, of whole and of cut logs, and leaves the checkpoints that show goes by', async () => {
  const bytes = readFileSync(join(dir, 'a.arrow'));
  writeFileSync(join(dir, 'whole.arrow'), bytes);
  writeFileSync(join(dir, 'cut.arrow'), bytes.subarray(0, bytes.length - 2000));
  type Told = { readonly cut: string | null; readonly events: number };
  for (const log of ['whole.arrow', 'cut.arrow']) {
    const plain = await json<Told>(['verify', log]);
    const indexed = await json<Told>(['verify', log, '--index']);
    assert.deepEqual({ ...indexed, cut: null }, { ...plain, cut: null });
    assert.equal(indexed.cut === null, plain.cut === null);
    assert.ok(existsSync(join(dir, `${log}.checkpoints`)));
  }
  const shown = await s2lab(['show', 'whole.arrow', '--at', '2000'], dir);
  assert.equal(shown.stderr, '');
  const refused = await s2lab(['verify', 'whole.arrow', '--index', '--profile', 'casemate'], dir);
  assert.equal(refused.status, 2);
});

test('a part of a log is replayed and exported as the whole says it, and what lies outside is not read', async () => {
  const record = ['record', 'fleet-mix', '--seed', '3', '--duration', '600us', '-o', 'fleet.arrow'];
  assert.equal((await s2lab(record, dir)).status, 0);
  const lines = (await s2lab(['replay', 'fleet.arrow'], dir)).stdout.trimEnd().split('\n');
  const asked = { machine: 1, from: 200, to: 300 };
  const within = (line: string): boolean => {
    const [, seq, machine] = /^ *(\d+) +#(\d+)/.exec(line)!;
    return Number(machine) === asked.machine && Number(seq) >= asked.from && Number(seq) < asked.to;
  };
  const range = ['--machine', '1', '--from', '200', '--to', '300'];
  const part = await s2lab(['replay', 'fleet.arrow', ...range], dir);
  assert.deepEqual(part.stdout.trimEnd().split('\n'), lines.filter(within));
  assert.equal(lines.filter(within).length, 100);
  const exported = (await s2lab(['export', 'fleet.arrow', ...range], dir)).stdout.trimEnd().split('\n');
  const whole = (await s2lab(['export', 'fleet.arrow'], dir)).stdout.trimEnd().split('\n');
  const seqOf = (line: string): { seq: number; machine: number } => JSON.parse(line) as { seq: number; machine: number };
  const wanted = whole.filter((line) => {
    const { seq, machine } = seqOf(line);
    return machine === asked.machine && seq >= asked.from && seq < asked.to;
  });
  assert.deepEqual(exported, wanted);

  // A byte within a frame of one machine is changed: whoever asks for another machine does not come to it.
  const bytes = readFileSync(join(dir, 'fleet.arrow'));
  const log = await openIndexedLog(join(dir, 'fleet.arrow'));
  await log.close();
  const { offset, bytes: length } = log.frames.find(({ machine }) => machine === 0)!;
  bytes[offset + length - 100]! ^= 0xff;
  writeFileSync(join(dir, 'hurt.arrow'), bytes);
  assert.equal((await s2lab(['replay', 'hurt.arrow', '--machine', '0'], dir)).status, 2);
  assert.deepEqual(await s2lab(['replay', 'hurt.arrow', ...range], dir), part);
});

test('an export replaces a file only when it is told to, and says which file it cannot write', async () => {
  for (const format of ['jsonl', 'perfetto', 'parquet', 'casemate']) {
    const args = ['export', 'a.arrow', '--format', format, '-o', `again.${format}`];
    assert.equal((await s2lab(args, dir)).status, 0);
    const refused = await s2lab(args, dir);
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /^s2lab: EEXIST: file already exists, open 'again\.[a-z]+'\n$/);
    assert.equal((await s2lab([...args, '--force'], dir)).status, 0);

    // A limit on the size of files stands in for a full disk.
    const full = ['-c', `ulimit -f 1; exec "$0" "$@"`, process.execPath, BIN, ...args, '--force'];
    const { status, stderr } = spawnSync('sh', full, { cwd: dir, encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`^s2lab: export: again\\.${format} cannot be written \\([^\n]+\\)\n$`));
  }
});

test('a replay goes on at the speed that is asked for: what is due much later is not printed yet', async () => {
  const child = spawn(process.execPath, [BIN, 'replay', 'a.arrow', '--speed', '1e-12', '--json'], { cwd: dir });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  await once(child, 'close');
  const shown = stdout.trimEnd().split('\n');
  const all = (await s2lab(['replay', 'a.arrow', '--to', '50', '--json'], dir)).stdout.trimEnd().split('\n');
  const first = (JSON.parse(all[0]!) as { at: number }).at;
  assert.deepEqual(
    shown,
    all.filter((line) => (JSON.parse(line) as { at: number }).at === first),
  );
});
