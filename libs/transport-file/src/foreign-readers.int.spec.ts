import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { Frame } from '@s2lab/events';
import { COLUMNS, KINDS, SCHEMA_VERSION } from '@s2lab/events';
import { columnValues, interleavedFrames, requireCapability } from '@s2lab/testkit';
import { FileSink, repairLog } from './index.ts';

/** Prints, as JSON, the log as pyarrow and DuckDB see it: columns as decimal numbers, metadata of the schema and of every batch. */
const READ_WITH_PYTHON = `
import json, sys, duckdb, pyarrow, pyarrow.ipc as ipc
reader = ipc.open_file(sys.argv[1])
events = reader.read_all()
events.validate(full=True)
batches = [reader.get_batch_with_custom_metadata(i) for i in range(reader.num_record_batches)]
def numbered(batch):
    first = batch['first_seq'][0].as_py()
    return batch.append_column('seq', pyarrow.array(range(first, first + len(batch)), pyarrow.uint64()))
sequence = [numbered(batch.batch)['seq'].to_pylist() for batch in batches]
connection = duckdb.connect()
def columns(table):
    return {name: [int(value) for value in table.column(name).to_pylist()] for name in table.column_names}
print(json.dumps({
    'types': {field.name: str(field.type) for field in reader.schema},
    'schema': {key.decode(): value.decode() for key, value in reader.schema.metadata.items()},
    'batches': [{'rows': batch.batch.num_rows, **{key.decode(): value.decode() for key, value in batch.custom_metadata.items()}} for batch in batches],
    'pyarrow': {name: [str(v) for v in values] for name, values in columns(events).items()},
    'duckdb': {name: [str(v) for v in values] for name, values in columns(connection.sql('select * from events').to_arrow_table()).items()},
    'sequence': [number for numbers in sequence for number in numbers],
    'counts': connection.sql('select kind, count(*) from events group by kind order by kind').fetchall(),
}))
`;

interface PythonView {
  readonly types: Record<string, string>;
  readonly schema: Record<string, string>;
  readonly batches: readonly Record<string, string | number>[];
  readonly pyarrow: Record<string, string[]>;
  readonly duckdb: Record<string, string[]>;
  readonly sequence: readonly number[];
  readonly counts: readonly (readonly [number, number])[];
}

function readWithPython(python: string, path: string): PythonView {
  const child = spawnSync(python, ['-c', READ_WITH_PYTHON, path], { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(child.status, 0, child.stderr);
  return JSON.parse(child.stdout) as PythonView;
}

async function temporaryLog(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 's2lab-foreign-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'run.arrow');
}

async function record(path: string, frames: readonly Frame[]): Promise<void> {
  const sink = await FileSink.create(path, { description: '{"scenario":"contract"}' });
  for (const frame of frames) await sink.write(frame);
  await sink.close();
}

/** Every column of `frames` in order of writing, as decimal text, as a foreign reader should see it. */
function expectedColumns(frames: readonly Frame[]): Record<string, string[]> {
  const columns: Record<string, string[]> = {
    first_seq: frames.flatMap((frame) => new Array<string>(frame.rows.length).fill(String(frame.firstSeq))),
    machine: frames.flatMap((frame) => new Array<string>(frame.rows.length).fill(String(frame.origin.machine))),
  };
  for (const { name, type } of COLUMNS) {
    columns[name] = frames.flatMap((frame) => {
      const values = columnValues(frame, name, type);
      if (type !== 'u64') return values.map(String);
      return Array.from({ length: frame.rows.length }, (_, i) => String((BigInt(values[2 * i + 1]!) << 32n) | BigInt(values[2 * i]!)));
    });
  }
  return columns;
}

test('pyarrow and DuckDB read every value of a closed log as it was written', async (t) => {
  const python = requireCapability(t, 'pyarrow');
  if (python === undefined) return;
  const path = await temporaryLog(t);
  // Frames of 1 to 900 rows: columns compressed, columns stored as they are, and both in one frame.
  const frames = interleavedFrames(3, 3, 900);
  await record(path, frames);
  const view = readWithPython(python, path);
  const expected = expectedColumns(frames);
  assert.deepEqual(Object.keys(view.types), ['first_seq', 'machine', ...COLUMNS.map(({ name }) => name)]);
  for (const { name, type } of COLUMNS) assert.equal(view.types[name], type.replace('u', 'uint').replace('i8', 'int8'));
  for (const name of Object.keys(expected)) {
    assert.deepEqual(view.pyarrow[name], expected[name], `pyarrow: ${name}`);
    assert.deepEqual(view.duckdb[name], expected[name], `DuckDB: ${name}`);
  }
  assert.deepEqual(
    view.sequence,
    frames.flatMap(({ firstSeq, rows }) => Array.from({ length: rows.length }, (_, i) => firstSeq + i)),
  );
  assert.equal(
    view.counts.reduce((sum, [, count]) => sum + count, 0),
    expected['kind']!.length,
  );
});

test('pyarrow finds the schema version, the names of the kinds and the origin of every batch', async (t) => {
  const python = requireCapability(t, 'pyarrow');
  if (python === undefined) return;
  const path = await temporaryLog(t);
  const frames = interleavedFrames(2, 2, 50);
  await record(path, frames);
  const { schema, batches } = readWithPython(python, path);
  assert.equal(schema['schema_version'], String(SCHEMA_VERSION));
  assert.equal(schema['description'], '{"scenario":"contract"}');
  assert.equal((JSON.parse(schema['kinds']!) as Record<string, string>)[KINDS['table-freed'].code], 'table-freed');
  batches.forEach((batch, i) => {
    const { origin, firstSeq, rows } = frames[i]!;
    assert.match(String(batch['checksum']), /^[0-9a-f]{8}$/);
    assert.deepEqual(
      { ...batch, checksum: '' },
      {
        rows: rows.length,
        schema_version: String(SCHEMA_VERSION),
        run: origin.run,
        machine: String(origin.machine),
        policy: origin.policy,
        machine_kind: origin.machineKind,
        workload: origin.workload,
        first_seq: String(firstSeq),
        count: String(rows.length),
        checksum: '',
      },
    );
  });
});

test('an empty log is an empty table for pyarrow', async (t) => {
  const python = requireCapability(t, 'pyarrow');
  if (python === undefined) return;
  const path = await temporaryLog(t);
  await record(path, []);
  assert.deepEqual(readWithPython(python, path).pyarrow['kind'], []);
});

test('the log of a killed writer opens in pyarrow after its repair', async (t) => {
  const python = requireCapability(t, 'pyarrow');
  if (python === undefined) return;
  const path = await temporaryLog(t);
  const frames = interleavedFrames(2, 3, 200);
  const sink = await FileSink.create(path);
  for (const frame of frames) await sink.write(frame);
  const end = sink.byteCount;
  await sink.close();
  await writeFile(path, (await readFile(path)).subarray(0, end - 3));
  assert.equal((await repairLog(path)).frames, frames.length - 1);
  assert.deepEqual(readWithPython(python, path).pyarrow['ipa'], expectedColumns(frames.slice(0, -1))['ipa']);
});
