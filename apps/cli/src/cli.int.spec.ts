import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BIN, s2lab } from './spawned-cli.ts';

const dir = mkdtempSync(join(tmpdir(), 's2lab-cli-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** Bad command lines: what the one line on standard error must say. */
const BAD: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [['frobnicate'], /unknown command 'frobnicate'/],
  [['run', '--seed', 'x'], /--seed.*'x'.*whole number from 0/],
  [['run', '--seed', '-1'], /--seed/],
  [['run', 'nowhere'], /nowhere.*built in are .*migration/],
  [['run', './nowhere.json'], /nowhere\.json.*no such file/],
  [['run', 'smoke', '--policy', 'hope'], /policy 'hope' does not exist.*rcu/],
  [['run', 'smoke', '--duration', '10'], /--duration.*'10'.*10ms/],
  [['run', 'smoke', '--colour'], /unknown option '--colour'/],
  [['start', '--port', '99999'], /--port.*0 to 65535/],
  [['start', '--speed', 'fast'], /--speed.*virtual seconds per wall second/],
  [['record', 'smoke'], /where to\?.*-o LOG/],
  [['record', 'smoke', '--workload', 'x', '-o', 'never.arrow'], /exclude each other/],
  [['record', '--workload', 'nothing.txt', '-o', 'never.arrow'], /nothing\.txt.*no such file/],
  [['record', 'smoke', '--policy', 'hope', '-o', 'never.arrow'], /policy 'hope'/],
  [['record', 'smoke', '-o', 'no/such/folder/never.arrow'], /never\.arrow/],
  [['record', 'smoke', '--kafka', 'nonsense'], /kafka:\/\/host:port\/topic/],
  [['verify'], /missing required argument 'log'/],
  [['verify', 'nothing.arrow'], /nothing\.arrow.*no such file/],
  [['verify', 'kafka://x'], /kafka:\/\/host:port\/topic/],
  [['export', 'x.arrow', '--format', 'xml'], /xml.*jsonl, arrow, perfetto, parquet/],
  [['export', 'x.arrow', '--format', 'arrow'], /where to\?/],
  [['import', 'golden', 'nothing.jsonl', '-o', 'never.arrow'], /nothing\.jsonl.*no such file/],
  [['scenarios', '--show', 'nowhere'], /nowhere/],
  [['conform'], /missing required argument 'file'/],
  [['conform', 'nothing.jsonl'], /nothing\.jsonl.*no such file/],
  [['check'], /--scenario/],
  [['check', '--scenario', 'S9'], /scenario 'S9' does not exist.*S1, S2/],
  [['check', '--scenario', 'S4', '--mappers', '1'], /S4 has no mappers.*--mappers/],
  [['check', '--scenario', 'S2', '--walkers', '0'], /0 walkers.*1 to 8/],
  [['check', '--scenario', 'S5R', '--entries', '8'], /shared locations.*at most 31/],
  [['check', '--scenario', 'S1', '--strategy', 'dpor', '--plain'], /--plain.*dpor/],
];

test('every bad command line ends in one clear line, status 2, and no file', async () => {
  for (const [args, says] of BAD) {
    const { status, stdout, stderr } = await s2lab(args, dir);
    const shown = `s2lab ${args.join(' ')}\n${stderr}`;
    assert.equal(status, 2, shown);
    assert.equal(stdout, '', shown);
    assert.match(stderr, /^s2lab: [^\n]+\n$/, shown);
    assert.match(stderr, says, shown);
    assert.equal(existsSync(join(dir, 'never.arrow')), false, shown);
  }
});

test('a wrong scenario file is one line with the place in it', async () => {
  writeFileSync(
    join(dir, 'wrong.json'),
    '{"name": "wrong", "machines": [{"policy": "rcu", "vcpus": "four", "workload": {"type": "boot"}}]}',
  );
  const { status, stderr } = await s2lab(['record', './wrong.json', '-o', 'never.arrow'], dir);
  assert.equal(status, 2);
  assert.match(stderr, /^s2lab: \.\/wrong\.json: machines\[0\]\.vcpus: expected a .*number, found "four"[^\n]*\n$/);
  assert.equal(existsSync(join(dir, 'never.arrow')), false);
});

test('two records of one seed are the same bytes, another seed gives others, and a log is not overwritten unasked', async () => {
  for (const [log, seed] of [
    ['a.arrow', '5'],
    ['b.arrow', '5'],
    ['c.arrow', '6'],
  ] as const) {
    assert.equal((await s2lab(['record', 'smoke', '--seed', seed, '-o', log], dir)).status, 0);
  }
  const [a, b, c] = ['a.arrow', 'b.arrow', 'c.arrow'].map((log) => readFileSync(join(dir, log)));
  assert.ok(a!.equals(b!));
  assert.ok(!a!.equals(c!));
  const again = await s2lab(['record', 'smoke', '-o', 'a.arrow'], dir);
  assert.equal(again.status, 2);
  assert.match(again.stderr, /a\.arrow.*exists/);
  assert.ok(readFileSync(join(dir, 'a.arrow')).equals(a!));
});

test('what is recorded is verified, replayed and exported', async () => {
  const recorded = await s2lab(['record', 'smoke', '--seed', '9', '-o', 'run.arrow', '--json'], dir);
  const { events } = JSON.parse(recorded.stdout) as { events: number };
  assert.ok(events > 1000);

  const verified = await s2lab(['verify', 'run.arrow', '--json'], dir);
  assert.equal(verified.status, 0, verified.stdout);
  const verdict = JSON.parse(verified.stdout) as { verdict: string; events: number; violations: unknown[]; cut: unknown };
  assert.deepEqual([verdict.verdict, verdict.events, verdict.violations, verdict.cut], ['holds', events, [], null]);

  const replayed = await s2lab(['replay', 'run.arrow', '--from', '10', '--to', '13', '--json'], dir);
  assert.deepEqual(
    replayed.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { seq: number }).seq),
    [10, 11, 12],
  );

  assert.equal((await s2lab(['export', 'run.arrow', '-o', 'run.jsonl'], dir)).status, 0);
  assert.equal(readFileSync(join(dir, 'run.jsonl'), 'utf8').trim().split('\n').length, events);
  assert.equal((await s2lab(['export', 'run.arrow', '--format', 'arrow', '-o', 'copy.arrow'], dir)).status, 0);
  const copy = await s2lab(['verify', 'copy.arrow', '--json'], dir);
  assert.equal((JSON.parse(copy.stdout) as { events: number }).events, events);
});

test('a torn log is verified up to its last whole frame, and repaired', async () => {
  assert.equal((await s2lab(['record', 'migration', '--duration', '20ms', '-o', 'torn.arrow', '-f'], dir)).status, 0);
  const size = readFileSync(join(dir, 'torn.arrow')).length;
  truncateSync(join(dir, 'torn.arrow'), Math.floor(size * 0.7));
  const verified = await s2lab(['verify', 'torn.arrow', '--json'], dir);
  const verdict = JSON.parse(verified.stdout) as { verdict: string; events: number; cut: string | null };
  assert.equal(verified.status, 0, verified.stdout);
  assert.ok(verdict.events > 0);
  assert.match(verdict.cut ?? '', /torn\.arrow, byte \d+/);
  const repaired = await s2lab(['repair', 'torn.arrow', '--json'], dir);
  assert.ok((JSON.parse(repaired.stdout) as { cutBytes: number }).cutBytes > 0);
  const again = await s2lab(['verify', 'torn.arrow', '--json'], dir);
  assert.deepEqual(
    [(JSON.parse(again.stdout) as { events: number }).events, (JSON.parse(again.stdout) as { cut: unknown }).cut],
    [verdict.events, null],
  );
});

test('lists and help answer with status 0 and nothing on standard error', async () => {
  for (const args of [
    ['--help'],
    ['record', '--help'],
    ['scenarios'],
    ['scenarios', '--json'],
    ['policies', '--json'],
    ['schema'],
    ['scenarios', '--show', 'smoke'],
    ['--version'],
  ]) {
    const { status, stdout, stderr } = await s2lab(args, dir);
    assert.equal(status, 0, args.join(' '));
    assert.equal(stderr, '', args.join(' '));
    assert.notEqual(stdout, '', args.join(' '));
    if (args.includes('--json') || args[0] === 'schema' || args.includes('--show')) JSON.parse(stdout);
  }
});

test('run gives figures and a verdict', async () => {
  const { status, stdout } = await s2lab(['run', 'smoke', '--json'], dir);
  assert.equal(status, 0);
  const outcome = JSON.parse(stdout) as { machines: { events: number; collapses: number }[]; events: number; verdict: { verdict: string } };
  assert.equal(outcome.verdict.verdict, 'holds');
  assert.equal(
    outcome.machines.reduce((sum, machine) => sum + machine.events, 0),
    outcome.events,
  );
  assert.ok(outcome.machines[0]!.collapses > 0);
});

test('an operation script drives the fleet, and a wrong line in it is told with its number', async () => {
  const script = 'init ia=40 fwb=1 range=1\nmap 0x40000000 0x200000 0x80000000 rwx shared 4\nunmap 0x40000000 0x1000\ndestroy\n';
  writeFileSync(join(dir, 'ops.txt'), script);
  const recorded = await s2lab(['record', '--workload', 'ops.txt', '-o', 'ops.arrow', '--json'], dir);
  assert.equal(recorded.status, 0, recorded.stderr);
  const verified = await s2lab(['verify', 'ops.arrow', '--json'], dir);
  assert.equal((JSON.parse(verified.stdout) as { verdict: string }).verdict, 'holds', verified.stdout);

  writeFileSync(join(dir, 'wrong.txt'), `${script}mangle 0x40000000\n`);
  const refused = await s2lab(['record', '--workload', 'wrong.txt', '-o', 'never.arrow'], dir);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /^s2lab: wrong\.txt:5: [^\n]*mangle[^\n]*\n$/);
  assert.equal(existsSync(join(dir, 'never.arrow')), false);
});

test('a trace of the kernel drives the fleet with its memslot map, and lost events are refused unless they are accepted', async () => {
  const fault = (t: string, ipa: string): string =>
    `          vcpu-0-101   [001]   ${t}: kvm_guest_fault:      ipa ${ipa}, hsr 0x92000047, hxfar 0xffff0000, pc 0xffff800010000000`;
  const lines = ['cpus=2', fault('10.000001', '0x40000000'), fault('10.000101', '0x40001000')];
  writeFileSync(join(dir, 'trace.txt'), `${lines.join('\n')}\n`);
  writeFileSync(join(dir, 'slots.json'), '{"memslots": [{"id": 0, "ipa": "0x40000000", "bytes": "0x200000", "hva": "0x7f0000000000"}]}');
  const recorded = await s2lab(['record', '--workload', 'trace.txt', '--memslots', 'slots.json', '-o', 'trace.arrow', '--json'], dir);
  assert.equal(recorded.status, 0, recorded.stderr);
  assert.equal((await s2lab(['verify', 'trace.arrow'], dir)).status, 0);

  writeFileSync(join(dir, 'lossy.txt'), `${lines[0]}\nCPU:1 [42 EVENTS DROPPED]\n${lines[1]}\n`);
  const refused = await s2lab(['record', '--workload', 'lossy.txt', '-o', 'never.arrow'], dir);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /^s2lab: lossy\.txt:2: [^\n]*\n$/);
  assert.equal(existsSync(join(dir, 'never.arrow')), false);
  assert.equal((await s2lab(['record', '--workload', 'lossy.txt', '--accept-lost-events', '-o', 'lossy.arrow'], dir)).status, 0);
});

test('whoever reads only the beginning of a replay is no error', async () => {
  assert.equal((await s2lab(['record', 'smoke', '-o', 'head.arrow'], dir)).status, 0);
  const child = spawn(process.execPath, [BIN, 'replay', 'head.arrow'], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const [status] = (await once(child, 'close')) as [number | null];
  assert.deepEqual([status, stderr], [0, '']);
});

test('compare sets policies side by side and writes a report that loads nothing from elsewhere', async () => {
  const ended = await s2lab(['compare', 'smoke', '--policies', 'rcu,rwlock', '--vcpus', '1,3', '-o', 'report.html', '--json'], dir);
  assert.equal(ended.status, 0, ended.stderr);
  const { runs } = JSON.parse(ended.stdout) as {
    runs: { policy: string; vcpus: number; verdict: string; events: number; pendingPeak: number }[];
  };
  assert.deepEqual(
    runs.map(({ policy, vcpus, verdict }) => [policy, vcpus, verdict]),
    [
      ['rcu', 1, 'holds'],
      ['rwlock', 1, 'holds'],
      ['rcu', 3, 'holds'],
      ['rwlock', 3, 'holds'],
    ],
  );
  assert.ok(runs[2]!.events > runs[0]!.events);
  assert.ok(runs[2]!.pendingPeak > 0 && runs[3]!.pendingPeak === 0, 'rcu defers frees, rwlock does not');
  const report = readFileSync(join(dir, 'report.html'), 'utf8');
  assert.doesNotMatch(report, /(src|href)="|@import|url\(/);
  assert.match(report, /<td>rwlock<\/td>/);
});

test('compare crosses policies with collapse modes, teardown orders and range invalidation, and refuses names that do not exist', async () => {
  const axes = ['--collapse', 'in-place,lazy', '--teardown', 'all', '--tlb-range', 'off'];
  const ended = await s2lab(['compare', 'smoke', '--policies', 'rwlock', ...axes, '--json'], dir);
  assert.equal(ended.status, 0, ended.stderr);
  const { runs } = JSON.parse(ended.stdout) as {
    runs: {
      design: string;
      verdict: string;
      blocksReturned: number;
      residual4k: number;
      tableBytesPeak: number;
      blocked: { count: number }[];
    }[];
  };
  const designs = ['in-place, teardown after', 'in-place, teardown before', 'lazy, teardown after', 'lazy, teardown before'];
  assert.deepEqual(
    runs.map(({ design, verdict }) => [design, verdict]),
    designs.map((design) => [`${design}, range off`, 'holds']),
  );
  for (const { blocksReturned, residual4k, tableBytesPeak } of runs)
    assert.ok(blocksReturned > 0 && residual4k >= 0 && residual4k <= 1 && tableBytesPeak >= 4096);
  const hosts = await s2lab(
    ['compare', 'protected', '--policies', 'all', '--vcpus', '1', '--coalesce', 'lazy', '--duration', '1ms', '--json'],
    dir,
  );
  assert.equal(hosts.status, 0, hosts.stderr);
  const lazily = JSON.parse(hosts.stdout) as { runs: { policy: string; design: string; verdict: string }[] };
  // Not rcu, which EL2 has not, and not v6.1, which counts every leaf.
  assert.deepEqual(
    lazily.runs.map(({ policy }) => policy),
    ['rwlock', 'hyp-lock', 'refs-naive', 'refs', 'hazard', 'epoch', 'eager'],
  );
  assert.ok(lazily.runs.every(({ design, verdict }) => design === 'coalescing lazy' && verdict === 'holds'));
  const refused = await s2lab(['compare', 'smoke', '--collapse', 'eagerly'], dir);
  assert.deepEqual([refused.status, refused.stdout], [2, '']);
  assert.match(refused.stderr, /--collapse: 'eagerly' does not exist; there are lazy, unmap-memslot, in-place, zap-parent/);
});

test('verify names the command that shows the moment of a violation, and the command shows it', async () => {
  const recording = join(import.meta.dirname, '../../../testdata/golden/broken/free-now.scripted.jsonl.gz');
  assert.equal((await s2lab(['import', 'golden', recording, '-o', 'broken.arrow'], dir)).status, 0);
  const verified = await s2lab(['verify', 'broken.arrow', '--json'], dir);
  assert.equal(verified.status, 1, verified.stderr);
  const [violation] = (JSON.parse(verified.stdout) as { violations: { seq: number; show: string }[] }).violations;
  const [npx, program, ...args] = violation!.show.split(' ');
  assert.deepEqual([npx, program], ['npx', 's2lab']);
  const shown = await s2lab([...args, '--json'], dir);
  assert.equal(shown.status, 0, shown.stderr);
  const events = shown.stdout.trimEnd().split('\n');
  assert.equal((JSON.parse(events.at(-1)!) as { seq: number }).seq, violation!.seq);
  assert.equal(events.length, 21);
});
