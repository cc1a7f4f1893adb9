import type { LeafFeatures } from '@s2lab/arch';
import { geometry } from '@s2lab/arch';
import type { MemoryRegion, Stage2 } from '@s2lab/engine';
import { Memslot } from '@s2lab/engine';
import type { ViewShape } from './machine-view.ts';
import { MachineView, TimelineError } from './machine-view.ts';

type TypedArray = Uint8Array | Int8Array | Uint16Array | Int32Array | Uint32Array | Float64Array;
const ARRAYS = { Uint8Array, Int8Array, Uint16Array, Int32Array, Uint32Array, Float64Array } as const;

/** One typed array of a snapshot: where it is, its type and length; elements from `stored` on are 0 and are not stored. */
interface StoredArray {
  readonly path: string;
  readonly type: keyof typeof ARRAYS;
  readonly length: number;
  readonly stored: number;
}

interface StoredStage2 {
  readonly vmid: number;
  readonly ipaBits: number;
  readonly lpa2: boolean;
  readonly features: LeafFeatures;
  readonly memslots: readonly StoredMemslot[];
}

interface StoredMemslot {
  readonly id: number;
  readonly ipa: number;
  readonly bytes: number;
  readonly pa: number;
  readonly readOnly: boolean;
}

/** The part of a snapshot that is not arrays. */
interface Head {
  readonly shape: ViewShape;
  readonly stage2s: readonly StoredStage2[];
  /** Memory of which the hypervisor notes who owns it. */
  readonly regions: readonly MemoryRegion[];
  /** Codes of the locks that belong to no stage-2, as far as somebody has asked for them. */
  readonly locks: readonly number[];
  readonly values: Readonly<Record<string, number | boolean | null>>;
  readonly arrays: readonly StoredArray[];
}

/** A machine's view as plain data: `head` is JSON, `body` the bytes of its arrays one behind the other; meant to be compressed. */
export interface ViewSnapshot {
  readonly head: string;
  readonly body: Uint8Array;
}

/** Objects that follow from the shape and are made anew. */
const DERIVED = new Set(['shape', 'features', 'early']);
/** Its two planes of halves are stored apart, as differences: neighbouring descriptors of one table differ by one page. */
const DESCRIPTORS = 'world.pages.descriptors';

/**
 * The state of `view`, complete: `restoreView` of it is equal to it. It goes over all fields of world and actors, so that a field added
 * to the engine's world is in the snapshot without a change here.
 */
export function captureView(view: MachineView): ViewSnapshot {
  const { shape, world } = view;
  if (shape === undefined || world === undefined) throw new TimelineError('a machine without a stage-2 has no snapshot');
  const values: Record<string, number | boolean | null> = {};
  const arrays: StoredArray[] = [];
  const parts: Uint8Array[] = [];
  each(view, '', (path, holder, key) => {
    const value = holder[key];
    if (typeof value === 'number' || typeof value === 'boolean') {
      values[path] = Number.isNaN(value) ? null : value;
    } else if (ArrayBuffer.isView(value)) {
      const array = value as TypedArray;
      const kept = array.subarray(0, lastNonZero(array) + 1);
      arrays.push({ path, type: array.constructor.name as StoredArray['type'], length: array.length, stored: kept.length });
      parts.push(path === DESCRIPTORS ? differences(array as Int32Array, kept.length) : bytesOf(kept));
    }
  });
  return { head: JSON.stringify({ shape, ...objectsOf(view), values, arrays } satisfies Head), body: joined(parts) };
}

/** What a view consists of besides numbers and arrays. */
function objectsOf(view: MachineView): Pick<Head, 'stage2s' | 'regions' | 'locks'> {
  const regions = view.world?.memory.regions ?? [];
  return {
    stage2s: view.stage2s.map(stage2Head),
    regions: regions.map(({ base, bytes, nomap }) => ({ base, bytes, nomap })),
    locks: view.world?.locks.flatMap((lock, i) => (lock === undefined ? [] : [i + 1])) ?? [],
  };
}

function stage2Head({ vmid, shape, features, memslots }: Stage2): StoredStage2 {
  return {
    vmid,
    ipaBits: shape.ipaBits,
    lpa2: shape.lpa2,
    features,
    memslots: memslots.map(({ id, ipa, bytes, pa, readOnly }) => ({ id, ipa, bytes, pa, readOnly })),
  };
}

/**
 * The view that `captureView` was given.
 * @param into a view that is not needed any more: where it is of the same machine and shape, it becomes the answer, its arrays filled anew;
 * else it is left in a state that means nothing
 * @throws TimelineError when head and body do not belong together.
 */
export function restoreView(snapshot: ViewSnapshot, into?: MachineView): MachineView {
  const head = JSON.parse(snapshot.head) as Head;
  if (into !== undefined && sameFrame(into, head) && fill(into, head, snapshot.body) === undefined) return into;
  const view = new MachineView();
  const world = view.build(head.shape);
  for (const { vmid, ipaBits, lpa2, features, memslots } of head.stage2s) {
    const stage2 = world.prepare(vmid, geometry(head.shape.pageShift, ipaBits, lpa2, head.shape.indexBits), features);
    for (const { id, ipa, bytes, pa, readOnly } of memslots) stage2.memslots.push(new Memslot(id, ipa, bytes, pa, readOnly));
  }
  for (const { base, bytes, nomap } of head.regions) world.memory.add(base, bytes, nomap);
  for (const lock of head.locks) world.lockOf(0, lock);
  const wrong = fill(view, head, snapshot.body);
  if (wrong !== undefined) throw new TimelineError(wrong);
  return view;
}

/** Whether the objects of a view, its numbers and arrays aside, are those that a snapshot is restored into. */
function sameFrame(view: MachineView, { shape, stage2s, regions, locks }: Head): boolean {
  if (view.world === undefined) return false;
  return JSON.stringify({ shape: view.shape, ...objectsOf(view) }) === JSON.stringify({ shape, stage2s, regions, locks });
}

/** Gives a view the numbers and arrays of a snapshot. @returns what does not fit, in words */
function fill(view: MachineView, head: Head, body: Uint8Array): string | undefined {
  const arrays = new Map(head.arrays.map((array, index) => [array.path, index]));
  const offsets: number[] = [];
  let offset = 0;
  for (const { type, stored } of head.arrays) {
    offsets.push(offset);
    offset += stored * ARRAYS[type].BYTES_PER_ELEMENT;
  }
  if (offset !== body.byteLength) return `a snapshot of ${body.byteLength} bytes should have ${offset} bytes`;
  let wrong: string | undefined;
  let found = 0;
  each(view, '', (path, holder, key) => {
    const index = arrays.get(path);
    const value = holder[key];
    if (index !== undefined) {
      found += 1;
      const { type, length, stored } = head.arrays[index]!;
      const array =
        ARRAYS[type] === value?.constructor && (value as TypedArray).length === length ? (value as TypedArray) : new ARRAYS[type](length);
      fillArray(array, body.subarray(offsets[index]!, offsets[index]! + stored * array.BYTES_PER_ELEMENT), path === DESCRIPTORS);
      holder[key] = array;
    } else if (path in head.values) {
      found += 1;
      holder[key] = head.values[path] ?? NaN;
    } else if (typeof value !== 'object') wrong ??= `a snapshot lacks ${path}`;
  });
  const all = head.arrays.length + Object.keys(head.values).length;
  return wrong ?? (found === all ? undefined : `a snapshot has ${all} numbers and arrays, ${found} of which have a place`);
}

function fillArray(array: TypedArray, stored: Uint8Array, asDifferences: boolean): void {
  const into = bytesOf(array);
  into.fill(0, stored.byteLength);
  // Not slice(): that of a Buffer does not copy.
  if (asDifferences) sumUp(new Int32Array(new Uint8Array(stored).buffer), array as Int32Array);
  else into.set(stored);
}

/** Visits every number, flag and array of `holder` and of the objects in it. */
function each(holder: object, path: string, visit: (path: string, holder: Record<string, unknown>, key: string) => void): void {
  const fields = holder as Record<string, unknown>;
  for (const key of Object.keys(fields)) {
    if (DERIVED.has(key)) continue;
    const value = fields[key];
    const at = path === '' ? key : `${path}.${key}`;
    if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) each(value, at, visit);
    else if (typeof value !== 'function' && value !== undefined) visit(at, fields, key);
  }
}

function lastNonZero(array: TypedArray): number {
  let i = array.length - 1;
  while (i >= 0 && array[i] === 0) i -= 1;
  return i;
}

function bytesOf(array: TypedArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** `count` interleaved halves as two planes of differences. Four bytes a half, the low half of slot 0 first. */
function differences(halves: Int32Array, count: number): Uint8Array {
  const out = new Int32Array(count);
  let low = 0;
  let high = 0;
  const pairs = (count + 1) >>> 1;
  for (let i = 0; i < count; i += 1) {
    const value = halves[i]!;
    if ((i & 1) === 0) {
      out[i >>> 1] = value - low;
      low = value;
    } else {
      out[pairs + (i >>> 1)] = value - high;
      high = value;
    }
  }
  return bytesOf(out);
}

/** The inverse of `differences`. */
function sumUp(from: Int32Array, into: Int32Array): void {
  let low = 0;
  let high = 0;
  const pairs = (from.length + 1) >>> 1;
  for (let i = 0; i < from.length; i += 1) {
    if ((i & 1) === 0) into[i] = low = (low + from[i >>> 1]!) | 0;
    else into[i] = high = (high + from[pairs + (i >>> 1)]!) | 0;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}
