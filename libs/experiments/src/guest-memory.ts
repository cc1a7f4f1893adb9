import { COMMAND } from '@s2lab/engine';
import type { CommandFields } from './bench-machine.ts';

/** First IPA of guest memory. */
export const MEMORY_IPA = 2 ** 30;
/** Bytes of a page: the smallest granule. */
export const PAGE = 4096;
/** Bytes of a block of level 2. */
export const BLOCK = 2 ** 21;

/** A memslot of `bytes` from MEMORY_IPA on, whose host addresses fit blocks up to 1 GiB; `vmaShift` is log2 of hugetlbfs pages, `thp` as in Command. */
export function memslot(bytes: number, backing: { readonly vmaShift?: number; readonly thp?: number }): CommandFields {
  return {
    kind: COMMAND.memslotCreate,
    memslot: 0,
    ipa: MEMORY_IPA,
    bytes,
    pa: 2 ** 32,
    hva: 0x7f00_0000_0000,
    vmaShift: backing.vmaShift ?? 12,
    thp: backing.thp ?? 0,
  };
}
