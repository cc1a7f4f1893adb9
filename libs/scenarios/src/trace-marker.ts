import type { TracedMemslot } from './memslot-map.ts';
import { mask64, wholeNumber } from './script-words.ts';

/** A change that the VMM noted in the trace by `trace_marker`, since KVM has no event for it. */
export type Marker =
  | { readonly kind: 'create'; readonly slot: TracedMemslot }
  | { readonly kind: 'delete' | 'log-on' | 'log-off'; readonly id: number }
  | { readonly kind: 'log-clear'; readonly id: number; readonly firstPage: number; readonly maskLo: number; readonly maskHi: number };

/** How markers are written, for messages. */
export const MARKER_FORMS =
  "'s2lab memslot create id= ipa= bytes= hva= [vma_shift=] [thp=] [ro=]', 's2lab memslot delete id=', " +
  "'s2lab dirty-log on|off id=' or 's2lab dirty-log clear id= first= mask='";

/** The `s2lab …` part of a trace marker's text, or undefined for markers of others. */
export function markerText(text: string): string | undefined {
  return /(?:^|: ?)s2lab (.*)$/.exec(text)?.[1]?.trim();
}

/** Reads a marker after `s2lab `; undefined when it is not of one of the forms. */
export function parseMarker(text: string, pageShift: number): Marker | undefined {
  const [subject, verb, ...pairs] = text.split(/\s+/);
  const given = new Map<string, string>();
  for (const pair of pairs) {
    const [key, value] = pair.split('=', 2) as [string, string | undefined];
    if (value === undefined || given.has(key)) return undefined;
    given.set(key, value);
  }
  const keys = KEYS[`${subject} ${verb}`];
  if (keys === undefined || !keys.required.every((key) => given.has(key))) return undefined;
  for (const key of given.keys()) if (!keys.required.includes(key) && !keys.optional.includes(key)) return undefined;
  const number = (key: string, otherwise = NaN) => (given.has(key) ? wholeNumber(given.get(key)!) : otherwise);
  const id = number('id');
  if (!(id <= 0xffff)) return undefined;
  switch (`${subject} ${verb}`) {
    case 'memslot create':
      return createMarker(id, number, pageShift);
    case 'memslot delete':
      return { kind: 'delete', id };
    case 'dirty-log on':
      return { kind: 'log-on', id };
    case 'dirty-log off':
      return { kind: 'log-off', id };
    default: {
      const mask = mask64(given.get('mask')!);
      const firstPage = number('first');
      return mask === undefined || Number.isNaN(firstPage)
        ? undefined
        : { kind: 'log-clear', id, firstPage, maskLo: mask[0], maskHi: mask[1] };
    }
  }
}

const KEYS: Readonly<Record<string, { readonly required: readonly string[]; readonly optional: readonly string[] }>> = {
  'memslot create': { required: ['id', 'ipa', 'bytes', 'hva'], optional: ['vma_shift', 'thp', 'ro'] },
  'memslot delete': { required: ['id'], optional: [] },
  'dirty-log on': { required: ['id'], optional: [] },
  'dirty-log off': { required: ['id'], optional: [] },
  'dirty-log clear': { required: ['id', 'first', 'mask'], optional: [] },
};

function createMarker(id: number, number: (key: string, otherwise?: number) => number, pageShift: number): Marker | undefined {
  const slot = {
    id,
    ipa: number('ipa'),
    bytes: number('bytes'),
    hva: number('hva'),
    vmaShift: number('vma_shift', pageShift),
    thp: number('thp', 1),
    readOnly: number('ro', 0) === 1,
  };
  const numbers = [slot.ipa, slot.bytes, slot.hva, slot.vmaShift, slot.thp, number('ro', 0)];
  return numbers.some(Number.isNaN) || number('ro', 0) > 1 || slot.vmaShift > 48 ? undefined : { kind: 'create', slot };
}
