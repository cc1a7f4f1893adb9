import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { copyRows, K } from '@s2lab/events';
import { framesOf, lifeOfAStage2, trace } from '@s2lab/testkit';
import { formatVerdict, needsBreak, RULES, UNREAD_COLUMNS, Verifier } from './index.ts';
import { MachineFold } from './machine-fold.ts';
import type { Rule } from './rule.ts';

function judge(frames: readonly Frame[], options: ConstructorParameters<typeof Verifier>[0] = {}): Verifier {
  const verifier = new Verifier(options);
  for (const frame of frames) verifier.fold(frame);
  return verifier;
}

/** A collapse whose TLBI is lost, `times` over in different places. */
function manyViolations(times: number): Frame[] {
  const t = trace();
  for (let i = 0; i < times; i++) t.as(0).event({ kind: 'lock-released', lock: 0, mode: 1 });
  return t.stop().frames();
}

test('violations are kept up to the bound and counted exactly beyond it', () => {
  const verdict = judge(manyViolations(250), { maxViolations: 10 }).finish();
  assert.equal(verdict.violations.length, 10);
  assert.deepEqual(verdict.counts, { I9: 250 });
  assert.match(formatVerdict(verdict), /240 more violations not shown$/);
});

test('only the rules that were asked for are checked, and an unknown one is refused by name', () => {
  assert.equal(judge(manyViolations(1), { rules: ['I3', 'I17'] }).finish().verdict, 'holds');
  assert.throws(() => new Verifier({ rules: ['I99'] }), /no rule I99; there are I1, I2/);
  assert.throws(() => new Verifier({ maxViolations: -1 }), /maxViolations -1/);
});

test('frames that arrive twice, whole or in part, change nothing but the count of duplicates', () => {
  const frames = lifeOfAStage2().frames(40);
  const overlapping: Frame[] = [frames[0]!, frames[0]!, frames[1]!];
  const whole = lifeOfAStage2().frames(4096)[0]!;
  const verdict = judge([...overlapping, whole, ...frames.slice(3)]).finish();
  assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
  assert.equal(verdict.events, whole.rows.length);
  assert.equal(verdict.duplicates, 40 + 80 + (whole.rows.length - 120));
});

test('a gap is reported once and nothing after it is judged', () => {
  const frames = lifeOfAStage2().frames(20);
  const verdict = judge(frames.filter((_, i) => i !== 2)).finish();
  assert.deepEqual(verdict.gaps, [{ run: 'trace', machine: 0, from: 40, to: 60 }]);
  assert.deepEqual(verdict.counts, { I17: 1 });
  assert.match(formatVerdict(verdict), /lost: machine 0 of run trace: events 40 to 59 never arrived/);
});

test('a log cut at a torn tail is judged as far as it goes and end-of-run rules stay silent', () => {
  const events = trace().map(0, 0x4000_0000, 0x8000_0000).map(0, 0x4000_0000, 0x8000_0000, 2).events;
  const verifier = judge(framesOf(events));
  verifier.noteDamage({ damage: 'torn', where: 'byte 4096', because: 'the last frame is incomplete' });
  const verdict = verifier.finish();
  assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
  assert.equal(verdict.cut, 'byte 4096: the last frame is incomplete');
  assert.equal(verdict.machines[0]!.stopped, false);
});

test('damage other than a torn tail makes a log unreadable, unless what was read already breaks a rule', () => {
  const damage = { damage: 'corrupt', where: 'byte 17', because: 'wrong checksum' } as const;
  const clean = judge(lifeOfAStage2().frames());
  clean.noteDamage(damage);
  assert.equal(clean.finish().verdict, 'unreadable');
  const broken = judge(manyViolations(1));
  broken.noteDamage(damage);
  assert.equal(broken.finish().verdict, 'violated');
  assert.equal(new Verifier().finish().verdict, 'unreadable');
  assert.equal(formatVerdict(new Verifier().finish()), 'UNREADABLE: the log holds no events');
});

test('machines are judged apart, whatever the order in which their frames come', () => {
  const good = lifeOfAStage2({ machine: 1 }).frames(30);
  const bad = manyViolations(3).map((frame) => ({ ...frame, origin: { ...frame.origin, machine: 2 } }));
  const mixed = good.flatMap((frame, i) => (bad[i] === undefined ? [frame] : [bad[i], frame]));
  const verdict = judge(mixed).finish();
  assert.deepEqual(verdict.machines.map(({ machine, violations }) => `${machine}: ${violations}`).toSorted(), ['1: 0', '2: 3']);
  assert.ok(verdict.violations.every((violation) => violation.machine === 2));
});

test('the verdict does not depend on where frames are cut', () => {
  const frames = trace().map(0, 0x4000_0000, 0x8000_0000).map(0, 0x4000_0000, 0x8000_0000, 2).reclaim(2).as(1).read(2, 5).read(2, 6).stop();
  const whole = judge(frames.frames(1000)).finish();
  for (const rows of [1, 2, 3, 17]) assert.deepEqual(judge(frames.frames(rows)).finish(), whole);
});

test('columns that are said to be unread have no part in the verdict', () => {
  for (const frames of [lifeOfAStage2().frames(64), manyViolations(5)]) {
    const altered = frames.map((frame) => ({ ...frame, rows: copyRows(frame.rows) }));
    for (const { rows } of altered)
      for (const name of UNREAD_COLUMNS) for (let i = 0; i < rows[name].length; i++) rows[name][i] = 77 * i + 5;
    assert.deepEqual(judge(altered).finish(), judge(frames).finish());
  }
});

test('a report names the invariant, the event, the reason and every event of the proof in words', () => {
  const report = formatVerdict(
    judge(
      trace().map(0, 0x4000_0000, 0x8000_0000).map(0, 0x4000_0000, 0x8000_0000, 2).reclaim(2).as(1).read(2, 5).stop().frames(),
    ).finish(),
  );
  assert.match(report, /^VIOLATED: 1 violation in \d+ events of 1 machine\n/);
  assert.match(report, /\nI1 at event (\d+) of machine 0: table 2 was freed by event \d+ and a walker touched it afterwards\n/);
  assert.match(report, /\n +\d+ {2}the reclaim worker freed table 2\n +\d+ {2}vCPU 1 read slot 5 of table 2 \(level \d\): empty\n/);
});

test('a violation names the command that shows its moment, with the log as it was given', () => {
  const shown = (options: ConstructorParameters<typeof Verifier>[0], times = 1): string =>
    judge(manyViolations(times), options).finish().violations.at(-1)!.show;
  assert.equal(shown({}), 'npx s2lab replay LOG --machine 0 --from 0 --to 4');
  assert.equal(
    shown({ log: 'kafka://127.0.0.1:9092/s2lab.events' }, 40),
    'npx s2lab replay kafka://127.0.0.1:9092/s2lab.events --machine 0 --from 22 --to 43',
  );
  assert.match(shown({ log: "runs/it's one.arrow" }), /^npx s2lab replay 'runs\/it'\\''s one\.arrow' --machine 0 /);
  assert.ok(formatVerdict(judge(manyViolations(1)).finish()).endsWith('\n  show: npx s2lab replay LOG --machine 0 --from 0 --to 4'));
});

test('break-before-make is needed for address, size, memory type, shareability and the contiguous hint, not for permissions', () => {
  for (const lo of [0x1000, 0x2, 0x4, 0x20, 0x100, 0x8000_0000 | 0]) assert.equal(needsBreak(lo, 0), true, `low bits ${lo.toString(16)}`);
  assert.equal(needsBreak(0, 1), true, 'an address bit');
  assert.equal(needsBreak(0, 0x0010_0000), true, 'contiguous');
  for (const lo of [0, 0x40, 0x80, 0x400, 0x4c0]) assert.equal(needsBreak(lo, 0), false, `low bits ${lo.toString(16)}`);
  for (const hi of [0x0060_0000, 0x0780_0000, 0x0008_0000]) assert.equal(needsBreak(0, hi), false, `high bits ${hi.toString(16)}`);
});

test('every rule says what it is, where it comes from and what it keeps, and has a number of its own', () => {
  assert.equal(new Set(RULES.map((rule) => rule.id)).size, RULES.length);
  for (const rule of RULES)
    for (const field of [rule.name, rule.prose, rule.source, rule.state]) assert.ok(field.length > 5, `${rule.id}: ${field}`);
});

test('a walker that read an empty slot and then, beside it, the link to a table has come to that table', () => {
  const t = trace().map(0, 0x4000_0000, 0x8000_0000);
  t.as(2).beginWalk('leaf', 0x4000_0000, 0x1000).read(0, 1).read(1, 5).read(1, 0);
  t.map(0, 0x4000_0000, 0x8000_0000, 2).reclaim(2).reuse(2).map(0, 0x4000_0000, 0x8000_0000);
  const { counts } = judge(t.as(2).read(2, 0).endWalk().stop().frames(4096), { rules: ['I1'] }).finish();
  assert.deepEqual(counts, { I1: 1 });
});

test('walkers that read in turn are each caught at the first read after their table was made anew, and only then', () => {
  const t = trace().map(0, 0x4000_0000, 0x8000_0000);
  for (const walker of [2, 3]) t.as(walker).beginWalk('leaf', 0x4000_0000, 0x1000).read(0, 1).read(1, 0).read(2, 0);
  for (const slot of [5, 6, 7]) t.as(2).read(2, slot).as(3).read(2, slot);
  t.map(0, 0x4000_0000, 0x8000_0000, 2).reclaim(2).reuse(2).map(0, 0x4000_0000, 0x8000_0000);
  const from = t.events.length;
  const { violations } = judge(t.as(2).read(2, 5).as(3).read(2, 5).stop().frames(4096), { rules: ['I1'] }).finish();
  assert.deepEqual(
    violations.map(({ seq }) => seq),
    [from, from + 1],
  );
});

test('a walker that leaves its read-side section is caught at its next read in the table that it read all along', () => {
  const t = trace().map(0, 0x4000_0000, 0x8000_0000);
  t.as(2).beginWalk('leaf', 0x4000_0000, 0x1000, 0, true).enter().read(0, 1).read(0, 2).leave();
  assert.deepEqual(judge(t.read(0, 3).stop().frames(4096), { rules: ['I9'] }).finish().counts, { I9: 1 });
});

test('a rule that asks for each single descriptor read is refused: it gets one for a run of them', () => {
  const greedy: Rule = { ...RULES[0]!, attach: ({ on }) => on.before([K.descriptorRead], () => {}) };
  const ledger = { violations: [], counts: new Map<string, number>(), maxViolations: 1, log: 'LOG' };
  const [frame] = lifeOfAStage2().frames(40);
  assert.throws(() => new MachineFold(frame!.origin, [greedy], ledger).fold(frame!.rows, 0), /Registrar\.reads only/);
});
