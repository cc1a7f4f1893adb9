/** What a size in bytes looks like in a scenario file; for messages and the published schema. */
export const BYTE_SIZE_EXPECTED = "a size in bytes: a whole number, or a text such as '64KiB', '2MiB' or '4GiB'";

/** Texts that `byteSize` reads. */
export const BYTE_SIZE_TEXT = /^(\d{1,15}) ?(B|KiB|MiB|GiB|TiB)?$/;

const UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** Bytes that a size of a scenario file stands for: a number as it is, a text with its binary unit; undefined if it is no size up to 2^52. */
export function byteSize(size: number | string): number | undefined {
  const parts = typeof size === 'string' ? BYTE_SIZE_TEXT.exec(size) : undefined;
  const bytes = parts ? Number(parts[1]) * UNIT_BYTES[parts[2] ?? 'B']! : typeof size === 'number' ? size : NaN;
  return Number.isInteger(bytes) && bytes >= 0 && bytes <= 2 ** 52 ? bytes : undefined;
}
