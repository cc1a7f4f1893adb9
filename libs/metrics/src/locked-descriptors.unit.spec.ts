import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventInput } from '@s2lab/events';
import { encodeEvent, EventColumns } from '@s2lab/events';
import { LockedDescriptors } from './locked-descriptors.ts';

const LOCKED = '0x1000000000000000';

/** Plays stores and reads in order: of each read, whether it met another's lock. A number frees that table. */
function met(events: readonly (EventInput | number)[]): boolean[] {
  const locked = new LockedDescriptors();
  const answers: boolean[] = [];
  for (const event of events) {
    if (typeof event === 'number') {
      locked.dropTable(event);
      continue;
    }
    const rows = new EventColumns(1);
    encodeEvent(rows, event);
    if (event.kind === 'descriptor-read') answers.push(locked.meets(rows, 0));
    else locked.write(rows, 0);
  }
  return answers;
}

const lock = (actor: number, table: number, slot: number): EventInput => ({ kind: 'descriptor-swapped', actor, table, slot, new: LOCKED });
const make = (actor: number, table: number, slot: number): EventInput => ({ kind: 'descriptor-released', actor, table, slot, new: '0x3' });
const read = (actor: number, table: number, slot: number): EventInput => ({ kind: 'descriptor-read', actor, table, slot, value: LOCKED });

test('a locked descriptor is met by everyone but who locked it, however many are locked', () => {
  const locks = [lock(0, 7, 1), lock(1, 7, 2), lock(2, 8, 1)];
  const reads = [read(0, 7, 1), read(1, 7, 1), read(1, 7, 2), read(0, 7, 2), read(2, 8, 1), read(0, 8, 1)];
  assert.deepEqual(met([...locks, ...reads]), [false, true, false, true, false, true]);
});

test('who made a descriptor has it locked no more, nor has anyone in a table that was freed', () => {
  const again = [read(0, 7, 1), read(1, 7, 2), read(2, 8, 1)];
  assert.deepEqual(met([lock(0, 7, 1), lock(1, 7, 2), lock(2, 8, 1), make(0, 7, 1), 8, ...again]), [true, false, true]);
  assert.deepEqual(met([lock(0, 7, 1), lock(1, 7, 2), make(1, 7, 2), 7, lock(2, 7, 1), read(0, 7, 1), read(2, 7, 1)]), [true, false]);
});
