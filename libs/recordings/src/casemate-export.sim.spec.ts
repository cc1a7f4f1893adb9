import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { join } from 'node:path';
import type { Frame } from '@s2lab/events';
import { formatVerdict, Verifier } from '@s2lab/invariants';
import type { Verdict } from '@s2lab/invariants';
import { MUTANTS } from '@s2lab/testkit';
import { CasemateExportError, CasemateTrace, importCasemate, importGolden } from './index.ts';

const TESTDATA = join(import.meta.dirname, '../../../testdata');

function exported(frames: Iterable<Frame>): string {
  const trace = new CasemateTrace();
  let text = '';
  for (const frame of frames) text += trace.write(frame);
  return text + trace.end();
}

function judged(text: string, profile = 'casemate-strict'): Verdict {
  const verifier = new Verifier({ profile });
  for (const frame of importCasemate(text)) verifier.fold(frame);
  return verifier.finish();
}

function golden(folder: string, name: string): Iterable<Frame> {
  return importGolden(
    gunzipSync(readFileSync(join(TESTDATA, 'golden', folder, name)))
      .toString('utf8')
      .split('\n'),
  );
}

describe('a log written as a casemate trace', () => {
  for (const name of [
    'fuzz.20000',
    'fuzz.20943',
    'probe.table_to_block',
    'probe.thread_owner_ok',
    'probe.trylock_reenter_needs_two_unlocks',
  ])
    test(`is, of the imported trace ${name}, that trace again`, () => {
      const text = readFileSync(join(TESTDATA, 'casemate', `${name}.trace`), 'utf8');
      const plain = (trace: string): string =>
        trace
          .replaceAll(/\((?:src "[^"]*"|id \d+)\)/g, '')
          .replaceAll('0x', '')
          .trim();
      assert.equal(plain(exported(importCasemate(text))), plain(text));
    });

  for (const [folder, name] of [
    ['kvm', 'dirty-log-3000-chunk0x0-initset0.ps12.jsonl.gz'],
    ['kvm', 'map-size-choice.ps12.jsonl.gz'],
    ['kvm', 'random-3105.ps12.jsonl.gz'],
    ['stock', 'parallel-1025-ia40.ps12.jsonl.gz'],
    ['stock', 'parallel-1033-ia48-rng0-fwb0.ps12.jsonl.gz'],
    ['stock', 'random-1009-ia40-fwb0-rng0.ps12.jsonl.gz'],
    ['stock', 'scripted-ia40.ps12.jsonl.gz'],
  ] as const)
    test(`is clean, of the recording ${folder}/${name} of the kernel`, () => {
      const verdict = judged(exported(golden(folder, name)));
      assert.equal(verdict.verdict, 'holds', formatVerdict(verdict));
    });

  test('is refused when it is of two machines, has a hole or another granule', () => {
    const [frame] = [...golden('kvm', 'map-size-choice.ps12.jsonl.gz')] as [Frame];
    const trace = new CasemateTrace();
    trace.write(frame);
    assert.throws(() => trace.write({ ...frame, firstSeq: frame.rows.length + 1 }), /are missing/);
    assert.throws(() => trace.write({ ...frame, origin: { ...frame.origin, machine: 7 } }), /--machine/);
    assert.throws(() => exported(golden('kvm', 'random-3107.ps14.jsonl.gz')), /4 KiB only/);
  });

  test('shows casemate the breaks that are missing or not flushed', () => {
    const found = MUTANTS.filter(({ invariant }) => invariant === 'I3').filter(({ frames }) => {
      try {
        return judged(exported(frames())).verdict === 'violated';
      } catch (error) {
        assert.ok(error instanceof CasemateExportError, String(error));
        return false;
      }
    });
    assert.deepEqual(
      found.map(({ name }) => name),
      [
        'a collapse without a break',
        'a break without its TLBI',
        'a break whose TLBI is not broadcast',
        'a TLBI of the wrong VMID',
        'a TLBI before the store is visible',
        'a table freed before the flush of its link',
        'stage-1 entries left after the stage-2 TLBI',
        'the output address of a live page changes',
        'the memory type of a live page changes',
      ],
      'level hints and parts of a table are nothing to casemate',
    );
  });
});
