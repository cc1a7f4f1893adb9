import { hex64 } from '@s2lab/arch';
import type { EventColumns, EventRows } from './columns.ts';
import { wide } from './columns.ts';
import type { FieldSpec, KindName, KindSpec, LabEvent } from './kinds.ts';
import { KINDS } from './kinds.ts';

interface KnownKind {
  readonly name: KindName;
  readonly fields: readonly (readonly [string, FieldSpec])[];
}

const BY_CODE: (KnownKind | undefined)[] = [];
for (const [name, spec] of Object.entries(KINDS) as [KindName, KindSpec][]) {
  BY_CODE[spec.code] = { name, fields: Object.entries(spec.fields) };
}

/** Name of the kind with `code`, or undefined when the schema has none. */
export function kindName(code: number): KindName | undefined {
  return BY_CODE[code]?.name;
}

/**
 * Decodes row `i` into an event object. For people, JSON and tests; hot paths read the columns.
 * @throws RangeError when the row's kind is not in the schema.
 */
export function decodeEvent(rows: EventRows, i: number, seq: number, machine: number): LabEvent {
  const known = BY_CODE[rows.kind[i]!];
  if (known === undefined) throw new RangeError(`event ${seq} of machine ${machine}: kind ${rows.kind[i]} is not in the schema`);
  const event: Record<string, number | string> = {
    kind: known.name,
    seq,
    machine,
    at: wide(rows.at, i),
    actor: rows.actor[i]!,
    walk: rows.walk[i]!,
    stage2: rows.stage2[i]!,
  };
  for (const [field, [column, format]] of known.fields) {
    switch (format) {
      case 'address':
      case 'bytes':
        event[field] = wide(rows[column] as Uint32Array, i);
        break;
      case 'descriptor':
        event[field] = hex64((rows[column] as Uint32Array)[2 * i]!, (rows[column] as Uint32Array)[2 * i + 1]!);
        break;
      case 'result':
        event[field] = rows[column][i]! | 0;
        break;
      case 'count':
      case 'level':
        event[field] = rows[column][i]!;
        break;
      default: {
        const never: never = format;
        throw new TypeError(`format ${String(never)}`);
      }
    }
  }
  return event as unknown as LabEvent;
}

/** An event to encode: its kind and fields; actor, walk, stage2 and at default to 0. Sequence and machine come from the frame. */
export type EventInput<K extends KindName = KindName> = K extends KindName
  ? { readonly kind: K; readonly at?: number; readonly actor?: number; readonly walk?: number; readonly stage2?: number } & Partial<
      Omit<Extract<LabEvent, { kind: K }>, 'kind' | 'seq' | 'machine' | 'at' | 'actor' | 'walk' | 'stage2'>
    >
  : never;

/**
 * Appends one event object to `columns`: the inverse of decodeEvent, for imports and tests. Fields left out are 0.
 * @throws RangeError when the columns are full or a field is not of the kind.
 */
export function encodeEvent(columns: EventColumns, event: EventInput): void {
  if (columns.length === columns.capacity) throw new RangeError(`event columns are full (${columns.capacity} rows)`);
  const spec: KindSpec = KINDS[event.kind];
  const i = columns.length;
  columns.append(spec.code, event.at ?? 0, event.actor ?? 0, event.walk ?? 0, event.stage2 ?? 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  for (const [field, value] of Object.entries(event)) {
    if (
      field === 'kind' ||
      field === 'seq' ||
      field === 'machine' ||
      field === 'at' ||
      field === 'actor' ||
      field === 'walk' ||
      field === 'stage2'
    )
      continue;
    const fieldSpec = spec.fields[field];
    if (fieldSpec === undefined) throw new RangeError(`${event.kind} has no field ${field}`);
    const [column, format] = fieldSpec;
    if (format === 'descriptor') {
      const bits = BigInt(value as string);
      columns[column][2 * i] = Number(bits & 0xffff_ffffn);
      columns[column][2 * i + 1] = Number(bits >> 32n);
    } else if (format === 'address' || format === 'bytes') {
      columns[column][2 * i] = value as number;
      columns[column][2 * i + 1] = (value as number) / 0x1_0000_0000;
    } else {
      columns[column][i] = value as number;
    }
  }
}
