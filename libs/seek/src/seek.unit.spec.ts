import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';
import { MachineView } from '@s2lab/timeline';
import { FileSink } from '@s2lab/transport-file';
import { checkpointPath, LogTimeline } from './index.ts';

const folder = await mkdtemp(join(tmpdir(), 's2lab-seek-'));
const path = join(folder, 'run.arrow');
const expected = new Map<number, MachineView>();
const MOMENTS = [0, 100_000, 300_000, 655_360, 900_000];

/** The migration scenario, recorded once for all tests; the views of one pass at some moments. */
async function record(): Promise<void> {
  const { producer } = assembleFleet(builtinScenarios.get('migration')!, { seed: 2 });
  const sink = await FileSink.create(path);
  const views = MOMENTS.map((seq) => ({ seq, view: new MachineView() }));
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
    await sink.write(frame);
    for (const { seq, view } of views) if (frame.firstSeq <= seq) view.fold(frame.rows, frame.firstSeq, seq);
  }
  await sink.close();
  for (const { seq, view } of views) expected.set(seq, view);
}
await record();
test.after(() => rm(folder, { recursive: true, force: true }));

async function opened(t: TestContext): Promise<{ timeline: LogTimeline; told: string[] }> {
  const told: string[] = [];
  const timeline = await LogTimeline.open(path, (line) => told.push(line));
  t.after(() => timeline.close());
  return { timeline, told };
}

test('a seek by checkpoints gives the view of one pass, and checkpoints stay below 5 % of the log', async (t) => {
  const { timeline, told } = await opened(t);
  const built = await timeline.requireCheckpoints();
  assert.ok(built !== undefined && built.checkpoints >= 2);
  assert.ok(built.bytes <= 0.05 * timeline.log.size, `${built.bytes} bytes beside ${timeline.log.size}`);
  for (const [seq, view] of expected) assert.deepEqual(await timeline.viewAt(timeline.machines[0]!, seq), view);
  assert.deepEqual(told, []);
});

test('checkpoints are found again, and without any a seek gives the same', async (t) => {
  const { timeline } = await opened(t);
  await timeline.requireCheckpoints();
  assert.equal(await timeline.requireCheckpoints(), undefined);
  const { timeline: bare } = await opened(t);
  assert.deepEqual(await bare.viewAt(bare.machines[0]!, 300_000), expected.get(300_000));
});

test('checkpoints of another log, a damaged file and a damaged checkpoint are told and not used', async (t) => {
  const { timeline } = await opened(t);
  await timeline.requireCheckpoints(true);
  const file = checkpointPath(path);
  const whole = await readFile(file);
  for (const [change, says] of [
    [
      whole.toString('latin1').replace(timeline.log.checksum, timeline.log.checksum === '00000000' ? '00000001' : '00000000'),
      /damaged; building/,
    ],
    [whole.toString('latin1').slice(0, -20), /damaged; building/],
    ['', /damaged; building/],
  ] as const) {
    await writeFile(file, Buffer.from(change, 'latin1'));
    const again = await opened(t);
    assert.ok((await again.timeline.requireCheckpoints()) !== undefined);
    assert.match(again.told[0]!, says);
    assert.deepEqual(await readFile(file), whole);
  }
  whole[1000]! ^= 1;
  await writeFile(file, whole);
  const broken = await opened(t);
  await broken.timeline.requireCheckpoints();
  assert.deepEqual(await broken.timeline.viewAt(broken.timeline.machines[0]!, 300_000), expected.get(300_000));
  assert.match(broken.told[0]!, /checkpoint at event \d+ is damaged/);
});

test('checkpoints of a log that has changed since are said to be stale and built anew', async (t) => {
  const { timeline } = await opened(t);
  await timeline.requireCheckpoints();
  const other = join(folder, 'other.arrow');
  const { producer } = assembleFleet(builtinScenarios.get('smoke')!, { seed: 9 });
  const sink = await FileSink.create(other);
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) await sink.write(frame);
  await sink.close();
  await writeFile(checkpointPath(other), await readFile(checkpointPath(path)));
  const told: string[] = [];
  const changed = await LogTimeline.open(other, (line) => told.push(line));
  t.after(() => changed.close());
  await changed.requireCheckpoints();
  assert.match(told[0]!, /the log has changed since; building them anew/);
});

test('an event that the log does not have is refused by name', async (t) => {
  const { timeline } = await opened(t);
  const machine = timeline.machines[0]!;
  await assert.rejects(timeline.viewAt(machine, machine.events), /machine 0 has no event \d+: its last is \d+/);
});
