import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import type { Data } from 'apache-arrow';
import {
  Field,
  Int8,
  RecordBatch,
  Schema,
  Struct,
  Table as ArrowTable,
  Uint16,
  Uint32,
  Uint64,
  Uint8,
  makeData,
  tableToIPC,
} from 'apache-arrow';
import { Compression, EnabledStatistics, Table, WriterPropertiesBuilder, transformParquetStream } from 'parquet-wasm';
import type { ColumnType, Frame } from '@s2lab/events';
import { COLUMNS, KINDS, SCHEMA_VERSION } from '@s2lab/events';
import { UsageError } from '../usage-error.ts';

/** Rows of a row group: what a reader skips by its statistics, and what is held in memory while it is written. */
const ROW_GROUP_ROWS = 1 << 20;

const TYPES = { u64: new Uint64(), u32: new Uint32(), u16: new Uint16(), u8: new Uint8(), i8: new Int8() } as const;

/** Columns before those of an event. */
const PLACE_COLUMNS = [
  { name: 'machine', type: 'u32' },
  { name: 'seq', type: 'u64' },
] as const;

/** Where frames go that become one Parquet file. */
export interface ParquetWriter {
  write(frame: Frame): Promise<void>;
  close(): Promise<void>;
}

/**
 * A new Parquet file of events: machine, seq, then the columns of an event; kinds by code, their names in the file's metadata.
 * @throws the operating system's error when the file exists (unless `overwrite`) or cannot be made
 */
export async function createParquet(path: string, overwrite: boolean): Promise<ParquetWriter> {
  const file = createWriteStream(path, { flags: overwrite ? 'w' : 'wx' });
  await once(file, 'open');
  const kinds = JSON.stringify(Object.fromEntries(Object.entries(KINDS).map(([name, { code }]) => [code, name])));
  const properties = new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    // Dictionaries of columns that hardly repeat make the file larger and take half of the time; statistics are for what is searched by.
    .setDictionaryEnabled(false)
    .setStatisticsEnabled(EnabledStatistics.None)
    .setColumnStatisticsEnabled('machine', EnabledStatistics.Chunk)
    .setColumnStatisticsEnabled('seq', EnabledStatistics.Chunk)
    .setMaxRowGroupSize(ROW_GROUP_ROWS)
    .setKeyValueMetadata(
      new Map([
        ['schema_version', String(SCHEMA_VERSION)],
        ['kinds', kinds],
      ]),
    )
    .build();
  const batches = new TransformStream<Frame, unknown>(
    {
      transform: (frame, out) => {
        for (const batch of Table.fromIPCStream(tableToIPC(tableOf(frame), 'stream')).recordBatches()) out.enqueue(batch);
      },
    },
    { highWaterMark: 1 },
    { highWaterMark: 1 },
  );
  const input = batches.writable.getWriter();
  let done: Promise<void> | undefined;
  return {
    write: async (frame) => {
      if (done === undefined) {
        // Only now: the library learns the schema from the first batch, and cannot do without one.
        done = transformParquetStream(batches.readable, properties).then((bytes) => bytes.pipeTo(Writable.toWeb(file)));
        done.catch((error: unknown) => input.abort(error)); // a full disk ends the next write, and is told by it
      }
      await input.ready;
      await input.write(frame);
    },
    close: async () => {
      if (done === undefined) {
        file.destroy();
        throw new UsageError(`export: no event of the log lies in the range; ${path} was not made`);
      }
      await input.close();
      await done;
    },
  };
}

/** One frame as an Arrow table; u64 columns are views on the frame's memory where its alignment allows. */
function tableOf({ origin, firstSeq, rows }: Frame): ArrowTable {
  const { length } = rows;
  const seq = new Uint32Array(2 * length);
  for (let i = 0; i < length; i += 1) {
    seq[2 * i] = firstSeq + i;
    seq[2 * i + 1] = (firstSeq + i) / 2 ** 32;
  }
  const columns: { readonly name: string; readonly type: ColumnType; readonly values: ArrayBufferView }[] = [
    { ...PLACE_COLUMNS[0], values: new Uint32Array(length).fill(origin.machine) },
    { ...PLACE_COLUMNS[1], values: wideValues(seq) },
    ...COLUMNS.map(({ name, type }) => ({ name, type, values: type === 'u64' ? wideValues(rows[name] as Uint32Array) : rows[name] })),
  ];
  const schema = new Schema(columns.map(({ name, type }) => new Field(name, TYPES[type], false)));
  const children = columns.map(({ type, values }) => makeData({ type: TYPES[type], length, nullCount: 0, data: values } as never) as Data);
  const data = makeData({ type: new Struct(schema.fields), length, nullCount: 0, children });
  return new ArrowTable(schema, new RecordBatch(schema, data));
}

function wideValues(halves: Uint32Array): BigUint64Array {
  const aligned = halves.byteOffset % 8 === 0 ? halves : halves.slice();
  return new BigUint64Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}
