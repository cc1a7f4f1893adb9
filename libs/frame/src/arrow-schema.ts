import { Field, Int8, Message, MetadataVersion, Schema, Uint16, Uint32, Uint64, Uint8 } from 'apache-arrow';
import { FileBlock, Footer } from 'apache-arrow/ipc/metadata/file';
import type { ColumnName, ColumnType } from '@s2lab/events';
import { COLUMNS, KINDS, SCHEMA_VERSION } from '@s2lab/events';

/** Bytes of one value of a column type. */
export const BYTES_OF: Readonly<Record<ColumnType, number>> = { u64: 8, u32: 4, u16: 2, u8: 1, i8: 1 };

/**
 * Columns of the Arrow schema that are not event columns: they hold one value a frame, and so compress to nothing, but let a reader
 * of whole files tell machines apart. A sequence number per row would cost 1.0 byte and 22 ns an event (docs/adr/0004).
 */
export const FRAME_COLUMNS = [
  {
    name: 'first_seq',
    type: 'u64',
    doc: 'Sequence number of the first row of this record batch; row i of the batch is event first_seq + i.',
  },
  { name: 'machine', type: 'u32', doc: 'Machine that the events of this record batch belong to.' },
] as const satisfies readonly { readonly name: string; readonly type: ColumnType; readonly doc: string }[];

/** All columns of a record batch, in order: the frame columns, then the event columns. */
export const ARROW_COLUMNS: readonly {
  readonly name: ColumnName | 'first_seq' | 'machine';
  readonly type: ColumnType;
  readonly doc: string;
}[] = [...FRAME_COLUMNS, ...COLUMNS];

/** Bytes of one row over all columns of the Arrow schema, uncompressed. */
export const ROW_BYTES: number = ARROW_COLUMNS.reduce((sum, column) => sum + BYTES_OF[column.type], 0);

/** Key of the schema version, in the schema's and in every record batch's custom metadata. */
export const VERSION_KEY = 'schema_version';

function arrowType(type: ColumnType): Int8 | Uint8 | Uint16 | Uint32 | Uint64 {
  switch (type) {
    case 'u64':
      return new Uint64();
    case 'u32':
      return new Uint32();
    case 'u16':
      return new Uint16();
    case 'u8':
      return new Uint8();
    case 'i8':
      return new Int8();
    default: {
      const never: never = type;
      throw new TypeError(`column type ${String(never)}`);
    }
  }
}

/**
 * The Arrow schema of a log. Its metadata holds the schema version, the names of all kinds by code (JSON `{code: name}`) and
 * `description`, any JSON text that says what the run was.
 */
export function arrowSchema(description: string): Schema {
  const kinds = Object.fromEntries(Object.entries(KINDS).map(([name, spec]) => [spec.code, name]));
  const fields = ARROW_COLUMNS.map(({ name, type, doc }) => new Field(name, arrowType(type), false, new Map([['doc', doc]])));
  return new Schema(
    fields,
    new Map([
      [VERSION_KEY, String(SCHEMA_VERSION)],
      ['kinds', JSON.stringify(kinds)],
      ['description', description],
    ]),
  );
}

/** `schema` as an encapsulated Arrow IPC message: continuation, length, flatbuffer, padded to 8 bytes. */
export function encodeSchemaMessage(schema: Schema): Uint8Array {
  const metadata = Message.encode(Message.from(schema));
  const padded = (metadata.byteLength + 7) & ~7;
  const message = new Uint8Array(8 + padded);
  const view = new DataView(message.buffer);
  view.setUint32(0, 0xffff_ffff, true);
  view.setUint32(4, padded, true);
  message.set(metadata, 8);
  return message;
}

/** Where a record batch lies in a file: byte offset of its message, bytes of prefix and metadata, bytes of body. */
export interface BatchPlace {
  readonly offset: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

/** First bytes of an Arrow IPC file: the magic, padded to 8. @source Arrow columnar format, "IPC File Format" */
export const FILE_MAGIC: Uint8Array = Uint8Array.of(0x41, 0x52, 0x52, 0x4f, 0x57, 0x31, 0, 0);

/** End of the stream of messages: continuation and length 0. */
export const END_OF_STREAM: Uint8Array = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** What follows the last record batch of an Arrow IPC file: end of stream, footer, its length, magic. */
export function encodeFileEnd(schema: Schema, places: readonly BatchPlace[]): Uint8Array {
  const blocks = places.map((place) => new FileBlock(place.metadataBytes, place.bodyBytes, place.offset));
  const footer = Footer.encode(new Footer(schema, MetadataVersion.V5, blocks, []));
  const end = new Uint8Array(END_OF_STREAM.byteLength + footer.byteLength + 4 + 6);
  end.set(END_OF_STREAM, 0);
  end.set(footer, END_OF_STREAM.byteLength);
  const lengthAt = END_OF_STREAM.byteLength + footer.byteLength;
  new DataView(end.buffer).setInt32(lengthAt, footer.byteLength, true);
  end.set(FILE_MAGIC.subarray(0, 6), lengthAt + 4);
  return end;
}
