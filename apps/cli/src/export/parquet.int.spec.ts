import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Frame } from '@s2lab/events';
import { COLUMNS, copyRows } from '@s2lab/events';
import { interleavedFrames, requireCapability } from '@s2lab/testkit';
import { FileSink } from '@s2lab/transport-file';
import { ParquetWriter } from './parquet-file.ts';

/** Prints, as JSON, the file as pyarrow and as DuckDB see it: columns as decimal numbers, and the names of kinds. */
const READ_WITH_PYTHON = `
import json, sys, duckdb, pyarrow.parquet as parquet
table = parquet.read_table(sys.argv[1])
columns = lambda t: {name: [str(v) for v in t.column(name).to_pylist()] for name in t.column_names}
relation = duckdb.connect().sql(f"select * from '{sys.argv[1]}'").to_arrow_table()
meta = parquet.ParquetFile(sys.argv[1]).metadata.metadata
print(json.dumps({'pyarrow': columns(table), 'duckdb': columns(relation), 'meta': {k.decode(): v.decode() for k, v in meta.items() if k != b'ARROW:schema'}}))
`;

function column(frames: readonly Frame[], name: (typeof COLUMNS)[number]['name'], isWide: boolean): string[] {
  return frames.flatMap(({ rows }) =>
    Array.from({ length: rows.length }, (_, i) =>
      isWide ? String(BigInt(rows[name][2 * i]!) + (BigInt(rows[name][2 * i + 1]!) << 32n)) : String(rows[name][i]!),
    ),
  );
}

test('pyarrow and DuckDB read every value of a Parquet export, with machine and sequence number', async (t) => {
  const python = requireCapability(t, 'pyarrow');
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 's2lab-parquet-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'run.parquet');
  const frames = interleavedFrames(2, 3, 40).map((frame) => ({ ...frame, rows: copyRows(frame.rows) }));
  const writer = await ParquetWriter.create(path, false);
  for (const frame of frames) await writer.write(frame);
  await writer.close();

  const child = spawnSync(python, ['-c', READ_WITH_PYTHON, path], { encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(child.status, 0, child.stderr);
  const seen = JSON.parse(child.stdout) as Record<'pyarrow' | 'duckdb', Record<string, string[]>> & { meta: Record<string, string> };
  const expected = Object.fromEntries(COLUMNS.map(({ name, type }) => [name, column(frames, name, type === 'u64')]));
  expected['machine'] = frames.flatMap(({ origin, rows }) => Array.from({ length: rows.length }, () => String(origin.machine)));
  expected['seq'] = frames.flatMap(({ firstSeq, rows }) => Array.from({ length: rows.length }, (_, i) => String(firstSeq + i)));
  assert.deepEqual(seen.pyarrow, expected);
  assert.deepEqual(seen.duckdb, expected);
  assert.equal((JSON.parse(seen.meta['kinds']!) as Record<string, string>)['45'], 'table-freed');
});

/** Prints whether pyarrow and DuckDB find in the file what pyarrow finds in the log, and the least and greatest machine and seq of each row group. */
const COMPARE_WITH_LOG = `
import json, sys, duckdb, pyarrow, pyarrow.ipc as ipc, pyarrow.parquet as parquet
reader = ipc.open_file(sys.argv[2])
def with_seq(batch):
    first = batch['first_seq'][0].as_py()
    seq = pyarrow.array(range(first, first + len(batch)), pyarrow.uint64())
    return pyarrow.table([batch['machine'], seq, *batch.columns[2:]], names=['machine', 'seq', *batch.schema.names[2:]])
log = pyarrow.concat_tables([with_seq(reader.get_batch(i)) for i in range(reader.num_record_batches)])
def same(table):
    return table.column_names == log.column_names and all(a.type == b.type and a.equals(b) for a, b in zip(table.columns, log.columns))
metadata = parquet.ParquetFile(sys.argv[1]).metadata
groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
ranges = [[[g.column(i).statistics.min, g.column(i).statistics.max] for i in (0, 1)] for g in groups]
print(json.dumps({
    'pyarrow': same(parquet.read_table(sys.argv[1])),
    'duckdb': same(duckdb.connect().sql(f"select * from '{sys.argv[1]}'").to_arrow_table()),
    'rows': [g.num_rows for g in groups],
    'ranges': ranges,
}))
`;

test('pages and row groups are cut across frames, and sequence numbers above 32 bits keep their upper half', async (t) => {
  const python = requireCapability(t, 'pyarrow');
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 's2lab-parquet-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [path, log] = [join(folder, 'run.parquet'), join(folder, 'run.arrow')];
  const far = 2 ** 33;
  const frames = interleavedFrames(2, 22, 60_000).map((frame) => ({ ...frame, firstSeq: frame.firstSeq + frame.origin.machine * far }));
  const [writer, sink] = [await ParquetWriter.create(path, false), await FileSink.create(log)];
  for (const frame of frames) {
    await writer.write(frame);
    await sink.write(frame);
  }
  await Promise.all([writer.close(), sink.close()]);

  const child = spawnSync(python, ['-c', COMPARE_WITH_LOG, path, log], { encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
  const rows = frames.reduce((sum, frame) => sum + frame.rows.length, 0);
  const seen = JSON.parse(child.stdout) as { rows: number[]; ranges: [[number, number], [number, number]][] };
  const ends = frames.slice(-2).map(({ firstSeq, rows: { length } }) => firstSeq + length - 1);
  assert.deepEqual(
    { ...seen, ranges: [seen.ranges[0]![0], seen.ranges[0]![1][0], seen.ranges[1]![0], seen.ranges[1]![1][1]] },
    { pyarrow: true, duckdb: true, rows: [1 << 20, rows - (1 << 20)], ranges: [[0, 1], 0, [0, 1], ends[1]] },
  );
});

test('an existing file is not replaced unasked, and a file without events is refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-parquet-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'run.parquet');
  const writer = await ParquetWriter.create(path, false);
  await assert.rejects(writer.close(), /no event of the log lies in the range/);
  await assert.rejects(ParquetWriter.create(path, false), /EEXIST/);
});
