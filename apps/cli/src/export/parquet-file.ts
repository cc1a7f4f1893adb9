import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { ByteWriter } from 'hyparquet-writer';
import { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import type { Frame } from '@s2lab/events';
import { COLUMNS, KINDS, SCHEMA_VERSION, sliceRows } from '@s2lab/events';
import { UsageError } from '../usage-error.ts';
import type { FileMetaData } from './parquet-column.ts';
import { PAGE_ROWS, ParquetColumn } from './parquet-column.ts';

/** Rows of a row group: what a reader skips by its statistics, and what is held in memory, packed, until it is written. */
const ROW_GROUP_ROWS = 16 * PAGE_ROWS;

/** First and last bytes of a Parquet file. @source parquet-format, README.md ("File format") */
const MAGIC = Buffer.from('PAR1');

/**
 * Writes frames as one Parquet file of events: machine, seq, then the columns of an event; kinds by code, their names in the file's metadata.
 * Only `machine` and `seq` have statistics: they are what is searched by.
 */
export class ParquetWriter {
  private readonly file: FileHandle;
  private readonly path: string;
  private readonly machine = new ParquetColumn('machine', 'u32');
  private readonly seq = new ParquetColumn('seq', 'u64');
  private readonly events = COLUMNS.map(({ name, type }) => ({ name, column: new ParquetColumn(name, type) }));
  private readonly columns = [this.machine, this.seq, ...this.events.map(({ column }) => column)];
  private readonly groups: FileMetaData['row_groups'] = [];
  private offset = MAGIC.byteLength;
  private pageRows = 0;
  private groupRows = 0;
  private rowCount = 0;

  private constructor(file: FileHandle, path: string) {
    this.file = file;
    this.path = path;
  }

  /** @throws the operating system's error when the file exists (unless `overwrite`) or cannot be made */
  static async create(path: string, overwrite: boolean): Promise<ParquetWriter> {
    const file = await open(path, overwrite ? 'w' : 'wx');
    await file.writeFile(MAGIC);
    return new ParquetWriter(file, path);
  }

  /** Takes the rows of a frame, whose memory is free again when this returns. */
  async write(frame: Frame): Promise<void> {
    const { length } = frame.rows;
    for (let from = 0, to = 0; from < length; from = to) {
      to = Math.min(length, from + PAGE_ROWS - this.pageRows);
      this.copy(frame, from, to);
      if (this.pageRows === PAGE_ROWS) this.endPage();
      if (this.groupRows === ROW_GROUP_ROWS) await this.endGroup();
    }
  }

  /** Writes what is left and the end of the file. @throws UsageError when there was no event */
  async close(): Promise<void> {
    if (this.pageRows > 0) this.endPage();
    if (this.groupRows > 0) await this.endGroup();
    if (this.rowCount > 0) await this.file.writeFile(this.end());
    await this.file.close();
    if (this.rowCount === 0) throw new UsageError(`export: no event of the log lies in the range; ${this.path} was not made`);
  }

  private copy({ origin, firstSeq, rows }: Frame, from: number, to: number): void {
    const [begin, end] = [this.pageRows, this.pageRows + to - from];
    this.machine.rows(begin, end).fill(origin.machine);
    const seq = this.seq.rows(begin, end);
    for (let i = 0; i < seq.length; i += 2) {
      const value = firstSeq + from + i / 2;
      seq[i] = value;
      seq[i + 1] = value / 2 ** 32;
    }
    const part = sliceRows(rows, from, to);
    for (const { name, column } of this.events) column.rows(begin, end).set(part[name]);
    this.machine.tellRange(origin.machine, origin.machine);
    this.seq.tellRange(firstSeq + from, firstSeq + to - 1);
    this.pageRows = end;
  }

  private endPage(): void {
    for (const column of this.columns) column.endPage(this.pageRows);
    this.groupRows += this.pageRows;
    this.pageRows = 0;
  }

  private async endGroup(): Promise<void> {
    const columns = [];
    let rawBytes = 0n;
    for (const column of this.columns) {
      const { bytes, chunk } = column.endChunk(this.groupRows, this.offset);
      await this.file.writeFile(bytes);
      this.offset += bytes.byteLength;
      rawBytes += chunk.meta_data!.total_uncompressed_size;
      columns.push(chunk);
    }
    this.groups.push({ columns, total_byte_size: rawBytes, num_rows: BigInt(this.groupRows) });
    this.rowCount += this.groupRows;
    this.groupRows = 0;
  }

  private end(): Uint8Array {
    const end = new ByteWriter();
    const kinds = Object.fromEntries(Object.entries(KINDS).map(([name, { code }]) => [code, name]));
    writeMetadata(end, {
      version: 1,
      created_by: 's2lab',
      schema: [{ name: 'events', num_children: this.columns.length }, ...this.columns.map((column) => column.schemaElement())],
      num_rows: BigInt(this.rowCount),
      row_groups: this.groups,
      key_value_metadata: [
        { key: 'schema_version', value: String(SCHEMA_VERSION) },
        { key: 'kinds', value: JSON.stringify(kinds) },
      ],
      metadata_length: 0, // known of a file that was read
    });
    end.appendBytes(MAGIC);
    return end.getBytes();
  }
}
