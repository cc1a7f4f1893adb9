import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { KindName } from '@s2lab/events';
import { COMPONENT, EventColumns, KIND_NAMES, KINDS, PAGE_STATE } from '@s2lab/events';
import { eventWords } from './event-words.ts';
import { EventCursor } from './shadow/event-cursor.ts';

/** The words of an event of `kind` by vCPU 1 of VMID 2, with these numbers in its columns. */
function words(kind: KindName, { level = 3, arg = 1, aux = 1 } = {}): string {
  const rows = new EventColumns(1);
  rows.append(KINDS[kind].code, 900, 1, 4, 2, level, 7, 5, 0x2000, 0, 0x8000_0000, 0, 0x4000_0000, arg, aux);
  const cursor = new EventCursor();
  cursor.open(rows, 0, 1, 12);
  return eventWords(cursor, 4);
}

test('every kind of event is told in words of its own, not as a list of fields', () => {
  const all = KIND_NAMES.map((kind) => words(kind));
  for (const [i, text] of all.entries()) {
    assert.doesNotMatch(text, /=|undefined|NaN|\bcode \d/, `${KIND_NAMES[i]}: ${text}`);
    assert.match(text, /^\S+( \S+){2,}$/, `${KIND_NAMES[i]}: ${text}`);
  }
  assert.equal(new Set(all).size, KIND_NAMES.length);
});

test('what pKVM does to pages is told with who has them, where, and in which state', () => {
  const { host, hyp, guest } = COMPONENT;
  assert.equal(
    words('page-donated', { arg: host, aux: guest }),
    'vCPU 1 donated [0x80000000, +0x2000) from the host to guest 2, at 0x40000000 of the guest',
  );
  assert.equal(words('page-shared', { arg: host, aux: hyp }), 'vCPU 1 shared [0x80000000, +0x2000) of the host with the hypervisor');
  assert.equal(
    words('page-state-changed', { arg: host, level: PAGE_STATE.owned, aux: PAGE_STATE.sharedOwned }),
    'vCPU 1 noted what [0x80000000, +0x2000) is to the host: its own and shared, and no longer its own',
  );
  assert.equal(
    words('page-reclaimed', { arg: 1 }),
    'vCPU 1 took [0x80000000, +0x2000) back from guest 2, which had it at 0x40000000 and lives on',
  );
  assert.equal(words('epoch-scanned', { arg: 0, aux: 3 }), 'vCPU 1 read what actor 3 announces: nothing');
});
