import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame } from '@s2lab/events';
import { sliceRows } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { importCasemate, RecordingError } from './index.ts';

interface CorpusTrace {
  readonly name: string;
  readonly text: string;
  /** What casemate-check 3.0.2 said. */
  readonly said: string;
  /** The record it failed at, -1 = not known: what it said differs from what the trace’s author expected, or it crashed. */
  readonly failedAt: number;
}

interface Judged {
  readonly said: string;
  readonly at: number;
}

/** Traces of this project, and casemate’s own examples where the folder with them stands beside the project. */
const CORPORA: readonly (readonly [index: string, folder: string])[] = [
  ['../../../testdata/casemate/index.tsv', '../../../testdata/casemate'],
  ['../../../../shared/casemate/data/index.tsv', '../../../../shared/casemate/data/examples'],
];

function corpus(): CorpusTrace[] {
  return CORPORA.flatMap(([index, folder]) => {
    const file = join(import.meta.dirname, index);
    if (!existsSync(file)) return [];
    const rows = readFileSync(file, 'utf8').trim().split('\n').slice(1);
    return rows.flatMap((row) => {
      const [name, , expected, failing, said] = row.split('\t') as [string, string, string, string, string];
      const path = join(import.meta.dirname, folder, `${name}.trace`);
      if (!existsSync(path)) return [];
      const failedAt = expected === said && failing !== '' ? Number(failing) : -1;
      return [{ name, text: readFileSync(path, 'utf8'), said, failedAt }];
    });
  });
}

function judge(text: string, profile: string): Judged {
  const verifier = new Verifier({ profile });
  try {
    for (const frame of importCasemate(text)) verifier.fold(frame);
  } catch (error) {
    assert.ok(error instanceof RecordingError, String(error));
    return { said: 'parse error', at: Number(/record (\d+):/.exec(error.message)?.[1]) };
  }
  const { violations, counts } = verifier.finish();
  const [first] = violations;
  if (first === undefined) return { said: 'ok', at: -1 };
  assert.deepEqual(Object.keys(counts), ['casemate'], 'no other rule has an opinion on plain memory');
  const [, at, said] = /\(event (\d+) of the trace; casemate: (.*)\)$/.exec(first.because)!;
  assert.equal(first.seq, Number(at) + 1);
  assert.equal(first.witness.at(-1)?.seq, first.seq);
  return { said: said!, at: Number(at) };
}

function agrees(trace: CorpusTrace, judged: Judged): boolean {
  return judged.said === trace.said && (trace.said === 'ok' || trace.failedAt < 0 || judged.at === trace.failedAt);
}

describe('the casemate corpus', () => {
  const traces = corpus();

  test('is there: 304 traces at least, of which eighty hold', () => {
    assert.ok(traces.length >= 304, `${traces.length} traces`);
    assert.ok(traces.filter(({ said }) => said === 'ok').length >= 80);
  });

  test('to the letter of 3.0.2, every verdict and every failing record are casemate’s', () => {
    const wrong = traces.filter((trace) => !agrees(trace, judge(trace.text, 'casemate-3.0.2')));
    assert.deepEqual(
      wrong.map(({ name }) => name),
      [],
    );
  });

  test('a judging that is cut anywhere and taken up from a snapshot finds the same', () => {
    traces.forEach(({ name, text, said }, n) => {
      if (said === 'parse error' || text.startsWith('(MEM')) return;
      const [frame] = [...importCasemate(text)] as [Frame];
      const cut = (n * 7919) % frame.rows.length;
      const first = new Verifier({ profile: 'casemate' });
      first.fold({ ...frame, rows: sliceRows(frame.rows, 0, cut) });
      const second = Verifier.resume(structuredClone(first.snapshot()), { profile: 'casemate' });
      second.fold({ ...frame, firstSeq: cut, rows: sliceRows(frame.rows, cut, frame.rows.length) });
      const whole = new Verifier({ profile: 'casemate' });
      whole.fold(frame);
      assert.deepEqual(second.finish(), whole.finish(), `${name}, cut at ${cut}`);
    });
  });

  test('the profile differs only by changes of a live descriptor that the access flag must not excuse', () => {
    const different = traces.filter((trace) => !agrees(trace, judge(trace.text, 'casemate')));
    for (const trace of different) {
      const { said, at } = judge(trace.text, 'casemate');
      assert.equal(said, 'BBM valid->valid', trace.name);
      const record = trace.text.split('\n')[at]!;
      assert.match(record, /^\(mem-write/, trace.name);
    }
    assert.deepEqual(different.map(({ name }) => name).sort(), [
      'probe.valid_contig_bit_change_af1',
      'probe.valid_oa_change_af1_before_only',
    ]);
  });

  test('the strict profile differs besides only by TLBIs of a wrong VMID', () => {
    const different = traces.filter(
      ({ text }) => JSON.stringify(judge(text, 'casemate')) !== JSON.stringify(judge(text, 'casemate-strict')),
    );
    for (const { name, text } of different) assert.equal(judge(text, 'casemate-strict').said, 'BBM invalid unclean->valid', name);
    for (const name of ['fuzz.26829', 'probe.wrong_vmid_vmalle1_promoted'])
      assert.ok(
        different.some((trace) => trace.name === name),
        name,
      );
  });
});
