import { ByteBuffer, Encoding } from 'flatbuffers';
import { Message, type Schema } from 'apache-arrow';
import type { Field as FieldTable } from 'apache-arrow/fb/field';
import { Int as IntTable } from 'apache-arrow/fb/int';
import { Message as MessageTable } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { Schema as SchemaTable } from 'apache-arrow/fb/schema';
import { Type } from 'apache-arrow/fb/type';
import { SCHEMA_VERSION } from '@s2lab/events';
import { ARROW_COLUMNS, BYTES_OF, VERSION_KEY } from './arrow-schema.ts';

/** Entries of metadata that a schema or one of its columns may have before it is refused: a log's schema has three, a column one. */
const ENTRIES_MAX = 64;

/** A log's schema as read from a file, or why its frames cannot be read. */
export type SchemaReading = { readonly schema: Schema; readonly description: string } | { readonly because: string };

/**
 * Bytes of all texts of a schema or column, before any is decoded; undefined when it has too many. The header has no checksum, so a count may
 * say anything (2^31 entries that are all null took minutes to go through), and each of many entries may point to the same long text.
 */
function textBytes(table: SchemaTable | FieldTable): number | undefined {
  const entries = table.customMetadataLength();
  if (entries > ENTRIES_MAX) return undefined;
  let sum = 0;
  for (let i = 0; i < entries; i += 1) {
    const entry = table.customMetadata(i);
    sum += (entry?.key(Encoding.UTF8_BYTES)?.length ?? 0) + (entry?.value(Encoding.UTF8_BYTES)?.length ?? 0);
  }
  return sum;
}

/** Whether the texts of a schema are few and, together, no longer than the `bytes` that hold them. */
function hasHonestTexts(table: SchemaTable, bytes: number): boolean {
  let sum = textBytes(table);
  for (let i = 0; i < ARROW_COLUMNS.length && sum !== undefined; i += 1) {
    const field = table.fields(i);
    const own = field === null ? 0 : textBytes(field);
    sum = own === undefined ? undefined : sum + own + (field?.name(Encoding.UTF8_BYTES)?.length ?? 0);
  }
  return sum !== undefined && sum <= bytes;
}

function columnProblem(table: SchemaTable): string | undefined {
  if (table.fieldsLength() !== ARROW_COLUMNS.length) return `it has ${table.fieldsLength()} columns, not ${ARROW_COLUMNS.length}`;
  for (const [i, { name, type }] of ARROW_COLUMNS.entries()) {
    const field = table.fields(i)!;
    const int = field.typeType() === Type.Int ? (field.type(new IntTable()) as IntTable | null) : null;
    if (
      field.name() !== name ||
      int?.bitWidth() !== 8 * BYTES_OF[type] ||
      int.isSigned() !== (type === 'i8') ||
      field.dictionary() !== null ||
      field.childrenLength() !== 0
    ) {
      return `column ${i} is not ${name} (${type})`;
    }
  }
  return undefined;
}

function read(metadata: Uint8Array): SchemaReading {
  const message = MessageTable.getRootAsMessage(new ByteBuffer(metadata));
  if (message.headerType() !== MessageHeader.Schema) return { because: 'its first message is no schema' };
  const table = message.header(new SchemaTable()) as SchemaTable | null;
  if (table === null || !hasHonestTexts(table, metadata.byteLength)) return { because: 'its schema makes no sense' };
  const entries = new Map<string, string>();
  for (let i = 0; i < table.customMetadataLength(); i += 1)
    entries.set(table.customMetadata(i)?.key() ?? '', table.customMetadata(i)?.value() ?? '');
  const version = entries.get(VERSION_KEY);
  if (version === undefined) return { because: 'it is an Arrow file, but no event log (its schema has no schema_version)' };
  if (version !== String(SCHEMA_VERSION))
    return { because: `it has schema version ${version.slice(0, 40)}, this program reads ${SCHEMA_VERSION}` };
  const problem = columnProblem(table);
  if (problem !== undefined) return { because: problem };
  return { schema: Message.decode(metadata).header() as Schema, description: entries.get('description') ?? '' };
}

/**
 * Reads the flatbuffer of a schema message (without its eight bytes of prefix) and checks version and columns before any of it is used.
 */
export function decodeSchema(metadata: Uint8Array): SchemaReading {
  try {
    return read(metadata);
  } catch (problem) {
    return { because: `its schema makes no sense (${problem instanceof Error ? problem.message : String(problem)})` };
  }
}
