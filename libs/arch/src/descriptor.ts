import type { Geometry } from './geometry.ts';
import { LAST_LEVEL } from './geometry.ts';
import { TWO_32 } from './address.ts';

/*
 * Fields of a stage-2 descriptor, as masks of its two unsigned 32-bit halves: `lo` is bits 31:0, `hi` bits 63:32.
 * Source: Arm ARM DDI 0487 D8.3 (VMSAv8-64 descriptor formats); Linux 7.2 kvm_pgtable.h, hyp/pgtable.c.
 */
/** Bit 0: the descriptor is valid. */
export const LO_VALID = 1;
/** Bit 1: table (levels 0–2) or page (level 3); clear means block. */
export const LO_TYPE = 2;
/** Bits 5:2, MemAttr. */
export const LO_MEMATTR = 0x3c;
/** Bit 6, S2AP[0]: readable. */
export const LO_READ = 0x40;
/** Bit 7, S2AP[1]: writable. */
export const LO_WRITE = 0x80;
/** Bits 9:8, shareability; with LPA2 they are OA[51:50]. */
export const LO_SHARE = 0x300;
/** Bit 10, access flag. */
export const LO_ACCESSED = 0x400;
/** Bits 54:53 as bits of the high half: execute-never field. */
export const HI_XN = 0x0060_0000;
/** Bits 58:55 as bits of the high half: software use. */
export const HI_SOFTWARE = 0x0780_0000;
/** Bits 63:60 as bits of the high half: type of an invalid, non-empty descriptor. */
export const HI_INVALID_TYPE = 0xf000_0000;

/** High half of a locked descriptor (type 1 in bits 63:60, low half 0). @source Linux 7.2 KVM_INVALID_PTE_TYPE_LOCKED */
export const HI_LOCKED = 0x1000_0000;

/**
 * Permissions and memory type asked of a mapping, as one bit set. `x` is both `px` (EL1) and `ux` (EL0).
 * @source Linux 7.2 enum kvm_pgtable_prot
 */
export const PROT = {
  px: 1,
  ux: 2,
  x: 3,
  w: 4,
  r: 8,
  device: 16,
  normalNc: 32,
  sw0: 64,
  sw1: 128,
  sw2: 256,
  sw3: 512,
} as const;
const PROT_SOFTWARE = PROT.sw0 | PROT.sw1 | PROT.sw2 | PROT.sw3;
/** bit number of sw0 in PROT against its bit number (55 - 32) in the high half. */
const SOFTWARE_SHIFT = 23 - 6;

/** What the hardware and the stage-2's flags say about leaf attributes. */
export interface LeafFeatures {
  /** FEAT_S2FWB: memory attributes force write-back. */
  readonly fwb: boolean;
  /** FEAT_XNX: execute-never can tell EL0 from EL1. */
  readonly xnx: boolean;
  /** KVM_PGTABLE_S2_AS_S1: Normal memory takes stage 1's attributes (FWB only). */
  readonly asStage1: boolean;
}

/** Whether the halves hold a valid descriptor. */
export function isValid(lo: number): boolean {
  return (lo & LO_VALID) !== 0;
}

/** Whether a descriptor read at `level` points to a next-level table (kernel: kvm_pte_table). */
export function isTable(lo: number, level: number): boolean {
  return level !== LAST_LEVEL && (lo & 3) === 3;
}

/** Whether the descriptor is the marker that break leaves until make (kernel: stage2_pte_is_locked). */
export function isLocked(lo: number, hi: number): boolean {
  return (lo & LO_VALID) === 0 && (hi & HI_INVALID_TYPE) >>> 0 === HI_LOCKED;
}

/** Output address of a table, block or page descriptor, bytes. @source Linux kvm_pte_to_phys() */
export function outputAddress(shape: Geometry, lo: number, hi: number): number {
  if (shape.lpa2) {
    return ((lo >>> 8) & 3) * 2 ** 50 + (hi & 0x0003_ffff) * TWO_32 + ((lo & 0xffff_f000) >>> 0);
  }
  const pageMask = -1 << shape.pageShift;
  const top = shape.pageShift === 16 ? ((lo >>> 12) & 0xf) * 2 ** 48 : 0;
  return top + (hi & 0x0000_ffff) * TWO_32 + ((lo & pageMask) >>> 0);
}

/** Low-half address bits of a descriptor whose output address is `address`. @source Linux kvm_phys_to_pte() */
export function addressLo(shape: Geometry, address: number): number {
  const low = address >>> 0;
  if (shape.lpa2) return (low | (Math.floor(address / 2 ** 50) << 8)) >>> 0;
  return shape.pageShift === 16 ? (low | ((Math.floor(address / 2 ** 48) & 0xf) << 12)) >>> 0 : low;
}

/** High-half address bits of a descriptor whose output address is `address`. */
export function addressHi(shape: Geometry, address: number): number {
  return Math.floor(address / TWO_32) & (shape.lpa2 ? 0x0003_ffff : 0x0000_ffff);
}

/**
 * Low-half attributes of a leaf with `prot`, access flag set, type and valid bits not included;
 * -1 when the combination does not exist (kernel: -EINVAL).
 * @source Linux 7.2 hyp/pgtable.c stage2_set_prot_attr()
 */
export function leafAttributesLo(prot: number, shape: Geometry, features: LeafFeatures): number {
  const device = (prot & PROT.device) !== 0;
  const normalNc = (prot & PROT.normalNc) !== 0;
  if ((device && normalNc) || ((device || normalNc) && (prot & PROT.x) !== 0)) return -1;
  if (!features.xnx && ((prot & PROT.px) !== 0) !== ((prot & PROT.ux) !== 0)) return -1;
  // AS_S1 leaves the type to stage 1, device memory included.
  const memAttr = features.fwb && features.asStage1 ? 7 : device ? 1 : normalNc ? 5 : features.fwb ? 6 : 0xf;
  return (
    (memAttr << 2) |
    ((prot & PROT.r) !== 0 ? LO_READ : 0) |
    ((prot & PROT.w) !== 0 ? LO_WRITE : 0) |
    (shape.lpa2 ? 0 : LO_SHARE) |
    LO_ACCESSED
  );
}

/** Whether a leaf maps Normal cacheable memory. @source Linux stage2_pte_cacheable() */
export function isNormalMemory(lo: number, features: LeafFeatures): boolean {
  return (lo & LO_MEMATTR) >>> 2 === (features.fwb ? (features.asStage1 ? 7 : 6) : 0xf);
}

/** Whether some exception level may execute what a leaf maps. @source Linux stage2_pte_executable() */
export function mayExecute(hi: number): boolean {
  return (hi & HI_XN) >>> 21 !== 2;
}

/** High-half attributes of a leaf with `prot`: the XN field and the software bits. @source stage2_set_xn_attr() */
export function leafAttributesHi(prot: number): number {
  return xnField(prot) | ((prot & PROT_SOFTWARE) << SOFTWARE_SHIFT);
}

/** The software bits of a leaf's high half as PROT bits. */
export function softwareProt(hi: number): number {
  return (hi & HI_SOFTWARE) >>> SOFTWARE_SHIFT;
}

/** XN field (bits 54:53) of `prot`, in place in the high half: 00 both, 01 EL0 only, 10 none, 11 EL1 only. */
export function xnField(prot: number): number {
  const px = (prot & PROT.px) !== 0;
  const ux = (prot & PROT.ux) !== 0;
  const xn = px ? (ux ? 0 : 3) : ux ? 1 : 2;
  return xn << 21;
}
