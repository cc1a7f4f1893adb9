import { z } from 'zod';
import { problemLines } from './problem-text.ts';
import { RecordingError } from './recording.ts';
import { wholeNumber } from './script-words.ts';

/** A memslot of the traced machine: guest memory [ipa, ipa+bytes) was [hva, hva+bytes) of the VMM. Bytes; `vmaShift` is a log2. */
export interface TracedMemslot {
  readonly id: number;
  readonly ipa: number;
  readonly bytes: number;
  readonly hva: number;
  readonly vmaShift: number;
  readonly thp: number;
  readonly readOnly: boolean;
}

const EXPECTED = 'expected a whole number, or a text such as "0x40000000"';
const address = z
  .union([z.int().min(0), z.string().refine((text) => !Number.isNaN(wholeNumber(text)), { error: EXPECTED })], { error: EXPECTED })
  .transform(Number);

const mapSchema = z.strictObject({
  memslots: z
    .array(
      z.strictObject({
        id: z.int().min(0).max(0xffff),
        ipa: address,
        bytes: address,
        hva: address,
        vmaShift: z.int().min(12).max(48).optional(),
        thp: z.int().min(0).max(1024).default(1),
        readOnly: z.boolean().default(false),
      }),
    )
    .min(1),
});

/**
 * Reads the side file that says where the memslots of a traced machine were: `{"memslots": [{"id", "ipa", "bytes", "hva"}, …]}`,
 * addresses as numbers or as "0x…" texts; `vmaShift`, `thp` and `readOnly` may be added.
 * @param pageShift log2 of the granule of the traced host
 * @throws RecordingError
 */
export function parseMemslotMap(text: string, source: string, pageShift = 12): TracedMemslot[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RecordingError(source, 0, `not JSON: ${(cause as Error).message.split('\n', 1)[0]}`);
  }
  const outcome = mapSchema.safeParse(value);
  if (!outcome.success) throw new RecordingError(source, 0, problemLines(outcome.error, value)[0]!);
  const slots: TracedMemslot[] = [];
  for (const entry of outcome.data.memslots) {
    const slot = { ...entry, vmaShift: entry.vmaShift ?? pageShift };
    const problem = memslotProblem(slot, slots, pageShift);
    if (problem !== undefined) throw new RecordingError(source, 0, `memslot ${slot.id}: ${problem}`);
    slots.push(slot);
  }
  return slots;
}

/** Why `slot` cannot be beside `others`, or undefined when it can. */
export function memslotProblem(slot: TracedMemslot, others: Iterable<TracedMemslot>, pageShift: number): string | undefined {
  const pageBytes = 2 ** pageShift;
  if (slot.bytes === 0 || slot.ipa % pageBytes !== 0 || slot.bytes % pageBytes !== 0 || slot.hva % pageBytes !== 0) {
    return `expected ipa, bytes and hva as multiples of ${pageBytes}, bytes above 0`;
  }
  if (slot.ipa + slot.bytes > 2 ** 52) return 'expected an IPA range below 2^52';
  if (slot.vmaShift < pageShift) return `expected vmaShift at least ${pageShift}`;
  for (const other of others) {
    if (other.id === slot.id) return 'expected an id that is not in use';
    if (slot.ipa < other.ipa + other.bytes && other.ipa < slot.ipa + slot.bytes)
      return `its IPA range overlaps that of memslot ${other.id}`;
  }
  return undefined;
}
