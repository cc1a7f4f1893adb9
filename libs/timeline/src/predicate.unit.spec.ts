import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { EventInput } from '@s2lab/events';
import { EventColumns, encodeEvent } from '@s2lab/events';
import { compilePredicate, firstDifference, TimelineError } from './index.ts';

const EVENTS: readonly EventInput[] = [
  { kind: 'table-freed', table: 7, level: 2, actor: 3 },
  { kind: 'walk-ended', result: -11, retries: 2, walk: 9 },
  { kind: 'descriptor-stored', table: 7, slot: 511, level: 3, ipa: 0x4000_0000, old: '0x1000000000000000', new: '0x4000007db' },
  { kind: 'table-linked', child: 9, parent: 7, slot: 1, cause: 2 },
];
const rows = new EventColumns(EVENTS.length);
for (const event of EVENTS) encodeEvent(rows, event);

const found = (text: string): number[] => EVENTS.map((_, i) => i).filter((i) => compilePredicate(text)(rows, i, 100 + i));

test('a predicate compares columns, sequence numbers, and fields of the kind it names', () => {
  assert.deepEqual(found('kind=table-freed table=7'), [0]);
  assert.deepEqual(found('table=7'), [0, 2]);
  assert.deepEqual(found('table>=7 seq>100'), [2, 3]);
  assert.deepEqual(found('kind=walk-ended result=-11'), [1]);
  assert.deepEqual(found('kind=walk-ended result<0 retries!=2'), []);
  assert.deepEqual(found('old=0x1000000000000000'), [2]);
  assert.deepEqual(found('kind=descriptor-stored new!=0x4000007db'), []);
  assert.deepEqual(found('ipa=0x40000000 level=3'), [2]);
  assert.deepEqual(found('kind=table-linked child=9 parent=7'), [3]);
  assert.deepEqual(found('kind!=table-linked actor<=3 actor>0'), [0]);
});

test('a wrong clause is named with the reason', () => {
  for (const [text, says] of [
    ['', /an empty predicate/],
    ['table', /'table' is no clause/],
    ['kind=nothing', /no kind nothing/],
    ['kind<table-freed', /= and != only/],
    ['colour=3', /colour is no column of an event; name the kind too/],
    ['kind=table-freed child=3', /child is no column and no field of table-freed/],
    ['table=seven', /seven is no number/],
    ['new<3', /descriptor compares/],
    ['new=0x11112222333344445', /no 64-bit number/],
  ] as const) {
    assert.throws(
      () => compilePredicate(text),
      (error) => error instanceof TimelineError && says.test(error.message),
      text,
    );
  }
});

test('the first difference is the first row that differs in any column, wherever the rows begin', () => {
  const other = new EventColumns(EVENTS.length + 1);
  encodeEvent(other, { kind: 'isb-completed' });
  for (const event of EVENTS) encodeEvent(other, event);
  assert.equal(firstDifference(rows, 0, other, 1, EVENTS.length), EVENTS.length);
  other.new[2 * 3 + 1] = 1;
  assert.equal(firstDifference(rows, 0, other, 1, EVENTS.length), 2);
  other.actor[2] = 77;
  assert.equal(firstDifference(rows, 0, other, 1, EVENTS.length), 1);
  assert.equal(firstDifference(rows, 2, other, 3, 2), 0);
});
