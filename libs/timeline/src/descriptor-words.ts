import type { Geometry, LeafFeatures } from '@s2lab/arch';
import {
  HI_INVALID_TYPE,
  HI_XN,
  LAST_LEVEL,
  LO_ACCESSED,
  LO_MEMATTR,
  LO_READ,
  LO_WRITE,
  hex64,
  hexAddress,
  isLocked,
  isTable,
  isValid,
  outputAddress,
  softwareProt,
} from '@s2lab/arch';

/** What a descriptor is. `annotated` = invalid, not empty and not locked: it carries an owner's mark. */
export type DescriptorKind = 'empty' | 'locked' | 'annotated' | 'table' | 'block' | 'page';

/** A descriptor, decoded for people. */
export interface DescriptorWords {
  /** The 64 bits as `0x…`. */
  readonly bits: string;
  readonly kind: DescriptorKind;
  /** Output address in bytes of a table, block or page; null otherwise. */
  readonly output: number | null;
  /** Of a block or page: `r`, `w` and `x` (`u` = EL0 only, `p` = EL1 only) or `-`, in this order; null otherwise. */
  readonly permissions: string | null;
  /** All of it in one phrase. */
  readonly text: string;
}

/** By the XN field, bits 54:53: both, EL0 only, none, EL1 only. @source Arm ARM DDI 0487 D8.4, FEAT_XNX */
const EXECUTE = 'xu-p';

/**
 * Decodes a descriptor read at `level`.
 * @source Arm ARM DDI 0487 D8.3 (VMSAv8-64 descriptor formats); Linux hyp/pgtable.c for the invalid ones
 */
export function describeDescriptor(shape: Geometry, features: LeafFeatures, lo: number, hi: number, level: number): DescriptorWords {
  const bits = hex64(lo, hi);
  if (!isValid(lo)) {
    if (lo === 0 && hi === 0) return { bits, kind: 'empty', output: null, permissions: null, text: 'invalid' };
    if (isLocked(lo, hi)) return { bits, kind: 'locked', output: null, permissions: null, text: 'locked' };
    const type = (hi & HI_INVALID_TYPE) >>> 28;
    return { bits, kind: 'annotated', output: null, permissions: null, text: `invalid, annotated ${bits} (type ${type})` };
  }
  const output = outputAddress(shape, lo, hi);
  if (isTable(lo, level)) return { bits, kind: 'table', output, permissions: null, text: `table at PA ${hexAddress(output)}` };
  const kind = level === LAST_LEVEL ? 'page' : 'block';
  const permissions = `${(lo & LO_READ) === 0 ? '-' : 'r'}${(lo & LO_WRITE) === 0 ? '-' : 'w'}${EXECUTE[(hi & HI_XN) >>> 21]!}`;
  const software = softwareProt(hi);
  const marks = [
    `${kind} → PA ${hexAddress(output)} ${permissions}`,
    memoryType(lo, features),
    (lo & LO_ACCESSED) === 0 ? 'not accessed' : '',
    software === 0 ? '' : `software bits ${hexAddress(software >>> 6)}`,
  ];
  return { bits, kind, output, permissions, text: marks.filter((mark) => mark !== '').join(', ') };
}

/** Memory that is not Normal, in words; Normal memory goes without saying. @source Arm ARM DDI 0487 D8.6, MemAttr with and without S2FWB */
function memoryType(lo: number, features: LeafFeatures): string {
  const attribute = (lo & LO_MEMATTR) >>> 2;
  if (attribute === (features.fwb ? (features.asStage1 ? 7 : 6) : 0xf)) return '';
  if (attribute === 1) return 'device';
  return attribute === 5 ? 'normal non-cacheable' : `memory attribute ${attribute}`;
}
