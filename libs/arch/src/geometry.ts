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
  /** Index bits a level resolves: 9, 11 or 13. */
  readonly bitsPerLevel: number;
  /** Descriptors in one table page: 512, 2048 or 8192. */
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
 * @throws RangeError for a granule or an IPA size that the architecture does not have.
 */
export function geometry(pageShift: number, ipaBits: number, lpa2 = false): Geometry {
  if (pageShift !== 12 && pageShift !== 14 && pageShift !== 16) {
    throw new RangeError(`page shift ${pageShift}: granules are 12 (4K), 14 (16K) and 16 (64K)`);
  }
  if (!Number.isInteger(ipaBits) || ipaBits < 32 || ipaBits > 52) {
    throw new RangeError(`IPA size ${ipaBits}: must be 32 to 52 bits`);
  }
  const bitsPerLevel = pageShift - 3;
  // Up to 16 root pages are concatenated, which saves up to four bits at the top.
  const levels = Math.max(2, alignUp(ipaBits - 4 - pageShift, bitsPerLevel) / bitsPerLevel);
  const startLevel = (4 - levels) as Level;
  const rootShift = spanShift(pageShift, startLevel - 1);
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
    spans: Float64Array.of(0, 1, 2, 3).map((level) => 2 ** spanShift(pageShift, level)),
    lpa2,
  };
}

/**
 * log2 of the bytes one descriptor at `level` covers.
 * @source Linux kvm_granule_shift(): ARM64_HW_PGTABLE_LEVEL_SHIFT = bits * (4 - level) + 3
 */
export function spanShift(pageShift: number, level: number): number {
  return (pageShift - 3) * (4 - level) + 3;
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
  return Math.floor((address % shape.ipaBytes) / 2 ** spanShift(shape.pageShift, shape.startLevel - 1));
}
