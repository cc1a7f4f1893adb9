import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventSink, Frame } from '@s2lab/events';
import { EventColumns, MemoryLog } from '@s2lab/events';
import type { FrameProducer } from './pump.ts';
import { Pace } from './control/pace.ts';
import { pump } from './pump.ts';

/** Gives `count` frames of one row, one for each millisecond of virtual time. */
class Ticker implements FrameProducer {
  nowNs = 0;
  made = 0;
  private stopped = false;
  private readonly count: number;
  private readonly rows = new EventColumns(1);

  constructor(count: number) {
    this.count = count;
  }

  get done(): boolean {
    return this.made === this.count;
  }

  interrupt(): Frame | undefined {
    if (this.done || this.stopped) return undefined;
    this.stopped = true;
    return this.frameOf(2);
  }

  nextFrame(limitNs: number): Frame | undefined {
    if (this.done || this.nowNs + 1e6 > limitNs) return undefined;
    this.nowNs += 1e6;
    return this.frameOf(80);
  }

  private frameOf(kind: number): Frame {
    this.rows.clear();
    this.rows.append(kind, this.nowNs, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const firstSeq = this.made;
    this.made += 1;
    return { origin: { run: 'r', machine: 0, policy: 'rcu', machineKind: 'kvm', workload: 'w' }, firstSeq, rows: this.rows };
  }
}

test('every frame reaches every sink, in order', async () => {
  const logs = [new MemoryLog(), new MemoryLog()];
  const outcome = await pump(new Ticker(50), logs, { speed: 0 });
  assert.deepEqual(outcome, { frames: 50, events: 50, virtualNs: 50e6, interrupted: false });
  for (const log of logs)
    assert.deepEqual(
      log.kept.map((frame) => frame.firstSeq),
      Array.from({ length: 50 }, (_, i) => i),
    );
});

test('no frame is made while a sink still has the last one', async () => {
  const ticker = new Ticker(3);
  let release = (): void => {};
  const slow: EventSink = {
    write: () =>
      new Promise((resolve) => {
        release = resolve;
      }),
    close: async () => {},
  };
  const running = pump(ticker, [slow, new MemoryLog()], { speed: 0 });
  for (let frame = 1; frame <= 3; frame += 1) {
    for (let turn = 0; turn < 5; turn += 1)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    assert.equal(ticker.made, frame);
    release();
  }
  assert.equal((await running).frames, 3);
});

test('virtual time stops at the limit, and the machines say that they were stopped', async () => {
  const log = new MemoryLog();
  const outcome = await pump(new Ticker(100), [log], { speed: 0, untilNs: 7.5e6 });
  assert.equal(outcome.virtualNs, 7e6);
  assert.equal(outcome.frames, 8);
  assert.equal(log.kept.at(-1)?.rows.kind[0], 2);
  assert.equal(outcome.interrupted, false);
});

test('a paced run stops at its signal and says that it was interrupted', async () => {
  const stop = new AbortController();
  const log = new MemoryLog();
  const sink: EventSink = {
    write: async (frame) => {
      await log.write(frame);
      if (log.kept.length === 5) stop.abort();
    },
    close: async () => {},
  };
  const outcome = await pump(new Ticker(1_000_000), [sink], { speed: 1, signal: stop.signal });
  assert.equal(outcome.frames, 6, 'five, and the end of the machine');
  assert.equal(outcome.interrupted, true);
});

test('the error of a sink ends the run', async () => {
  const ticker = new Ticker(10);
  const broken: EventSink = {
    write: async () => {
      throw new Error('disk full');
    },
    close: async () => {},
  };
  await assert.rejects(pump(ticker, [new MemoryLog(), broken], { speed: 0 }), /disk full/);
  assert.equal(ticker.made, 1);
});

test('a pump that is paused makes nothing, goes on where it was, and ends as if it had never stood still', async () => {
  const pace = new Pace(0);
  const ticker = new Ticker(200);
  const log = new MemoryLog();
  const sink: EventSink = {
    write: async (frame) => {
      await log.write(frame);
      if (log.kept.length === 20) pace.set(0, true);
    },
    close: async () => {},
  };
  const running = pump(ticker, [sink], { speed: pace });
  while (!pace.paused)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  assert.equal(ticker.made, 20);
  pace.set(0, false);
  assert.deepEqual(await running, { frames: 200, events: 200, virtualNs: 200e6, interrupted: false });
  assert.deepEqual(
    log.kept.map((frame) => frame.firstSeq),
    Array.from({ length: 200 }, (_, i) => i),
  );
});

test('a pace that was too high to reach does not last when it is lowered', async () => {
  const pace = new Pace(1000); // 200 virtual seconds a beat
  const stop = new AbortController();
  const ticker = new Ticker(1_000_000);
  const log = new MemoryLog();
  const sink: EventSink = {
    write: async (frame) => {
      await log.write(frame);
      if (log.kept.length === 30) pace.set(0.001, false); // a frame every ten beats
      if (log.kept.length === 31) stop.abort();
    },
    close: async () => {},
  };
  const outcome = await pump(ticker, [sink], { speed: pace, signal: stop.signal });
  assert.equal(outcome.frames, 32, 'thirty, one at the new pace, and the end of the machine');
});

test('a signal ends a pump that is paused', async () => {
  const pace = new Pace(1);
  pace.set(1, true);
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 20);
  assert.equal((await pump(new Ticker(10), [new MemoryLog()], { speed: pace, signal: stop.signal })).interrupted, true);
});
