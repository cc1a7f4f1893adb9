import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COMMAND } from '@s2lab/engine';
import fc from 'fast-check';
import type { Recording, TraceOptions } from './index.ts';
import { detectRecording, parseMemslotMap, parseTraceReport, RecordedWorkload, RecordingError } from './index.ts';
import { driveWorkload } from './workload-driver.ts';

const FOLDER = new URL('../../../testdata/ftrace/', import.meta.url);
const SAMPLE = readFileSync(new URL('sample-arm64-trace-cmd-report.txt', FOLDER), 'utf8');
const MEMSLOTS = parseMemslotMap(readFileSync(new URL('sample-memslots.json', FOLDER), 'utf8'), 'sample-memslots.json');

const NAMES = Object.fromEntries(Object.entries(COMMAND).map(([name, code]) => [code, name]));

/** `actor@ns kind ipa+bytes access` of each command of a recording. */
function summary({ tape }: Recording): string[] {
  return Array.from({ length: tape.length }, (_, i) => {
    const hex = (field: 'ipa' | 'bytes') => tape.field(i, field).toString(16);
    return `${tape.actor(i)}@${tape.atNs(i)} ${NAMES[tape.field(i, 'kind')]} ${hex('ipa')}+${hex('bytes')} ${tape.field(i, 'access')}`;
  });
}

/** A fault of thread `tid` at `us` microseconds. */
function fault(tid: number, us: number, ipa: number, hsr = '0x92000046'): string {
  return ` qemu vcpu-${tid} [001] 100.${String(us).padStart(6, '0')}: kvm_guest_fault: ipa 0x${ipa.toString(16)}, hsr ${hsr}, hxfar 00000000, pc 0x0000ffff80001234\n`;
}

function host(us: number, event: string): string {
  return ` qemu-77 [000] d..1. 100.${String(us).padStart(6, '0')}: ${event}\n`;
}

const CREATE = 'tracing_mark_write: s2lab memslot create id=0 ipa=0x40000000 bytes=0x400000 hva=0x7f0000000000';

function refusal(text: string, options: TraceOptions = {}): string {
  try {
    parseTraceReport(text, 't', options);
  } catch (error) {
    assert.ok(error instanceof RecordingError, String(error));
    return error.message;
  }
  return 'accepted';
}

test('the sample is read in both layouts: faults per vCPU, notifier calls through the memslot map, times kept', () => {
  assert.equal(detectRecording(SAMPLE, 'sample'), 'trace');
  const recording = parseTraceReport(SAMPLE, 'sample', { memslots: MEMSLOTS });
  assert.deepEqual(recording.machine, { vcpus: 2, pageShift: 12, ipaBits: 40, lpa2: false });
  assert.deepEqual(summary(recording), [
    '2@0 phase 0+0 0',
    '2@0 memslotCreate 80000000+10000000 0',
    '0@2000 access 80200000+0 2',
    '1@33000 access 80201000+0 1',
    '2@130000 unmapRange 80000000+200000 0',
    '2@140000 ageRange 80000000+200000 0',
    '2@145000 ageRange 80000000+1000 0',
    '2@150000 phase 0+0 0',
    '2@150000 destroyVm 0+0 0',
  ]);
  assert.deepEqual(recording.skipped, { kvm_exit: 2, kvm_entry: 1, kvm_mmio_nisv: 1 });
});

test('without a memslot map the sample is refused at its first notifier call', () => {
  assert.match(refusal(SAMPLE), /^t:9: kvm_unmap_hva_range: a host virtual address means nothing without a memslot map/);
});

test('without a memslot map one memslot covers all faults', () => {
  const recording = parseTraceReport(
    fault(5, 0, 0x4020_3000) + fault(6, 10, 0x4120_0000, '0x82000007') + fault(5, 20, 0x4020_1000, '0x92000006'),
    't',
  );
  assert.deepEqual(summary(recording).slice(1, 5), [
    '2@0 memslotCreate 40200000+1200000 0',
    '0@0 access 40203000+0 2',
    '1@10000 access 41200000+0 4',
    '0@20000 access 40201000+0 1',
  ]);
  assert.equal(recording.tape.field(1, 'hva') % 2 ** 30, 0x4020_0000 % 2 ** 30);
  assert.equal(recording.tape.field(1, 'pa') % 2 ** 30, 0x4020_0000 % 2 ** 30);
});

test('recorded spacing is kept when it is played', () => {
  const recording = parseTraceReport(fault(5, 0, 0x4000_0000) + fault(6, 300, 0x4000_1000) + fault(5, 900, 0x4000_2000), 't');
  const { commands, ended } = driveWorkload(new RecordedWorkload(recording), 3, 10_000);
  const accesses = commands.filter(({ kind }) => kind === COMMAND.access).map(({ actor, atNs }) => ({ actor, atNs }));
  assert.ok(ended);
  assert.ok(accesses[0]!.atNs < 10_000);
  assert.deepEqual(accesses.slice(1), [
    { actor: 1, atNs: 300_000 },
    { actor: 0, atNs: 900_000 },
  ]);
});

test('markers change memslots and dirty logging between the accesses before and after them', () => {
  const text =
    host(0, CREATE) +
    fault(5, 1, 0x4000_0000) +
    fault(6, 1, 0x4000_1000) +
    host(2, 'print: tracing_mark_write: s2lab dirty-log on id=0') +
    fault(5, 2, 0x4000_2000) +
    host(3, 'tracing_mark_write: hello from somebody else') +
    host(3, 'tracing_mark_write: s2lab dirty-log clear id=0 first=64 mask=0xf00000000') +
    host(4, 'print: ffffffff8123s: s2lab dirty-log off id=0') +
    host(5, 'tracing_mark_write: s2lab memslot delete id=0') +
    fault(5, 6, 0x4000_3000);
  const recording = parseTraceReport(text, 't');
  const { commands, ended } = driveWorkload(new RecordedWorkload(recording), 3, 10_000);
  assert.ok(ended);
  assert.deepEqual(
    commands.map(({ kind }) => NAMES[kind]),
    [
      'phase',
      'memslotCreate',
      'access',
      'access',
      'dirtyLogOn',
      'access',
      'dirtyLogClear',
      'dirtyLogOff',
      'memslotDelete',
      'phase',
      'destroyVm',
    ],
  );
  assert.deepEqual(recording.skipped, { 'markers of others': 1, 'faults outside all memslots (devices)': 1 });
  assert.match(refusal(host(0, 'tracing_mark_write: s2lab memslot create id=0')), /^t:1: expected a marker 's2lab memslot create/);
  assert.match(
    refusal(host(0, CREATE) + host(1, 'tracing_mark_write: s2lab dirty-log on id=3')),
    /^t:2: s2lab marker: there is no memslot 3 at this point$/,
  );
});

test('a fault that went on to a device is no access, a second report of the same fault no second one', () => {
  const text =
    fault(5, 0, 0x4000_0000) +
    ' qemu vcpu-5 [001] 100.000001: kvm_access_fault: IPA: 40000000\n' +
    fault(5, 2, 0x0900_0000) +
    ' qemu vcpu-5 [001] 100.000003: kvm_mmio: mmio write len 4 gpa 0x9000000 val 0x41\n';
  const recording = parseTraceReport(text, 't');
  assert.equal(summary(recording).filter((line) => line.includes('access')).length, 1);
});

test('task names with blanks, hyphens and digits, thread group ids, nanoseconds and flags are read', () => {
  const event = 'kvm_guest_fault: ipa 0x40000000, hsr 0x92000046, hxfar 0x0, pc 0x0';
  for (const head of [
    'a b-c 7-12-99 [003] 5.000001: ',
    '<...>-99 ( 1234) [000] d..2. 5.000001: ',
    'x-99 (-------) [000] .... 5.000001: ',
    '  y-99  [127] 5.000001234: ',
  ]) {
    assert.equal(summary(parseTraceReport(`${head}${event}\n`, 't')).filter((line) => line.includes('access')).length, 1, head);
  }
});

test('what was lost, cut or is not known is refused with its line, unless the user says otherwise', () => {
  const good = fault(5, 0, 0x4000_0000);
  for (const lost of [
    'CPU:2 [EVENTS DROPPED]',
    'CPU:2 [17 EVENTS DROPPED]',
    'CPU:1 [LOST 3 EVENTS]',
    'overrun: 5',
    'dropped events: 1',
    '##### CPU 1 buffer started ####',
    '# entries-in-buffer/entries-written: 9/12   #P:4',
  ]) {
    assert.match(refusal(`${good}${lost}\n${good}`), /^t:2: .*events.*lost/, lost);
    assert.equal(parseTraceReport(good + lost, 't', { acceptLostEvents: true }).skipped['lost-events markers'], 1);
  }
  for (const odd of [
    'what is this',
    good.slice(0, 90),
    good.replace('kvm_guest_fault', 'sched_switch'),
    good.replace('0x92000046', '0x5a000000'),
    ' qemu-5 [001] 100.1: kvm_exit: TRAP',
  ]) {
    assert.match(refusal(`${good}${odd}\n`), /^t:2: /, odd);
    assert.equal(parseTraceReport(good + odd, 't', { ignoreUnknown: true }).skipped['lines not understood'], 1);
  }
  assert.equal(refusal(`overrun: 0\ncommit overrun: 0\n# entries-in-buffer/entries-written: 12/12   #P:4\n${good}`), 'accepted');
  assert.match(refusal(fault(5, 9, 0) + fault(5, 3, 0)), /^t:2: its time is before that of the event above/);
  assert.equal(refusal('cpus=4\n'), 't: expected events of arm64 KVM, found none');
});

test('a memslot map is checked', () => {
  const map = (slot: object) =>
    parseMemslotMap(
      JSON.stringify({
        memslots: [
          { id: 0, ipa: 0, bytes: 4096, hva: 4096, ...slot },
          { id: 1, ipa: 8192, bytes: 4096, hva: 8192 },
        ],
      }),
      'm.json',
    );
  assert.equal(map({}).length, 2);
  assert.throws(() => map({ bytes: 12288 }), { message: 'm.json: memslot 1: its IPA range overlaps that of memslot 0' });
  assert.throws(() => map({ id: 1 }), { message: 'm.json: memslot 1: expected an id that is not in use' });
  assert.throws(
    () => map({ ipa: 'here' }),
    /^RecordingError: m\.json: memslots\[0\]\.ipa: expected a whole number, or a text such as "0x40000000", found "here"$/,
  );
  assert.throws(() => parseMemslotMap('nope', 'm.json'), /^RecordingError: m\.json: not JSON: /);
});

test('a file is known by its content', () => {
  assert.equal(detectRecording('# comment\ninit ia=40\n', 'f'), 'script');
  assert.equal(detectRecording('# tracer: nop\n#\n', 'f'), 'trace');
  assert.throws(() => detectRecording('\x17\x08Dtracing6', 'f'), /binary trace\.dat/);
  assert.throws(() => detectRecording('{"name": 1}', 'f'), /^RecordingError: f:1: JSON/);
  assert.throws(() => detectRecording('', 'f'), RecordingError);
});

test('any text is a trace or refused with a line of it', () => {
  const line = fc.oneof(
    fc
      .record({ tid: fc.integer({ min: 1, max: 4 }), us: fc.nat(3), ipa: fc.nat(2 ** 30) })
      .map(({ tid, us, ipa }) => fault(tid, us, ipa).trimEnd()),
    fc
      .record({ us: fc.nat(3), id: fc.nat(2), verb: fc.constantFrom('memslot delete', 'dirty-log on', 'dirty-log off') })
      .map(({ us, id, verb }) => host(us, `print: s2lab ${verb} id=${id}`).trimEnd()),
    fc
      .record({ us: fc.nat(3), a: fc.nat(2 ** 48), b: fc.nat(2 ** 48) })
      .map(({ us, a, b }) => host(us, `kvm_age_hva: mmu notifier age hva: 0x${a.toString(16)} -- 0x${b.toString(16)}`).trimEnd()),
    fc.constant(host(0, CREATE).trimEnd()),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.boolean(), fc.boolean(), (lines, ignoreUnknown, mapped) => {
      const text = lines.join('\n');
      try {
        const recording = parseTraceReport(text, 'any', { ignoreUnknown, memslots: mapped ? MEMSLOTS : undefined });
        assert.ok(driveWorkload(new RecordedWorkload(recording), recording.machine.vcpus + 1, 100_000).ended);
      } catch (error) {
        assert.ok(error instanceof RecordingError, String(error));
        assert.ok(error.line >= 0 && error.line <= text.split('\n').length);
      }
    }),
    { numRuns: 300 },
  );
});
