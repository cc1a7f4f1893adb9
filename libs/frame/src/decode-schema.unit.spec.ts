import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Builder, ByteBuffer } from 'flatbuffers';
import type { Field } from 'apache-arrow/fb/field';
import { KeyValue } from 'apache-arrow/fb/key-value';
import { Message } from 'apache-arrow/fb/message';
import { MessageHeader } from 'apache-arrow/fb/message-header';
import { Schema } from 'apache-arrow/fb/schema';
import { ARROW_COLUMNS, arrowSchema, encodeSchemaMessage } from './arrow-schema.ts';
import { decodeSchema } from './decode-schema.ts';
import { PREFIX_BYTES } from './message-layout.ts';

/** Place in a table's list of members of the metadata of a column. @source Arrow, format/Schema.fbs, table Field */
const FIELD_METADATA = 16;

function schemaBytes(): Uint8Array {
  return encodeSchemaMessage(arrowSchema('{"seed":7}')).slice(PREFIX_BYTES);
}

/** Makes column `index` of a schema claim `count` entries of metadata. */
function claimEntries(bytes: Uint8Array, index: number, count: number): Uint8Array {
  const buffer = new ByteBuffer(bytes);
  const schema = Message.getRootAsMessage(buffer).header(new Schema()) as Schema;
  const field: Field = schema.fields(index)!;
  const list = field.bb_pos + buffer.__offset(field.bb_pos, FIELD_METADATA);
  buffer.writeInt32(buffer.__vector(list) - 4, count);
  return bytes;
}

test('the schema of a log is read with its description', () => {
  const reading = decodeSchema(schemaBytes());
  assert.ok('schema' in reading);
  assert.equal(reading.description, '{"seed":7}');
});

test('a column that claims two thousand million entries of metadata is refused without going through them', () => {
  for (const index of ARROW_COLUMNS.keys())
    assert.deepEqual(decodeSchema(claimEntries(schemaBytes(), index, 0x7fff_ffff)), { because: 'its schema makes no sense' });
});

test('a schema whose entries all point to one long text is refused before that text is copied for each', () => {
  const builder = new Builder();
  const text = builder.createString('x'.repeat(100_000));
  const entries = Array.from({ length: 64 }, () => KeyValue.createKeyValue(builder, text, text));
  const list = Schema.createCustomMetadataVector(builder, entries);
  Schema.startSchema(builder);
  Schema.addCustomMetadata(builder, list);
  const schema = Schema.endSchema(builder);
  Message.startMessage(builder);
  Message.addHeaderType(builder, MessageHeader.Schema);
  Message.addHeader(builder, schema);
  builder.finish(Message.endMessage(builder));
  assert.deepEqual(decodeSchema(builder.asUint8Array()), { because: 'its schema makes no sense' });
});
