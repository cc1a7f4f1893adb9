/** A number that carries a name, so that two kinds of address cannot be mixed by accident. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Intermediate physical address, bytes. Below 2^52 (LPA2), so exact in a double. Never a `Pa`. */
export type Ipa = Brand<number, 'Ipa'>;

/** Physical address, bytes. Below 2^52, so exact in a double. */
export type Pa = Brand<number, 'Pa'>;

/** 2^32: one step of the high half of a 64-bit value. */
export const TWO_32 = 0x1_0000_0000;

/**
 * Names a byte address as intermediate physical.
 * @throws RangeError when it is not an integer in [0, 2^52]; 2^52 itself is allowed as an exclusive end.
 */
export function ipa(address: number): Ipa {
  return checked(address, 'IPA') as Ipa;
}

/**
 * Names a byte address as physical.
 * @throws RangeError when it is not an integer in [0, 2^52].
 */
export function pa(address: number): Pa {
  return checked(address, 'PA') as Pa;
}

function checked(address: number, what: string): number {
  if (!Number.isInteger(address) || address < 0 || address > 2 ** 52) {
    throw new RangeError(`${what} ${address} is not an integer between 0 and 2^52`);
  }
  return address;
}

/** Rounds `address` down to a multiple of `span` (bytes, a power of two). Exact up to 2^53. */
export function alignDown(address: number, span: number): number {
  // A quotient by a power of two is exact; the remainder operator on doubles is many times slower.
  return Math.floor(address / span) * span;
}

/** Rounds `address` up to a multiple of `span` (bytes, a power of two). Exact up to 2^53. */
export function alignUp(address: number, span: number): number {
  return Math.ceil(address / span) * span;
}

/** 2^0 … 2^63. */
const POWERS = Float64Array.from({ length: 64 }, (_, shift) => 2 ** shift);

/** 2^shift, 0 ≤ shift < 64: looked up, since a power is a call of the mathematical library. */
export function powerOfTwo(shift: number): number {
  return POWERS[shift]!;
}

/** Whether `address` is a multiple of `span` (bytes, a power of two). */
export function isAligned(address: number, span: number): boolean {
  return alignDown(address, span) === address;
}

/** `0x…` text of a 64-bit value given as two unsigned 32-bit halves. For printing only. */
export function hex64(lo: number, hi: number): string {
  const high = hi >>> 0;
  const low = lo >>> 0;
  return high === 0 ? `0x${low.toString(16)}` : `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
}

/** `0x…` text of an address held in a double. For printing only. */
export function hexAddress(address: number): string {
  return `0x${address.toString(16)}`;
}
