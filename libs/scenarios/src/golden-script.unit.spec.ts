import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { PROT } from '@s2lab/arch';
import { Command, COMMAND } from '@s2lab/engine';
import { WALK_FLAG } from '@s2lab/events';
import fc from 'fast-check';
import type { Recording } from './index.ts';
import { detectRecording, parseGoldenScript, RecordedWorkload, RecordingError } from './index.ts';
import { driveWorkload } from './workload-driver.ts';

const FOLDER = new URL('../../../testdata/scripts/', import.meta.url);

/** What a workload makes of a recording: kinds by actor, in the order of being given. */
function played(recording: Recording): string[] {
  const names = Object.fromEntries(Object.entries(COMMAND).map(([name, code]) => [code, name]));
  const { commands, ended } = driveWorkload(new RecordedWorkload(recording), recording.machine.vcpus + 1, 100_000);
  assert.ok(ended);
  return commands.map(({ actor, kind }) => `${actor} ${names[kind]}`);
}

function commandsOf(text: string, name = 'x.txt'): Command[] {
  const { tape } = parseGoldenScript(text, name);
  return Array.from({ length: tape.length }, (_, i) => {
    const command = new Command();
    tape.read(i, command);
    return command;
  });
}

test('every script of the test data is read whole: one command for each line but settings, queries and par', () => {
  for (const folder of ['stock/', 'kvm/']) {
    const files = readdirSync(new URL(folder, FOLDER)).filter((file) => file.endsWith('.txt'));
    assert.ok(files.length >= 12);
    for (const file of files) {
      const text = readFileSync(new URL(folder + file, FOLDER), 'utf8');
      assert.equal(detectRecording(text, file), 'script');
      const { tape, machine } = parseGoldenScript(text, file);
      const expected = text
        .split('\n')
        .filter((line) => /\S/.test(line) && !/^(init|chunk|initset|ha|dump|digest|par|end)\b/.test(line)).length;
      assert.equal(tape.length, expected, file);
      assert.equal(machine.pageShift, Number(/ps(1\d)/.exec(file)![1]), file);
    }
  }
});

test('every script of the test data plays to its end, each command once', () => {
  for (const folder of ['stock/', 'kvm/']) {
    for (const file of readdirSync(new URL(folder, FOLDER)).filter((name) => name.endsWith('.txt'))) {
      const recording = parseGoldenScript(readFileSync(new URL(folder + file, FOLDER), 'utf8'), file);
      const { commands, ended } = driveWorkload(new RecordedWorkload(recording), recording.machine.vcpus + 1, 10_000_000);
      assert.ok(ended && commands.length === recording.tape.length, file);
    }
  }
});

test('init gives the machine, words before the first operation its set-up', () => {
  const { machine } = parseGoldenScript('init ia=36 fwb=0 range=1 lpa2=0 pa52=0 xnx=0 flags=as_s1 force=nonrwx\ndestroy\n', 'a.ps14.txt');
  assert.deepEqual(machine, {
    ipaBits: 36,
    dic: false,
    reuseFrames: false,
    fwb: false,
    tlbRange: true,
    lpa2: false,
    xnx: false,
    asStage1: true,
    forcePages: 'nonrwx',
    vcpus: 1,
    pageShift: 14,
  });
  const kvm = parseGoldenScript('init ia=40\nha 0\ninitset 1\nchunk 0x400000\ndestroy_vm\n', 'b.txt').machine;
  assert.deepEqual([kvm.hardwareAccessFlag, kvm.initiallyAllSet, kvm.eagerSplitBytes, kvm.pageShift], [false, true, 0x400000, 12]);
});

test('operations of the library keep all of their arguments', () => {
  const [map, bare, annotate, age] = commandsOf(
    'init ia=40\nmap 0x40001000 0x3000 0x80001000 rwx1 shared 4\nmap 0 4096 0 p ignore_eagain -\nannotate 0x1000 0x2000 2 0x550355298b000 8\nage 0x1000 0x1000 1\ndestroy\n',
  );
  assert.deepEqual(
    map,
    Object.assign(new Command(), {
      kind: COMMAND.map,
      ipa: 0x40001000,
      bytes: 0x3000,
      pa: 0x80001000,
      prot: PROT.r | PROT.w | PROT.x | PROT.sw1,
      flags: WALK_FLAG.shared,
      cachePages: 4,
    }),
  );
  assert.deepEqual([bare!.prot, bare!.flags, bare!.cachePages], [PROT.px, WALK_FLAG.ignoreEagain, -1]);
  assert.deepEqual([annotate!.annotationType, annotate!.annotation], [2, 0x550355298b000]);
  assert.equal(age!.makeOld, 1);
});

test('operations of KVM count pages in granules', () => {
  const [slot, access, clear, unmap] = commandsOf(
    'init ia=36\nslot 1 0x20000 0x1801 0x7f1000000000 14 2 0x500000 ro\naccess 0x80004000 x stale\nclear_dirty 1 64 0xf00000001\nunmap_gfn 0x20001 3 1\ndestroy_vm\n',
    's.ps14.txt',
  );
  assert.deepEqual(
    [slot!.memslot, slot!.ipa, slot!.bytes, slot!.pa, slot!.vmaShift, slot!.thp, slot!.readOnly],
    [1, 0x20000 * 16384, 0x1801 * 16384, 0x500000 * 16384, 14, 2, 1],
  );
  assert.deepEqual([access!.access, access!.flags], [4, 1]);
  assert.deepEqual([clear!.firstPage, clear!.maskLo, clear!.maskHi], [64, 1, 0xf]);
  assert.deepEqual([unmap!.ipa, unmap!.bytes], [0x20001 * 16384, 3 * 16384]);
});

test('lines in sequence wait for each other, walkers of a par block run at once and are awaited', () => {
  const recording = parseGoldenScript(
    'init ia=40\nmap 0 0x1000 0 rw shared 4\nrcu_gp\npar 7 60\n2 unmap 0 0x1000\n1 mkyoung 0 shared\n2 mkyoung 0 shared\nend\nrcu_gp\ndump\ndestroy\n',
    'p.txt',
  );
  assert.equal(recording.machine.vcpus, 2);
  assert.deepEqual(recording.skipped, { dump: 1 });
  const order = played(recording);
  assert.deepEqual(order.slice(0, 2), ['0 map', '0 waitGracePeriod']);
  assert.deepEqual(order.slice(2, 5).sort(), ['0 mkyoung', '1 mkyoung', '1 unmap']);
  assert.deepEqual(order.slice(5), ['0 waitGracePeriod', '0 destroy']);
});

test('what a script may not say is refused with its line and what was expected', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['map 0 1 2 rw - 8\n', /^s\.txt:1: expected 'init' before any operation, found 'map'$/],
    ['init ia=40\n\nmap 0x40000000 0x1000\n', /^s\.txt:3: map: expected a physical address, found the end of the line$/],
    ['init ia=40\nmap zero 0x1000 0 rw - 8\n', /^s\.txt:2: map: expected an address \(a number up to \d+\), found 'zero'$/],
    ['init ia=40\nmap 0 0x1000 0 rwz - 8\n', /^s\.txt:2: map: expected permissions of the letters .*, found 'rwz'$/],
    ['init ia=40\nmap 0 0x1000 0 rw often 8\n', /^s\.txt:2: map: expected walk flags .*, found 'often'$/],
    ['init ia=40\nunmap 0 0x1000 7\n', /^s\.txt:2: unmap: expected the end of the line, found '7'$/],
    ['init ia=40\nfrobnicate 1\n', /^s\.txt:2: 'frobnicate' is not a known operation$/],
    ['init ia=40\nconstructor 1\n', /^s\.txt:2: 'constructor' is not a known operation$/],
    ['init ia=99\n', /^s\.txt:1: init: expected ia=32 to ia=52, found 'ia=99'$/],
    ['init ia=40\nslot 0 1 1 0 12 0 0\nunmap 0 0x1000\n', /^s\.txt:3: unmap: expected operations of KVM only, as above$/],
    ['init ia=40\naccess 0x1000 q\n', /^s\.txt:2: access: expected an access: r, w or x, found 'q'$/],
    ['init ia=40\nslot 0 1 1 0 12 0 0\nha 1\n', /^s\.txt:3: ha: expected before the first operation/],
    ['init ia=40\npar 1 10\n1 unmap 0 0x1000\n', /^s\.txt:2: par: this block has no end$/],
    ['init ia=40\npar 1 10\n1 rcu_gp\nend\n', /^s\.txt:3: 'rcu_gp' is not an operation of a walker in a par block$/],
    ['init ia=40\npar 1 10\n0 unmap 0 1\nend\n', /^s\.txt:3: expected a walker from 1 to 64 or 'end' in a par block, found '0'$/],
    ['init ia=40\nend\n', /^s\.txt:2: end: there is no 'par' before it$/],
    ['init ia=40\ndestroy\nmap 0 1 2 rw - 8\n', /^s\.txt:3: map: nothing may follow the end of the stage-2$/],
    ['region 0x40000000 0x1000\n', /^s\.txt:1: region: pKVM operations are not supported by recorded KVM workloads$/],
    ['', /^s\.txt: expected a script that begins with 'init', found none$/],
  ];
  for (const [text, message] of refused) {
    assert.throws(
      () => parseGoldenScript(text, 's.txt'),
      (error: Error) => error instanceof RecordingError && message.test(error.message),
      text,
    );
  }
});

test('any text is a script or refused with a line of it', () => {
  const words = fc.constantFrom(
    'map',
    'unmap',
    'par',
    'end',
    '1',
    '2',
    '0x1000',
    '0',
    'rw',
    'shared',
    '-',
    'slot',
    'access',
    'r',
    'age',
    'rcu_gp',
    'destroy',
    'ha',
    '0xffffffffffffffff',
    'x',
  );
  const line = fc.oneof(
    fc.array(words, { maxLength: 8 }).map((parts) => parts.join(' ')),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(line, { maxLength: 12 }), (init, lines) => {
      const text = [...(init ? ['init ia=40'] : []), ...lines].join('\n');
      try {
        const recording = parseGoldenScript(text, 'any');
        assert.ok(driveWorkload(new RecordedWorkload(recording), recording.machine.vcpus + 1, 10_000).ended);
      } catch (error) {
        assert.ok(error instanceof RecordingError, String(error));
        assert.ok(error.line >= 0 && error.line <= text.split('\n').length);
        assert.match(error.message, /^any(:\d+)?: .+/s);
      }
    }),
    { numRuns: 300 },
  );
});
