import { test } from 'node:test';
import assert from 'node:assert/strict';
import { HandOver } from './hand-over.ts';

test('an item is done with when the next one is asked for, and not before', async () => {
  const hand = new HandOver<number>();
  const log: string[] = [];
  const first = hand.put(1).then(() => log.push('1 done'));
  void hand.put(2);
  assert.equal(await hand.take(), 1);
  await Promise.resolve();
  assert.deepEqual(log, []);
  assert.equal(await hand.take(), 2);
  await first;
  assert.deepEqual(log, ['1 done']);
});

test('a taker that came first gets the item that is put later', async () => {
  const hand = new HandOver<string>();
  const taken = hand.take();
  void hand.put('late');
  assert.equal(await taken, 'late');
});

test('the end frees giver and taker', async () => {
  const hand = new HandOver<number>();
  const given = hand.put(1);
  hand.end();
  assert.equal(await given, true);
  assert.equal(await hand.take(), undefined);
  assert.equal(await hand.put(2), true);
});

test('a failure reaches the taker, and frees the giver', async () => {
  const hand = new HandOver<number>();
  const given = hand.put(1);
  hand.fail(new Error('broken'));
  assert.equal(await given, true);
  await assert.rejects(hand.take(), /broken/);
});
