import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ColumnName, Damage, EventSink, EventSource, Frame, FrameOrigin } from '@s2lab/events';
import { COLUMNS, copyRows, EventColumns, FRAME_ROWS, isDamage, KIND_NAMES, KINDS } from '@s2lab/events';

/** A new, empty log of one transport. */
export interface OpenLog {
  readonly sink: EventSink;
  /** Reads all that was written so far, from the first frame, and then ends. The sink may still be open. */
  source(): Promise<EventSource>;
  /** Closes and removes everything that belongs to the log. */
  discard(): Promise<void>;
}

const kindCodes = KIND_NAMES.map((name) => KINDS[name].code);

/** `count` rows with every bit of every column random (from `seed`), kinds from the schema: the hardest rows to carry. */
export function randomRows(seed: number, count: number): EventColumns {
  const rows = new EventColumns(Math.max(1, count));
  let state = seed | 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (const { name } of COLUMNS) {
    const column = rows[name];
    for (let i = 0; i < column.length; i += 1) column[i] = name === 'kind' ? kindCodes[next() % kindCodes.length]! : next();
  }
  rows.length = count;
  return rows;
}

/** An origin whose names hold what names may hold: any text of a run, policy and workload. */
export function anyOrigin(): fc.Arbitrary<FrameOrigin> {
  const name = fc.string({ unit: 'binary', maxLength: 24 });
  return fc.record({ run: name, machine: fc.nat(0xffff_ffff), policy: name, machineKind: fc.constantFrom('kvm', 'pkvm'), workload: name });
}

/** A frame of any origin, 0 to `maxRows` random rows, anywhere in the range of sequence numbers. */
export function anyFrame(maxRows: number): fc.Arbitrary<Frame> {
  return fc
    .record({ origin: anyOrigin(), firstSeq: fc.nat(2 ** 52), seed: fc.integer(), count: fc.nat(maxRows) })
    .map(({ origin, firstSeq, seed, count }) => ({ origin, firstSeq, rows: randomRows(seed, count) }));
}

/** The values of a column of a frame's rows, and only those: without the capacity that the rows may have beyond their length. */
export function columnValues(frame: Frame, name: ColumnName, type: string): readonly number[] {
  return [...frame.rows[name].subarray(0, frame.rows.length * (type === 'u64' ? 2 : 1))];
}

/** Asserts that two frames have the same origin, sequence numbers and values in every column. */
export function assertSameFrame(actual: Frame | Damage, expected: Frame): void {
  if (isDamage(actual)) assert.fail(`${actual.damage} at ${actual.where}: ${actual.because}`);
  assert.deepEqual({ ...actual.origin }, { ...expected.origin });
  assert.equal(actual.firstSeq, expected.firstSeq);
  assert.equal(actual.rows.length, expected.rows.length);
  for (const { name, type } of COLUMNS)
    assert.deepEqual(columnValues(actual, name, type), columnValues(expected, name, type), `column ${name}`);
}

/** Everything a source yields, copied so that it stays valid. @throws when it yields damage. */
export async function readAll(source: EventSource): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const item of source.frames()) {
    if (isDamage(item)) assert.fail(`${item.damage} at ${item.where}: ${item.because}`);
    frames.push({ ...item, rows: copyRows(item.rows) });
  }
  await source.close();
  return frames;
}

/**
 * Asserts that what was read is what was written: the frames of each machine in order, without a hole or a repetition.
 * A transport may cut a large frame into several.
 */
export function assertSameStream(actual: readonly Frame[], expected: readonly Frame[]): void {
  const machines = (frames: readonly Frame[]): number[] => [...new Set(frames.map((frame) => frame.origin.machine))].sort((a, b) => a - b);
  assert.deepEqual(machines(actual), machines(expected));
  for (const machine of machines(expected)) {
    const own = (frames: readonly Frame[]): Frame[] => frames.filter((frame) => frame.origin.machine === machine);
    let next = own(expected)[0]!.firstSeq;
    for (const frame of own(actual)) {
      assert.equal(frame.firstSeq, next, `machine ${machine}: sequence`);
      assert.deepEqual({ ...frame.origin }, { ...own(expected)[0]!.origin });
      next += frame.rows.length;
    }
    for (const { name, type } of COLUMNS) {
      const all = (frames: readonly Frame[]): number[] => own(frames).flatMap((frame) => columnValues(frame, name, type));
      assert.deepEqual(all(actual), all(expected), `machine ${machine}: column ${name}`);
    }
  }
}

/** Frames of `machines` machines in turn, `each` per machine, sequence numbers from 0, sizes from 1 to `maxRows`. */
export function interleavedFrames(machines: number, each: number, maxRows: number, run = 'contract'): Frame[] {
  const next = new Array<number>(machines).fill(0);
  const frames: Frame[] = [];
  for (let i = 0; i < machines * each; i += 1) {
    const machine = i % machines;
    const rows = randomRows(i + 1, 1 + ((i * 7919) % maxRows));
    const origin = { run, machine, policy: 'rcu', machineKind: 'kvm', workload: 'contract' };
    frames.push({ origin, firstSeq: next[machine]!, rows });
    next[machine]! += rows.length;
  }
  return frames;
}

/**
 * The contract of every transport, as tests. `open` makes a new log for each test, or returns undefined when the test was skipped for
 * want of a capability.
 */
export function transportContract(name: string, open: (t: TestContext) => Promise<OpenLog | undefined>): void {
  const check = (title: string, body: (log: OpenLog) => Promise<void>): void => {
    test(title, async (t) => {
      const log = await open(t);
      if (log === undefined) return;
      try {
        await body(log);
      } finally {
        await log.discard();
      }
    });
  };

  describe(`the ${name} transport`, () => {
    check('an empty log is read as nothing', async (log) => {
      assert.deepEqual(await readAll(await log.source()), []);
      await log.sink.close();
      assert.deepEqual(await readAll(await log.source()), []);
    });

    check('frames of many machines come back with every column, in the order of each machine', async (log) => {
      const frames = interleavedFrames(5, 6, 200);
      for (const frame of frames) await log.sink.write(frame);
      await log.sink.close();
      assertSameStream(await readAll(await log.source()), frames);
    });

    check('names of any text come back as they were', async (log) => {
      const frames = fc
        .sample(anyFrame(20), { numRuns: 8, seed: 3 })
        .map((frame, machine) => ({ ...frame, origin: { ...frame.origin, machine } }))
        .filter((frame) => frame.rows.length > 0);
      for (const frame of frames) await log.sink.write(frame);
      await log.sink.close();
      assertSameStream(await readAll(await log.source()), frames);
    });

    check('a reader sees a frame as soon as its write resolved', async (log) => {
      const frames = interleavedFrames(2, 3, 50);
      for (const [i, frame] of frames.entries()) {
        await log.sink.write(frame);
        assertSameStream(await readAll(await log.source()), frames.slice(0, i + 1));
      }
      await log.sink.close();
    });

    check('rows overwritten after their write resolved do not change what was kept', async (log) => {
      const [frame] = interleavedFrames(1, 1, 50);
      const kept = { ...frame!, rows: copyRows(frame!.rows) };
      await log.sink.write(frame!);
      for (const { name: column } of COLUMNS) frame!.rows[column].fill(0);
      await log.sink.close();
      assertSameStream(await readAll(await log.source()), [kept]);
    });

    check('writes that are not waited for one by one keep their order', async (log) => {
      const frames = interleavedFrames(3, 8, 60);
      await Promise.all(frames.map((frame) => log.sink.write(frame)));
      await log.sink.close();
      assertSameStream(await readAll(await log.source()), frames);
    });

    check('a full frame that does not compress comes back whole', async (log) => {
      const [frame] = interleavedFrames(1, 1, 1);
      const full = { ...frame!, rows: randomRows(5, FRAME_ROWS) };
      await log.sink.write(full);
      await log.sink.close();
      assertSameStream(await readAll(await log.source()), [full]);
    });

    check('a write after close is refused, and closing twice is harmless', async (log) => {
      const [frame] = interleavedFrames(1, 1, 10);
      await log.sink.write(frame!);
      await log.sink.close();
      await log.sink.close();
      await assert.rejects(log.sink.write(frame!), /closed/);
      assertSameStream(await readAll(await log.source()), [frame!]);
    });
  });
}
