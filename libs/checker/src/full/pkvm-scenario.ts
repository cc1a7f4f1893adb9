import { ACCESS } from '@s2lab/events';
import type { CoalesceMode } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import type { FullBounds } from './full-bounds.ts';
import type { Request } from './script.ts';
import type { Setting } from './subject.ts';

const PAGE = 4096;
/** VMID of the guest; the host's is 0. */
const GUEST = 1;
/** Pages that the guest's tables are made of: its root, and at most one more in its cache than it needs at once. */
const GUEST_TABLES = 3;
/** Table pages that the hypervisor has for the host's stage-2: more than it ever needs. */
const POOL_PAGES = 64;

/**
 * A machine under pKVM: the first page of each block belongs to a guest, so that the host's block is broken up. Collapsers are cores on which
 * the host takes those pages back; how the block then comes back `coalesce` says: it is mapped with its last page, or its table is dropped and the
 * next fault maps it. Walkers are cores on which the host writes other pages of the block, which it has not mapped yet. The guest is destroyed
 * at the end. The hypervisor's own pages lie above what the host can address, so that the tables need not tell them apart page by page.
 */
export function reclaimAgainstFaults(coalesce: CoalesceMode, bounds: FullBounds): Setting {
  const { walkers, collapsers, entries, slots, hardware } = bounds;
  const indexBits = Math.log2(slots);
  const tablesAt = entries * slots * PAGE;
  const ipaBits = Math.ceil(Math.log2(Math.max(tablesAt + GUEST_TABLES * PAGE, slots * slots * PAGE)));
  const guestBits = 12 + 2 * indexBits;
  const blocks = Array.from({ length: entries }, (_, block) => block);
  const page = (block: number, index: number): number => (block * slots + index) * PAGE;
  const ofGuest = (block: number): Request => ({ kind: COMMAND.hostReclaim, vmid: GUEST, ipa: block * PAGE });
  const touched = (address: number): Request =>
    hardware ? { kind: COMMAND.access, ipa: address, access: ACCESS.write } : { kind: COMMAND.hostFault, ipa: address, pa: address };
  const walker = (w: number): Request[] => blocks.map((block) => touched(page(block, 1 + (w % (slots - 1)))));
  const donate = (block: number): Request => ({ kind: COMMAND.hostDonateGuest, vmid: GUEST, ipa: block * PAGE, pa: page(block, 0) });
  const prologue: readonly Request[] = [
    { kind: COMMAND.guestInit, vmid: GUEST, ipaBits: guestBits, protected: 1, pa: tablesAt },
    { kind: COMMAND.topUpMemcache, vmid: GUEST, pa: tablesAt + PAGE, bytes: (GUEST_TABLES - 1) * PAGE },
    ...blocks.map(donate),
    ...(hardware ? blocks.map((block): Request => ({ kind: COMMAND.access, vmid: GUEST, ipa: block * PAGE, access: ACCESS.write })) : []),
  ];
  return {
    config: {
      kind: 'pkvm',
      pkvm: { regions: [{ base: 0, bytes: 2 ** ipaBits, nomap: false }], carvedPages: 0, poolPages: POOL_PAGES, coalesce },
      ipaBits,
      indexBits,
      tlbEntries: 2,
      walkCacheEntries: 2,
      cacheCapacity: 4,
    },
    prologue: prologue.map((request) => [0, request]),
    requests: [
      ...Array.from({ length: walkers }, (_, w) => walker(w)),
      ...Array.from({ length: collapsers }, () => blocks.map(ofGuest)),
      [],
    ],
    epilogue: [{ kind: COMMAND.guestDestroy, vmid: GUEST }],
  };
}
