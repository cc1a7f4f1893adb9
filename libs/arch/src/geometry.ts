import { alignUp } from './address.ts';

/** log2 of the granule in bytes: 12 (4K), 14 (16K) or 16 (64K). */
export type PageShift = 12 | 14 | 16;

/** Depth in the tree: 0 is the top, 3 holds pages. */
export type Level = 0 | 1 | 2 | 3;

/** Level at which every granule maps single pages. */
export const LAST_LEVEL = 3;

/**
 * Shape of one stage-2: everything that follows from granule and IPA size.
 * @source Linux 7.2 arch/arm64/include/asm/stage2_pgtable.h (stage2_pgtable_levels), kvm_pgtable.h
 * (kvm_granule_shift), hyp/pgtable.c (kvm_pgd_pages, kvm_pgd_page_idx); Arm ARM DDI 0487 D8.2 (concatenation).
 */
export interface Geometry {
  readonly pageShift: PageShift;
  readonly pageBytes: number;
  /** Index bits a level resolves: 9, 11 or 13 of the architecture; fewer in a thin stage-2. */
  readonly bitsPerLevel: number;
  /** Descriptors in one table page: 512, 2048 or 8192; fewer in a thin stage-2. */
  readonly entries: number;
  readonly ipaBits: number;
  /** 2^ipaBits, bytes. */
  readonly ipaBytes: number;
  readonly startLevel: Level;
  /** Concatenated root pages, 1…16. */
  readonly rootPages: number;
  /** Lowest level number at which a block may be mapped (1 for 4K, 2 for 16K and 64K). */
  readonly minBlockLevel: Level;
  /** Bytes a descriptor covers, by level 0…3. */
  readonly spans: Float64Array;
  /** Descriptor addresses use the LPA2 layout (4K and 16K granules above 48 bits). */
  readonly lpa2: boolean;
}

/**
 * Computes the geometry of a stage-2.
 * @param indexBits 0 for the architecture's. A smaller number makes a *thin* stage-2, which no hardware has: the same levels, pages and
 * descriptors, but 2^indexBits descriptors in a table, so that every schedule of a whole teardown can be explored.
 * @throws RangeError for a granule or an IPA size that the architecture does not have.
 */
export function geometry(pageShift: number, ipaBits: number, lpa2 = false, indexBits = 0): Geometry {
  if (pageShift !== 12 && pageShift !== 14 && pageShift !== 16) {
    throw new RangeError(`page shift ${pageShift}: granules are 12 (4K), 14 (16K) and 16 (64K)`);
  }
  if (!Number.isInteger(indexBits) || indexBits < 0 || indexBits > pageShift - 3) {
    throw new RangeError(
      `tables of 2^${indexBits} descriptors: a granule of 2^${pageShift} bytes holds 2^1 to 2^${pageShift - 3}, 0 for all`,
    );
  }
  const bitsPerLevel = indexBits === 0 ? pageShift - 3 : indexBits;
  const least = indexBits === 0 ? 32 : pageShift + 2 * indexBits;
  if (!Number.isInteger(ipaBits) || ipaBits < least || ipaBits > 52) {
    throw new RangeError(`IPA size ${ipaBits}: must be ${least} to 52 bits`);
  }
  // Up to 16 root pages are concatenated, which saves up to four bits at the top.
  const levels = Math.max(2, alignUp(ipaBits - 4 - pageShift, bitsPerLevel) / bitsPerLevel);
  const startLevel = (4 - levels) as Level;
  const rootShift = shiftOf(pageShift, bitsPerLevel, startLevel - 1);
  return {
    pageShift,
    pageBytes: 2 ** pageShift,
    bitsPerLevel,
    entries: 2 ** bitsPerLevel,
    ipaBits,
    ipaBytes: 2 ** ipaBits,
    startLevel,
    rootPages: Math.max(1, 2 ** (ipaBits - rootShift)),
    minBlockLevel: pageShift === 12 ? 1 : 2,
    spans: Float64Array.of(0, 1, 2, 3).map((level) => 2 ** shiftOf(pageShift, bitsPerLevel, level)),
    lpa2,
  };
}

/**
 * log2 of the bytes one descriptor at `level` covers.
 * @source Linux kvm_granule_shift(): ARM64_HW_PGTABLE_LEVEL_SHIFT = bits * (4 - level) + 3
 */
export function spanShift({ pageShift, bitsPerLevel }: Geometry, level: number): number {
  return shiftOf(pageShift, bitsPerLevel, level);
}

function shiftOf(pageShift: number, bitsPerLevel: number, level: number): number {
  return pageShift + bitsPerLevel * (LAST_LEVEL - level);
}

/** Bytes one descriptor at `level` covers (kernel: kvm_granule_size). */
export function spanBytes(shape: Geometry, level: number): number {
  return shape.spans[level]!;
}

/** Slot of `address` in its table at `level`, 0…entries-1 (kernel: kvm_pgtable_idx). */
export function slotOf(shape: Geometry, address: number, level: number): number {
  // The low bits of the quotient survive the conversion to 32 bits, whatever the address.
  return Math.floor(address / shape.spans[level]!) & (shape.entries - 1);
}

/** Which of the concatenated root pages `address` starts in (kernel: kvm_pgd_page_idx). */
export function rootPageOf(shape: Geometry, address: number): number {
  // A power of two of root pages: the low bits of the quotient are the remainder by them, and no remainder of doubles is needed.
  return Math.floor(address / (spanBytes(shape, shape.startLevel) * shape.entries)) & (shape.rootPages - 1);
}
