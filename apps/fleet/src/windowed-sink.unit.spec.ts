import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventSink, Frame } from '@s2lab/events';
import { EventColumns } from '@s2lab/events';
import { WindowedSink } from './windowed-sink.ts';

const FRAME: Frame = {
  origin: { run: 'r', machine: 0, policy: 'rcu', machineKind: 'kvm', workload: 'w' },
  firstSeq: 0,
  rows: new EventColumns(1),
};

/** A sink whose writes are settled by hand. */
class Manual implements EventSink {
  readonly settle: { resolve: () => void; reject: (error: Error) => void }[] = [];
  closed = false;

  write(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.settle.push({ resolve, reject });
    });
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test('writes go on until the window is full, and again when one is done', async () => {
  const inner = new Manual();
  const sink = new WindowedSink(inner, 3);
  await sink.write(FRAME);
  await sink.write(FRAME);
  let third = false;
  const waiting = sink.write(FRAME).then(() => {
    third = true;
  });
  await turn();
  assert.equal(third, false);
  inner.settle[1]!.resolve();
  await waiting;
  assert.equal(inner.settle.length, 3);
});

test('close waits for every write', async () => {
  const inner = new Manual();
  const sink = new WindowedSink(inner, 8);
  await sink.write(FRAME);
  let closed = false;
  const closing = sink.close().then(() => {
    closed = true;
  });
  await turn();
  assert.equal(closed, false);
  inner.settle[0]!.resolve();
  await closing;
});

test('a failed write is told by the next one and by close', async () => {
  const inner = new Manual();
  const sink = new WindowedSink(inner, 8);
  await sink.write(FRAME);
  inner.settle[0]!.reject(new Error('refused'));
  await turn();
  await assert.rejects(sink.write(FRAME), /refused/);
  await assert.rejects(sink.close(), /refused/);
});
