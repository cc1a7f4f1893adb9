import { COMPONENT, PAGE_STATE } from '@s2lab/events';

/** A guest that has a page, and in which PAGE_STATE. */
interface GuestPage {
  readonly stage2: number;
  readonly state: number;
}

/** Who has one page of memory, as far as it is not the host alone. */
interface PageRecord {
  host: number;
  hyp: number;
  readonly guests: GuestPage[];
  /** The host took it back by FF-A while it was lent to somebody else. */
  recalled: boolean;
  /** It holds what a guest left in it, who had it alone. */
  secret: boolean;
  /** And the host got it so. */
  leaked: boolean;
}

/** What is wrong with a page. */
export interface OwnershipProblem {
  readonly page: number;
  readonly because: string;
}

const { owned, sharedOwned, sharedBorrowed, none } = PAGE_STATE;

/**
 * Who owns and who borrows each page of a pKVM machine: what the hypervisor noted for the host and for itself, and what the guests' leaves
 * say. Grows with the pages that are not the host's alone.
 */
export class PageOwners {
  private readonly pageBytes: number;
  private readonly records = new Map<number, PageRecord>();

  constructor(pageBytes: number) {
    this.pageBytes = pageBytes;
  }

  /** `component` has [pa, pa + bytes) in `state` now. */
  note(component: number, pa: number, bytes: number, state: number): void {
    this.each(pa, bytes, (record) => {
      if (component !== COMPONENT.host) record.hyp = state;
      else {
        if (record.host === none && state === owned && record.secret) record.leaked = true;
        record.host = state;
      }
    });
  }

  /** A guest's leaf maps [pa, pa + bytes) in `state` now. */
  map(stage2: number, pa: number, bytes: number, state: number): void {
    this.each(pa, bytes, (record) => {
      record.guests.push({ stage2, state });
      record.secret = state === owned;
    });
  }

  /** [pa, pa + bytes) holds zeros now. */
  wipe(pa: number, bytes: number): void {
    this.each(pa, bytes, (record) => {
      record.secret = false;
    });
  }

  /** PAGE_STATE of the page at `pa` for `component`, host or hypervisor. */
  state(component: number, pa: number): number {
    const record = this.records.get(Math.floor(pa / this.pageBytes));
    if (component === COMPONENT.host) return record?.host ?? owned;
    return record?.hyp ?? none;
  }

  /** A leaf of the guest that mapped [pa, pa + bytes) is gone. */
  unmap(stage2: number, pa: number, bytes: number): void {
    this.each(pa, bytes, ({ guests }) => {
      const i = guests.findIndex((guest) => guest.stage2 === stage2);
      if (i >= 0) guests.splice(i, 1);
    });
  }

  /**
   * The host takes back by FF-A what it had shared. FF-A does not know with whom: what guests and hypervisor have borrowed of these pages is left
   * over, and no note of it can be trusted from now on.
   */
  recall(pa: number, bytes: number): void {
    this.each(pa, bytes, (record) => {
      const borrowed = record.hyp === sharedBorrowed || record.guests.some(({ state }) => state === sharedBorrowed);
      if (borrowed) record.recalled = true;
    });
  }

  /** The guest is gone. */
  forget(stage2: number): void {
    for (const { guests } of this.records.values())
      for (let i = guests.length - 1; i >= 0; i--) if (guests[i]!.stage2 === stage2) guests.splice(i, 1);
  }

  /** The first page of [pa, pa + bytes) with something wrong; `mapped` says whether the host's stage-2 maps an address. */
  problem(pa: number, bytes: number, mapped: (address: number) => boolean): OwnershipProblem | undefined {
    const first = pa / this.pageBytes;
    const end = first + bytes / this.pageBytes;
    // Pages without a record are the host's alone: nothing can be wrong with them.
    if (end - first > this.records.size) {
      for (const [page, record] of this.records) {
        const because = page >= first && page < end ? this.judge(page, record, mapped) : undefined;
        if (because !== undefined) return { page: page * this.pageBytes, because };
      }
      return undefined;
    }
    for (let page = first; page < end; page++) {
      const record = this.records.get(page);
      const because = record === undefined ? undefined : this.judge(page, record, mapped);
      if (because !== undefined) return { page: page * this.pageBytes, because };
    }
    return undefined;
  }

  private judge(page: number, record: PageRecord, mapped: (address: number) => boolean): string | undefined {
    const { host, hyp, guests, recalled, leaked } = record;
    const owns = (state: number): boolean => state === owned || state === sharedOwned;
    const owners = [
      ...(owns(host) ? ['the host'] : []),
      ...(owns(hyp) ? ['the hypervisor'] : []),
      ...guests.filter(({ state }) => owns(state)).map(({ stage2 }) => `guest ${stage2}`),
    ];
    if (owners.length > 1) return `it belongs to ${owners.join(' and to ')}`;
    if (host === none && mapped(page * this.pageBytes)) return `the host can reach it although it belongs to ${owners[0] ?? 'nobody'}`;
    if (leaked) {
      record.leaked = false;
      record.secret = false;
      return 'it went back to the host with what the guest had in it';
    }
    if (recalled) return undefined;
    const fromHost = guests.find(({ state }) => state === sharedBorrowed);
    if (fromHost !== undefined && host !== sharedOwned) return `guest ${fromHost.stage2} borrows it from the host, which does not share it`;
    if (hyp === sharedBorrowed && host !== sharedOwned) return 'the hypervisor borrows it from the host, which does not share it';
    if (host === sharedBorrowed && hyp !== sharedOwned && !guests.some(({ state }) => state === sharedOwned))
      return 'the host borrows it, but nobody shares it';
    return undefined;
  }

  private each(pa: number, bytes: number, change: (record: PageRecord) => void): void {
    const first = Math.floor(pa / this.pageBytes);
    for (let page = first; page < first + bytes / this.pageBytes; page++) {
      let record = this.records.get(page);
      if (record === undefined) {
        record = { host: owned, hyp: none, guests: [], recalled: false, secret: false, leaked: false };
        this.records.set(page, record);
      }
      change(record);
      if (record.host === owned && record.hyp === none && record.guests.length === 0 && !record.recalled && !record.leaked)
        this.records.delete(page);
    }
  }
}
