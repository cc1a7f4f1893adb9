import { ByteWriter } from 'hyparquet-writer';
import { writePageHeader } from 'hyparquet-writer/src/datapage.js';
import type { writeMetadata } from 'hyparquet-writer/src/metadata.js';
import type { ColumnType } from '@s2lab/events';
import { platformCodec } from '@s2lab/frame';

/** What the end of a Parquet file says about it. */
export type FileMetaData = Parameters<typeof writeMetadata>[1];

/** What it says about the values of one column in one row group. */
export type ColumnChunk = FileMetaData['row_groups'][number]['columns'][number];

/** Rows of a page: a frame's, so that a page of 64-bit values takes half a MiB. */
export const PAGE_ROWS = 65_536;

/** How Parquet has a column type: it knows two widths of integers, and notes on them. @source parquet-format, LogicalTypes.md */
const TYPES = {
  u64: { type: 'INT64', converted_type: 'UINT_64' },
  u32: { type: 'INT32', converted_type: 'UINT_32' },
  u16: { type: 'INT32', converted_type: 'UINT_16' },
  u8: { type: 'INT32', converted_type: 'UINT_8' },
  i8: { type: 'INT32', converted_type: 'INT_8' },
} as const;

/**
 * One column on its way into a Parquet file: values are collected until they fill a page, packed pages until they fill a row group. No value is
 * missing and no page has a dictionary, so that a page is the memory of its values.
 * @source parquet-format, README.md ("Data Pages") and Encodings.md ("PLAIN")
 */
export class ParquetColumn {
  readonly name: string;
  private readonly type: ColumnType;
  /** 32-bit words of a value: 64-bit values are two, low first. */
  private readonly words: 1 | 2;
  private readonly page: Uint32Array;
  private readonly chunk = new ByteWriter();
  private rawBytes = 0;
  private range: { readonly min: number; readonly max: number } | undefined;

  constructor(name: string, type: ColumnType) {
    this.name = name;
    this.type = type;
    this.words = type === 'u64' ? 2 : 1;
    this.page = new Uint32Array(this.words * PAGE_ROWS);
  }

  /** The column as the file's schema has it. */
  schemaElement(): FileMetaData['schema'][number] {
    return { name: this.name, ...TYPES[this.type], repetition_type: 'REQUIRED' };
  }

  /** The memory of rows `from` to `to` - 1 of the page that is being filled; narrower values are written into it as they are. */
  rows(from: number, to: number): Uint32Array {
    return this.page.subarray(this.words * from, this.words * to);
  }

  /** Tells the least and the greatest of values that were written, for the statistics of the row group; a column without has none. */
  tellRange(min: number, max: number): void {
    const { range = { min, max } } = this;
    this.range = { min: Math.min(range.min, min), max: Math.max(range.max, max) };
  }

  /** Ends the page, which has `count` rows. */
  endPage(count: number): void {
    const raw = new Uint8Array(this.page.buffer, 0, 4 * this.words * count);
    const packed = platformCodec.compress(raw);
    const headerAt = this.chunk.offset;
    writePageHeader(this.chunk, {
      type: 'DATA_PAGE',
      uncompressed_page_size: raw.byteLength,
      compressed_page_size: packed.byteLength,
      data_page_header: {
        num_values: count,
        encoding: 'PLAIN',
        // Of levels that no page has; the format wants them named.
        definition_level_encoding: 'RLE',
        repetition_level_encoding: 'RLE',
      },
    });
    this.rawBytes += this.chunk.offset - headerAt + raw.byteLength;
    this.chunk.appendBytes(packed);
    platformCodec.discard(packed);
  }

  /** The pages of a row group, which has `count` rows and lies at `offset` of the file. Their bytes stay valid until the next page ends. */
  endChunk(count: number, offset: number): { readonly bytes: Uint8Array; readonly chunk: ColumnChunk } {
    const bytes = this.chunk.getBytes();
    const metadata: NonNullable<ColumnChunk['meta_data']> = {
      type: TYPES[this.type].type,
      encodings: ['PLAIN', 'RLE'],
      path_in_schema: [this.name],
      codec: 'ZSTD',
      num_values: BigInt(count),
      total_uncompressed_size: BigInt(this.rawBytes),
      total_compressed_size: BigInt(bytes.byteLength),
      data_page_offset: BigInt(offset),
    };
    if (this.range !== undefined) {
      const { min, max } = this.range;
      const value = this.words === 2 ? BigInt : Number;
      metadata.statistics = { min_value: value(min), max_value: value(max), null_count: 0n };
    }
    this.chunk.offset = this.chunk.index = 0;
    this.rawBytes = 0;
    this.range = undefined;
    return { bytes, chunk: { file_offset: BigInt(offset), meta_data: metadata } };
  }
}
