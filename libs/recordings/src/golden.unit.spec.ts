import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { decodeEvent, FRAME_ROWS } from '@s2lab/events';
import { importGolden, RecordingError } from './index.ts';

const HEAD = [
  '{"trace":1,"kernel":"v7.2.13","file":"arch/arm64/kvm/hyp/pgtable.c","variant":"stock","page_shift":12,"table_base":"0x700000000000","script":"s"}',
  '{"op":0,"name":"init","page_shift":12,"ia_bits":40,"fwb":1,"tlbrange":1,"lpa2":0,"pa52":0,"xnx":1,"pgt_flags":"-","force":"none"}',
  '{"e":"alloc_pgd","t":0,"n":2}',
  '{"ret":0,"vtcr":"0x802d3558","start_level":1,"pgd_pages":2}',
];

function kinds(frames: Iterable<Frame>): string[] {
  const names: string[] = [];
  for (const frame of frames)
    for (let i = 0; i < frame.rows.length; i++) names.push(decodeEvent(frame.rows, i, frame.firstSeq + i, 0).kind);
  return names;
}

function fails(lines: readonly string[], line: number, message: RegExp): void {
  assert.throws(
    () => kinds(importGolden(lines)),
    (error: unknown) => error instanceof RecordingError && error.line === line && message.test(error.message),
  );
}

test('a map of the recording becomes a walk with its stores, links and counts', () => {
  const names = kinds(
    importGolden([
      ...HEAD,
      '{"op":1,"name":"map","addr":"0x40000000","size":"0x1000","phys":"0x80000000","prot":"rwx","flags":"shared","mc":4}',
      '{"e":"rcu","k":"lock"}',
      '{"e":"alloc","t":2}',
      '{"e":"cas","t":0,"i":1,"l":1,"exp":"0x0","old":"0x0","new":"0x1000000000000000","ok":1}',
      '{"e":"get","t":0,"c":2}',
      '{"e":"rel","t":0,"i":1,"l":1,"old":"0x1000000000000000","new":"0x700000002003"}',
      '{"e":"cb","k":"leaf","t":0,"i":1,"l":1,"a":"0x40000000","old":"0x0","r":0}',
      '{"e":"rcu","k":"unlock"}',
      '{"e":"dsb","k":"ishst"}',
      '{"ret":0}',
      '{"end":1,"ops":2}',
    ]),
  );
  assert.deepEqual(names, [
    'machine-started',
    'table-allocated',
    'table-allocated',
    'stage2-created',
    'walk-began',
    'read-section-entered',
    'table-allocated',
    'descriptor-swapped',
    'reference-got',
    'descriptor-released',
    'table-linked',
    'read-section-left',
    'dsb-completed',
    'walk-ended',
    'machine-stopped',
  ]);
});

test('a range invalidation becomes the pieces the kernel issues', () => {
  const frames = [
    ...importGolden([
      ...HEAD,
      '{"op":1,"name":"tlbflush","addr":"0x40000000","size":"0x1ff000"}',
      '{"e":"tlbi","k":"range","a":"0x40000000","pages":511}',
      '{"ret":0}',
      '{"end":1}',
    ]),
  ];
  const pieces: number[][] = [];
  for (const { rows } of frames)
    for (let i = 0; i < rows.length; i++) {
      const event = decodeEvent(rows, i, i, 0);
      if (event.kind === 'tlbi-issued') pieces.push([event.op, event.ipa, event.pages]);
    }
  assert.deepEqual(pieces, [
    [3, 0x4000_0000, 448],
    [3, 0x401c_0000, 62],
    [1, 0x401f_e000, 0],
    [4, 0, 0],
  ]);
});

test('frames follow each other without a gap and survive each other', () => {
  const many = Array.from({ length: FRAME_ROWS + 1_000 }, () => '{"e":"dsb","k":"ish"}');
  const frames = [...importGolden([...HEAD, ...many, '{"end":1}'])];
  assert.deepEqual(
    frames.map((frame) => [frame.firstSeq, frame.rows.length]),
    [
      [0, FRAME_ROWS],
      [FRAME_ROWS, 1_005],
    ],
  );
});

test('a malformed recording names its line and what is wrong with it', () => {
  fails([], 1, /empty/);
  fails(['{"op":1}'], 1, /first line must be/);
  fails(['not json'], 1, /not JSON/);
  fails(['[1]'], 1, /not a JSON object/);
  fails([...HEAD, '{"e":"bogus"}'], 5, /unknown event "bogus"/);
  fails([...HEAD, '{"e":"wr","t":0,"i":9999,"l":1,"old":"0x0","new":"0x0"}'], 5, /"i" is 9999; it must be a whole number from 0 to 8191/);
  fails([...HEAD, '{"e":"wr","t":0,"i":1,"l":1,"old":"zero","new":"0x0"}'], 5, /64-bit hex/);
  fails([...HEAD, '{"e":"wr","t":0,"i":1,"l":1,"old":"0x0","new":"0x123003"}'], 5, /points to no table page/);
  fails([...HEAD, '{"ret":0}'], 5, /result without an operation/);
  fails([...HEAD, '{"e":"tlbi","k":"range","a":"0x0","pages":1e15}'], 5, /"pages"/);
  fails(HEAD, 4, /cut off/);
  fails([HEAD[0]!, '{"e":"alloc","t":1}'], 2, /before the operation "init"/);
  fails([HEAD[0]!.replace('"table_base":"0x700000000000",', '')], 1, /mem_protect/);
  fails([HEAD[0]!, HEAD[1]!.replace('"ia_bits":40', '"ia_bits":50'), '{"end":1}', '{"end":1}'], 4, /after the end/);
});
