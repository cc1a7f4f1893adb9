import {
  ACCESS,
  COMPONENT,
  DSB,
  FAULT,
  HINT,
  INJECTED,
  INVALIDATION,
  LINK_CAUSE,
  LOCK,
  LOCK_MODE,
  MEMORY,
  OP,
  OPERATION,
  PAGE_STATE,
  PHASE,
  REGISTER,
  RESULT,
  STORE_ORDER,
  TLBI,
  UNLINK_CAUSE,
  WALK_FLAG,
} from './codes.ts';
import { COLUMNS, SCHEMA_VERSION } from './columns.ts';
import type { KindSpec } from './kinds.ts';
import { KINDS } from './kinds.ts';

const CODE_TABLES = {
  OP,
  WALK_FLAG,
  RESULT,
  OPERATION,
  TLBI,
  DSB,
  FAULT,
  ACCESS,
  LOCK_MODE,
  LOCK,
  PHASE,
  MEMORY,
  INJECTED,
  LINK_CAUSE,
  UNLINK_CAUSE,
  COMPONENT,
  PAGE_STATE,
  INVALIDATION,
  STORE_ORDER,
  REGISTER,
  HINT,
};

/** docs/EVENTS.md as it follows from the schema: columns, kinds with their fields, code tables. A test compares the file with it. */
export function eventsDocument(): string {
  const columns = COLUMNS.map(({ name, type, doc }) => `| \`${name}\` | ${type} | ${doc} |`);
  const kinds = (Object.entries(KINDS) as [string, KindSpec][]).map(([name, spec]) => {
    const fields = Object.entries(spec.fields).map(
      ([field, [column, format]]) => `${field}: ${format}${column === field ? '' : ` (\`${column}\`)`}`,
    );
    return `| ${spec.code} | \`${name}\` | ${spec.doc} | ${fields.join(', ') || '–'} |`;
  });
  const tables = Object.entries(CODE_TABLES).map(([table, codes]) => {
    const names = Object.entries(codes).map(([name, code]) => `${code} ${name}`);
    return `- **${table}**: ${names.join(', ')}`;
  });
  return `${[
    '# Events',
    '',
    `Schema version ${SCHEMA_VERSION}. Generated from \`libs/events/src\` by \`npm run docs:events\`; a test compares. One event is one row. A column that a kind`,
    'does not use holds 0. A log file and a Kafka message also carry `first_seq` (uint64) and `machine` (uint32), constant within a record batch:',
    'row i of a batch is event `first_seq` + i of its machine (docs/adr/0004 has the recipe for pyarrow).',
    '',
    '## Columns',
    '',
    '| column | type | meaning |',
    '| --- | --- | --- |',
    ...columns,
    '',
    '## Kinds',
    '',
    'A field is followed by how it reads and, in brackets, by the column that holds it when that has another name.',
    '',
    '| code | kind | what happened | fields |',
    '| ---: | --- | --- | --- |',
    ...kinds,
    '',
    '## Codes',
    '',
    ...tables,
    '',
    '## Order',
    '',
    '- Break: the compare-and-exchange (or store) to the locked descriptor, then the TLB flush, then `reference-put` of the page the slot is in unless the old descriptor was empty.',
    '- Make: cache maintenance, `reference-got` unless the new descriptor is empty, then `descriptor-released`.',
    '- `table-allocated` comes before the store that links the table; `table-linked` and `table-unlinked` follow right after the store that did it.',
    '- Teardown of an unlinked sub-tree: `reference-put` per counted entry, then per table `reference-put` to 0 and `table-freed`. It lies between `reclaim-began` and `reclaim-ended`.',
    '- Building of a sub-tree that is not linked yet is a walk of its own (OP createUnlinked) whose addresses count from 0 at the block it replaces.',
    '- Flush of one IPA: DSB ISH, ISB, TLBI IPAS2E1IS, DSB ISH, TLBI VMALLE1IS, DSB ISH, ISB.',
    '- Time never goes back within a machine; events of one step have the same time.',
  ].join('\n')}\n`;
}
