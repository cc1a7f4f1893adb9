import type { Command } from '@s2lab/engine';
import { GUEST_MEMORY_IPA } from './parse-scenario.ts';
import type { MachineSpec } from './scenario-schema.ts';

/** PA and HVA of the first byte of guest memory: congruent to its IPA modulo 1 GiB, so that every block size fits. */
const GUEST_MEMORY_PA = 2 ** 32;
const GUEST_MEMORY_HVA = 0x7f00_0000_0000;
const PAGES_PER_WORD = 64;

/** Where the memory of a generated workload lies: one run of IPAs from 1 GiB on, divided evenly into memslots. */
export class GuestLayout {
  readonly pageBytes: number;
  readonly pages: number;
  readonly bytes: number;
  readonly slots: number;
  readonly slotBytes: number;
  readonly slotPages: number;
  /** 64-page words of the dirty log of one memslot. */
  readonly slotWords: number;
  private readonly thp: number;
  private readonly vmaShift: number;

  constructor(spec: MachineSpec) {
    this.pageBytes = 2 ** spec.pageShift;
    this.bytes = spec.memoryBytes;
    this.pages = spec.memoryBytes / this.pageBytes;
    this.slots = spec.memslots;
    this.slotBytes = spec.memoryBytes / spec.memslots;
    this.slotPages = this.pages / spec.memslots;
    this.slotWords = Math.ceil(this.slotPages / PAGES_PER_WORD);
    this.thp = spec.thp;
    this.vmaShift = spec.hugetlb === undefined ? spec.pageShift : Math.log2(spec.hugetlb);
  }

  /** IPA of page `page` of guest memory. */
  ipaOf(page: number): number {
    return GUEST_MEMORY_IPA + page * this.pageBytes;
  }

  /** Fills in where memslot `slot` lies and what backs it. */
  describeSlot(slot: number, command: Command): void {
    const offset = slot * this.slotBytes;
    command.memslot = slot;
    command.ipa = GUEST_MEMORY_IPA + offset;
    command.bytes = this.slotBytes;
    command.pa = GUEST_MEMORY_PA + offset;
    command.hva = GUEST_MEMORY_HVA + offset;
    command.vmaShift = this.vmaShift;
    command.thp = this.thp;
  }
}
