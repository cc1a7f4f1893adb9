import type { EventRows } from '@s2lab/events';
import { COMPONENT, K, LINK_CAUSE, PAGE_STATE, UNLINK_CAUSE, wide } from '@s2lab/events';

/** Counters of a page tally. */
export const PAGE_COUNTS = { blocksBroken: 0, blocksCoalesced: 1, transfers: 2 } as const;

/** What may happen to a page between two components, in the order of the counters; each has a counter for every pair of COMPONENT. */
export const TRANSFERS = ['donated', 'shared', 'unshared', 'reclaimed'] as const;

const COMPONENTS = Object.keys(COMPONENT).length;
const PAIRS = COMPONENTS * COMPONENTS;
const STATES = Object.keys(PAGE_STATE).length;
/** VMID of the host's stage-2. */
const HOST = 0;
const KIND_OF: Readonly<Record<number, number>> = {
  [K.pageDonated]: 0,
  [K.pageShared]: 1,
  [K.pageUnshared]: 2,
  [K.pageReclaimed]: 3,
};

/** Numbers in a page tally's `counts`. */
export const PAGE_COUNT_TOTAL = PAGE_COUNTS.transfers + TRANSFERS.length * PAIRS;

/** Place of a transfer's counter. */
export function transferAt(transfer: number, from: number, to: number): number {
  return PAGE_COUNTS.transfers + transfer * PAIRS + from * COMPONENTS + to;
}

/** What a pKVM machine does with pages and with the blocks of its host: counters, and how many pages are in which state now. */
export class PageTally {
  readonly counts = new Float64Array(PAGE_COUNT_TOTAL);
  /** Pages by COMPONENT (host, hypervisor) × PAGE_STATE. */
  readonly states = new Float64Array(2 * STATES);
  guests = 0;
  private hypervised = false;
  private pageBytes = 4096;

  /** The machine began, with pages of so many bytes. */
  start(pageBytes: number): void {
    this.pageBytes = pageBytes;
  }

  /** Folds one row; rows that are not about pages change nothing. */
  fold(rows: EventRows, i: number, code: number): void {
    switch (code) {
      case K.memoryRegionAdded: {
        const pages = wide(rows.old, i) / this.pageBytes;
        this.hypervised = true;
        this.states[stateAt(COMPONENT.host, PAGE_STATE.owned)]! += pages;
        this.states[stateAt(COMPONENT.hyp, PAGE_STATE.none)]! += pages;
        break;
      }
      case K.pageStateChanged: {
        const pages = wide(rows.old, i) / this.pageBytes;
        const component = rows.arg[i]! & 1;
        this.states[stateAt(component, rows.level[i]! & 3)]! -= pages;
        this.states[stateAt(component, rows.aux[i]! & 3)]! += pages;
        break;
      }
      case K.pageDonated:
      case K.pageShared:
      case K.pageUnshared:
        this.transfer(rows, i, KIND_OF[code]!, rows.arg[i]! % COMPONENTS, rows.aux[i]! % COMPONENTS);
        break;
      case K.pageReclaimed:
        this.transfer(rows, i, KIND_OF[code]!, COMPONENT.guest, COMPONENT.host);
        break;
      case K.guestCreated:
        this.guests += 1;
        break;
      case K.guestDestroyed:
        this.guests -= 1;
        break;
      case K.tableLinked:
        if (this.hypervised && rows.stage2[i] === HOST && rows.aux[i] === LINK_CAUSE.split) this.counts[PAGE_COUNTS.blocksBroken]! += 1;
        break;
      case K.tableUnlinked:
        if (this.hypervised && rows.stage2[i] === HOST && rows.aux[i] === UNLINK_CAUSE.collapse)
          this.counts[PAGE_COUNTS.blocksCoalesced]! += 1;
        break;
      default:
    }
  }

  private transfer(rows: EventRows, i: number, transfer: number, from: number, to: number): void {
    this.counts[transferAt(transfer, from, to)]! += wide(rows.old, i) / this.pageBytes;
  }
}

/** Place of the pages that `component` has in `state`. */
export function stateAt(component: number, state: number): number {
  return component * STATES + state;
}
