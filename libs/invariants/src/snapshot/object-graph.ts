/*
 * Objects, as many as hang together, as a flat list of records that structured clone and v8.serialize take: identity, cycles, classes and
 * views that share a buffer are kept. What it does not know it refuses, so that nothing is left out in silence.
 */
const TYPED = {
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float64Array,
} as const;
type TypedName = keyof typeof TYPED;

/** A reference to record `r` of the list. */
interface Reference {
  readonly r: number;
}
type Value = number | string | boolean | bigint | null | undefined | Reference;

/** One object of a graph. */
export type GraphRecord =
  | { readonly is: 'buffer'; readonly bytes: Uint8Array }
  | { readonly is: 'view'; readonly type: string; readonly buffer: number; readonly from: number; readonly length: number }
  | { readonly is: 'array'; readonly length: number; readonly at: Float64Array | undefined; readonly values: readonly Value[] }
  | { readonly is: 'map'; readonly keys: readonly Value[]; readonly values: readonly Value[] }
  | { readonly is: 'set'; readonly values: readonly Value[] }
  | { readonly is: 'object'; readonly type: string; readonly fields: readonly string[]; readonly values: readonly Value[] };

/** A class whose instances may be in a graph, and how to make one whose fields will be overwritten. */
export type GraphClass = readonly [name: string, make: () => object];

/**
 * Records of everything that `root` leads to; record 0 is `root`.
 * @throws TypeError that names the way to a function, or to an instance of a class that is not in `classes`
 */
export function encodeGraph(root: object, classes: readonly GraphClass[]): GraphRecord[] {
  const names = new Map(classes.map(([name, make]) => [Object.getPrototypeOf(make()) as object, name]));
  const records: GraphRecord[] = [];
  const known = new Map<object, number>();
  const queue: { readonly object: object; readonly way: string }[] = [];
  const refer = (object: object, way: string): Reference => {
    let r = known.get(object);
    if (r === undefined) {
      r = known.size;
      known.set(object, r);
      queue.push({ object, way });
    }
    return { r };
  };
  const encode = (value: unknown, way: string): Value => {
    if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`${way} is a ${typeof value}: it cannot be kept`);
    return typeof value === 'object' && value !== null ? refer(value, way) : (value as Value);
  };
  refer(root, 'state');
  for (let n = 0; n < queue.length; n++) {
    const { object, way } = queue[n]!;
    records[n] = recordOf(object, way, names, encode);
  }
  return records;
}

function recordOf(
  object: object,
  way: string,
  names: ReadonlyMap<object, string>,
  encode: (value: unknown, way: string) => Value,
): GraphRecord {
  if (object instanceof ArrayBuffer) return { is: 'buffer', bytes: new Uint8Array(object.slice(0)) };
  if (ArrayBuffer.isView(object)) {
    const view = object as Int8Array;
    if (!(view.constructor.name in TYPED)) throw new TypeError(`${way} is a ${view.constructor.name}: it cannot be kept`);
    const { r } = encode(view.buffer, `${way}.buffer`) as Reference;
    return { is: 'view', type: view.constructor.name, buffer: r, from: view.byteOffset, length: view.length };
  }
  if (Array.isArray(object)) return arrayRecord(object as readonly unknown[], way, encode);
  if (object instanceof Map) {
    const entries = [...(object as Map<unknown, unknown>)];
    return {
      is: 'map',
      keys: entries.map(([key]) => encode(key, `${way} (a key)`)),
      values: entries.map(([key, value]) => encode(value, `${way}.get(${String(key)})`)),
    };
  }
  if (object instanceof Set) return { is: 'set', values: [...(object as Set<unknown>)].map((value) => encode(value, `${way} (a member)`)) };
  const prototype = Object.getPrototypeOf(object) as object | null;
  const type = prototype === Object.prototype ? '' : names.get(prototype!);
  if (type === undefined) throw new TypeError(`${way} is a ${object.constructor.name}: a class that snapshots do not know`);
  const fields = Object.keys(object);
  return {
    is: 'object',
    type,
    fields,
    values: fields.map((field) => encode((object as Record<string, unknown>)[field], `${way}.${field}`)),
  };
}

function arrayRecord(array: readonly unknown[], way: string, encode: (value: unknown, way: string) => Value): GraphRecord {
  const at = Object.keys(array);
  const whole = at.length === array.length;
  return {
    is: 'array',
    length: array.length,
    at: whole ? undefined : Float64Array.from(at, Number),
    values: at.map((index) => encode(array[Number(index)], `${way}[${index}]`)),
  };
}

/**
 * The objects of `records` made anew; returns that of record 0.
 * @throws RangeError when a class is unknown or has other fields than when the graph was encoded, or a record cannot be
 */
export function decodeGraph(records: readonly GraphRecord[], classes: readonly GraphClass[]): object {
  const makers = new Map(classes);
  const objects = records.map((record) => shell(record, makers));
  // Views need their buffers, whichever came first.
  records.forEach((record, n) => {
    if (record.is === 'view') objects[n] = viewOf(record, objects[record.buffer]);
  });
  const decode = (value: Value): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (!(value.r in objects)) throw new RangeError(`a snapshot refers to record ${value.r} of ${objects.length}`);
    return objects[value.r];
  };
  records.forEach((record, n) => fill(record, objects[n]!, decode));
  if (objects.length === 0) throw new RangeError('a snapshot without records');
  return objects[0]!;
}

function shell(record: GraphRecord, makers: ReadonlyMap<string, () => object>): object {
  switch (record.is) {
    case 'buffer':
      return record.bytes.slice().buffer;
    case 'view':
      return {};
    case 'array':
      return new Array<unknown>(record.length);
    case 'map':
      return new Map();
    case 'set':
      return new Set();
    case 'object':
      return instance(record.type, record.fields, makers);
    default: {
      const never: never = record;
      throw new RangeError(`a snapshot has a record ${String((never as { is?: unknown }).is)}`);
    }
  }
}

function instance(type: string, fields: readonly string[], makers: ReadonlyMap<string, () => object>): object {
  if (type === '') return {};
  const make = makers.get(type);
  if (make === undefined) throw new RangeError(`a snapshot holds a ${type}, which this program does not know`);
  const made = make();
  const own = Object.keys(made);
  if (own.length !== fields.length || !fields.every((field) => own.includes(field)))
    throw new RangeError(`a snapshot holds a ${type} with the fields ${fields.join(', ')}; in this program it has ${own.join(', ')}`);
  return made;
}

function viewOf(record: GraphRecord & { is: 'view' }, buffer: object | undefined): object {
  const type = TYPED[record.type as TypedName] as typeof Uint8Array | undefined;
  if (type === undefined || !(buffer instanceof ArrayBuffer)) throw new RangeError('a snapshot has a view of nothing');
  return new type(buffer, record.from, record.length);
}

function fill(record: GraphRecord, object: object, decode: (value: Value) => unknown): void {
  switch (record.is) {
    case 'array':
      record.values.forEach((value, i) => {
        (object as unknown[])[record.at === undefined ? i : record.at[i]!] = decode(value);
      });
      return;
    case 'map':
      record.keys.forEach((key, i) => (object as Map<unknown, unknown>).set(decode(key), decode(record.values[i])));
      return;
    case 'set':
      for (const value of record.values) (object as Set<unknown>).add(decode(value));
      return;
    case 'object':
      record.fields.forEach((field, i) => {
        (object as Record<string, unknown>)[field] = decode(record.values[i]);
      });
      return;
    default:
  }
}
