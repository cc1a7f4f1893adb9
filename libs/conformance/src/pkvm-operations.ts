import type { MemoryRegion } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import type { GoldenLine } from '@s2lab/recordings';
import { RecordingError } from '@s2lab/recordings';
import { PROT } from '@s2lab/arch';
import type { CommandFields } from './engine-player.ts';
import type { RecordedConfig } from './recorded-operations.ts';

/** Bits of physical address by ID_AA64MMFR0_EL1.PARange. @source Arm ARM DDI 0487 D19.2 */
const PARANGE_BITS = [32, 36, 40, 42, 44, 48, 52] as const;
/** Most pages of memory that a recording may have: 64 GiB of 4K pages. */
const PAGES_MAX = 2 ** 24;
const VMID_MAX = 255;
const PROT_LETTERS: Readonly<Record<string, number>> = { r: PROT.r, w: PROT.w, x: PROT.x };

/** A `region` line. @throws RecordingError for one that is no memory */
export function memoryRegion(line: GoldenLine, pageBytes: number, before: readonly MemoryRegion[]): MemoryRegion {
  const [base, bytes] = [line.argument(0), line.argument(1)];
  const pages = before.reduce((sum, region) => sum + region.bytes / pageBytes, bytes / pageBytes);
  const last = before.at(-1);
  const fits = base % pageBytes === 0 && Number.isInteger(pages) && bytes > 0 && (last === undefined || base >= last.base + last.bytes);
  if (!fits || pages > PAGES_MAX)
    throw new RecordingError(line.number, `a region must be whole pages above the last one, at most ${PAGES_MAX} in all`);
  return { base, bytes, nomap: line.hasArgument(2) };
}

/** Configuration that a `boot` line asks for. */
export function bootConfig(line: GoldenLine, pageShift: number, regions: readonly MemoryRegion[]): RecordedConfig {
  const words = new Map<string, number>();
  for (let i = 0; line.hasArgument(i); i += 1) {
    const [name, value] = line.argumentText(i).split('=');
    words.set(name!, Number(value));
  }
  const word = (name: string, otherwise: number, most: number) => {
    const value = words.get(name) ?? otherwise;
    if (!Number.isInteger(value) || value < 0 || value > most) throw line.wrong('args', `${name}= from 0 to ${most}`);
    return value;
  };
  const first = regions[0];
  if (first === undefined) throw new RecordingError(line.number, '"boot" before a region of memory');
  const carvedPages = word('carve', 0, first.bytes / 2 ** pageShift);
  return {
    kind: 'pkvm',
    pageShift,
    ipaBits: PARANGE_BITS[word('parange', 2, PARANGE_BITS.length - 1)]!,
    fwb: word('fwb', 1, 1) === 1,
    tlbRange: word('range', 1, 1) === 1,
    pkvm: { regions, carvedPages, poolPages: word('pool', 0, carvedPages), coalesce: 'none' },
  };
}

/** What an operation line asks of the hypervisor. @throws RecordingError for an operation that is not known */
export function hypervisorCommand(line: GoldenLine, pageBytes: number): CommandFields {
  const pages = (i: number) => line.argument(i) * pageBytes;
  const guest = () => {
    const vmid = line.argument(0);
    if (vmid < 1 || vmid > VMID_MAX) throw line.wrong('args', `a guest from 1 to ${VMID_MAX}`);
    return vmid;
  };
  const ofGuest = () => ({ vmid: guest(), ipa: pages(1) });
  const range = () => ({ pa: pages(0), bytes: pages(1) });
  switch (line.text('name')) {
    case 'host_fault':
      return { kind: COMMAND.hostFault, pa: line.argument(0) };
    case 'host_leaf':
      return { kind: COMMAND.hostLeaf, pa: line.argument(0) };
    case 'share_hyp':
      return { kind: COMMAND.hostShareHyp, pa: pages(0) };
    case 'unshare_hyp':
      return { kind: COMMAND.hostUnshareHyp, pa: pages(0) };
    case 'donate_hyp':
      return { kind: COMMAND.hostDonateHyp, ...range() };
    case 'hyp_donate_host':
      return { kind: COMMAND.hypDonateHost, ...range() };
    case 'share_ffa':
      return { kind: COMMAND.hostShareFfa, ...range() };
    case 'unshare_ffa':
      return { kind: COMMAND.hostUnshareFfa, ...range() };
    case 'vm_init':
      return { kind: COMMAND.guestInit, vmid: guest(), protected: line.argument(1), ipaBits: line.argument(2), pa: pages(3) };
    case 'topup':
      return { kind: COMMAND.topUpMemcache, vmid: guest(), pa: pages(1), bytes: pages(2) };
    case 'donate_guest':
      return { kind: COMMAND.hostDonateGuest, vmid: guest(), pa: pages(1), ipa: pages(2) };
    case 'share_guest':
      return { kind: COMMAND.hostShareGuest, vmid: guest(), pa: pages(1), ipa: pages(2), bytes: pages(3), prot: permissions(line, 4) };
    case 'unshare_guest':
      return { kind: COMMAND.hostUnshareGuest, ...ofGuest(), bytes: pages(2) };
    case 'reclaim':
      return { kind: COMMAND.hostReclaim, ...ofGuest() };
    case 'force_reclaim':
      return { kind: COMMAND.hostForceReclaim, vmid: guest(), pa: line.argument(1) };
    case 'guest_share_host':
      return { kind: COMMAND.guestShareHost, ...ofGuest() };
    case 'guest_unshare_host':
      return { kind: COMMAND.guestUnshareHost, ...ofGuest() };
    case 'relax_guest':
      return { kind: COMMAND.relaxGuest, ...ofGuest(), prot: permissions(line, 2) };
    case 'wrprotect_guest':
      return { kind: COMMAND.wrprotectGuest, ...ofGuest(), bytes: pages(2) };
    case 'young_guest':
      return { kind: COMMAND.youngGuest, ...ofGuest(), bytes: pages(2), makeOld: line.argument(3) };
    case 'mkyoung_guest':
      return { kind: COMMAND.mkyoungGuest, ...ofGuest() };
    case 'vm_destroy':
      return { kind: COMMAND.guestDestroy, vmid: guest() };
    default:
      throw new RecordingError(line.number, `the operation "${line.text('name')}" is not known`);
  }
}

function permissions(line: GoldenLine, i: number): number {
  let prot = 0;
  for (const letter of line.argumentText(i)) {
    const bit = PROT_LETTERS[letter];
    if (bit === undefined) throw line.wrong(`args[${i}]`, 'permissions of the letters r, w and x');
    prot |= bit;
  }
  return prot;
}
