import { COMPONENT, K, OPERATION } from '@s2lab/events';
import type { EventWriter } from './event-writer.ts';
import type { GoldenLine } from './golden-line.ts';
import { RecordingError } from './golden-line.ts';

/** Bits of physical address by ID_AA64MMFR0_EL1.PARange. @source Arm ARM DDI 0487 D19.2 */
export const PARANGE_BITS = [32, 36, 40, 42, 44, 48, 52] as const;

/** Where an operation of a recording has its arguments: guest, page of the guest, page of memory, pages. */
interface Shape {
  readonly code: number;
  readonly guest?: number;
  readonly gfn?: number;
  readonly pfn?: number;
  readonly pages?: number;
}

const OPERATIONS: Readonly<Record<string, Shape>> = {
  region: { code: 0 },
  boot: { code: 0 },
  digest: { code: 0 },
  dump: { code: 0 },
  host_fault: { code: OPERATION.hostFault },
  host_leaf: { code: OPERATION.hostLeaf },
  share_hyp: { code: OPERATION.hostShareHyp, pfn: 0 },
  unshare_hyp: { code: OPERATION.hostUnshareHyp, pfn: 0 },
  donate_hyp: { code: OPERATION.hostDonateHyp, pfn: 0, pages: 1 },
  hyp_donate_host: { code: OPERATION.hypDonateHost, pfn: 0, pages: 1 },
  share_ffa: { code: OPERATION.hostShareFfa, pfn: 0, pages: 1 },
  unshare_ffa: { code: OPERATION.hostUnshareFfa, pfn: 0, pages: 1 },
  vm_init: { code: OPERATION.guestInit, guest: 0, pfn: 3 },
  topup: { code: OPERATION.topUpMemcache, guest: 0, pfn: 1, pages: 2 },
  donate_guest: { code: OPERATION.hostDonateGuest, guest: 0, pfn: 1, gfn: 2 },
  share_guest: { code: OPERATION.hostShareGuest, guest: 0, pfn: 1, gfn: 2, pages: 3 },
  unshare_guest: { code: OPERATION.hostUnshareGuest, guest: 0, gfn: 1, pages: 2 },
  reclaim: { code: OPERATION.hostReclaim, guest: 0, gfn: 1 },
  force_reclaim: { code: OPERATION.hostForceReclaim, guest: 0 },
  guest_share_host: { code: OPERATION.guestShareHost, guest: 0, gfn: 1 },
  guest_unshare_host: { code: OPERATION.guestUnshareHost, guest: 0, gfn: 1 },
  relax_guest: { code: OPERATION.relaxGuest, guest: 0, gfn: 1 },
  wrprotect_guest: { code: OPERATION.wrprotectGuest, guest: 0, gfn: 1, pages: 2 },
  young_guest: { code: OPERATION.youngGuest, guest: 0, gfn: 1, pages: 2 },
  mkyoung_guest: { code: OPERATION.mkyoungGuest, guest: 0, gfn: 1 },
  vm_destroy: { code: OPERATION.guestDestroy, guest: 0 },
};

/** What an operation line is about. */
export interface PkvmOperation {
  /** OPERATION, 0 = none. */
  readonly code: number;
  readonly vmid: number;
  readonly ipa: number;
  readonly bytes: number;
}

/** @throws RecordingError for an operation that is not known */
export function pkvmOperation(line: GoldenLine, pageBytes: number): PkvmOperation {
  const { code, guest, gfn, pages } = shapeOf(line);
  return {
    code,
    vmid: guest === undefined ? 0 : Math.min(line.argument(guest), 0xffff),
    ipa: gfn === undefined ? 0 : line.argument(gfn) * pageBytes,
    bytes: (pages === undefined ? 1 : line.argument(pages)) * pageBytes,
  };
}

function shapeOf(line: GoldenLine): Shape {
  const name = line.text('name');
  const shape = OPERATIONS[name];
  if (shape === undefined) throw new RecordingError(line.number, `unknown operation "${name}"`);
  return shape;
}

const { host, hyp, guest } = COMPONENT;
/** What becomes of the pages of each operation that succeeds, from whom, to whom. */
const FATES: Readonly<Record<string, readonly [kind: number, from: number, to: number]>> = {
  share_hyp: [K.pageShared, host, hyp],
  unshare_hyp: [K.pageUnshared, host, hyp],
  donate_hyp: [K.pageDonated, host, hyp],
  hyp_donate_host: [K.pageDonated, hyp, host],
  vm_init: [K.pageDonated, host, hyp],
  topup: [K.pageDonated, host, hyp],
  donate_guest: [K.pageDonated, host, guest],
  share_guest: [K.pageShared, host, guest],
};

/** What the operation did to its pages, where its line names them. */
export function announcePages(writer: EventWriter, line: GoldenLine, pageBytes: number): void {
  const fate = FATES[line.text('name')];
  const { pfn, gfn, pages } = shapeOf(line);
  if (fate === undefined || pfn === undefined) return;
  const [kind, from, to] = fate;
  const pa = line.argument(pfn) * pageBytes;
  const bytes = (pages === undefined ? 1 : line.argument(pages)) * pageBytes;
  const ipa = gfn === undefined ? 0 : line.argument(gfn) * pageBytes;
  writer.emit(kind, 0, 0, 0, bytes, Math.floor(bytes / 2 ** 32), pa, Math.floor(pa / 2 ** 32), ipa, from, to);
}
