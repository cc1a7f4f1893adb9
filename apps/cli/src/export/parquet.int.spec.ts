import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Frame } from '@s2lab/events';
import { COLUMNS, copyRows } from '@s2lab/events';
import { interleavedFrames, requireCapability } from '@s2lab/testkit';
import { createParquet } from './parquet-file.ts';

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
  const writer = await createParquet(path, false);
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

test('an existing file is not replaced unasked, and a file without events is refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 's2lab-parquet-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'run.parquet');
  const writer = await createParquet(path, false);
  await assert.rejects(writer.close(), /no event of the log lies in the range/);
  await assert.rejects(createParquet(path, false), /EEXIST/);
});
