import { HypPool } from './hyp-pool.ts';
import type { StateWords } from './state-words.ts';

/** Page allocation of one guest: its pool of root pages, and the cache that the host fills with donated pages. */
interface GuestPages {
  readonly pool: HypPool;
  /** Addresses of the pages in the cache; the last one goes first. */
  readonly memcache: number[];
}

/**
 * Where the hypervisor of pKVM takes table pages from and where they go back: the host's pool, the guests' pools and caches. Decides
 * addresses and is no state of the tables: a table page has a frame (its name in events) and here the address of its page.
 * @source Linux 7.2 nvhe/mem_protect.c host_s2_zalloc_page(), guest_s2_zalloc_page(), guest_s2_put_page()
 */
export class Hypervisor {
  private readonly pageBytes: number;
  private hostPool: HypPool | undefined;
  private readonly guests = new Map<number, GuestPages>();
  /** Address of the page behind each frame. */
  readonly frameAddresses: number[] = [];

  constructor(pageBytes: number) {
    this.pageBytes = pageBytes;
  }

  /** Writes pools and caches, and the addresses behind the frames unless they go with their pages. */
  save(into: StateWords, addresses: boolean): void {
    into.put(this.hostPool === undefined ? 0 : 1);
    this.hostPool?.save(into);
    into.put(this.guests.size);
    for (const [vmid, { pool, memcache }] of this.guests) {
      into.put(vmid);
      pool.save(into);
      putPages(memcache, into);
    }
    if (addresses) putPages(this.frameAddresses, into);
  }

  /** Reads what `save` wrote. */
  load(from: StateWords, addresses: boolean): void {
    this.hostPool = from.get() === 0 ? undefined : HypPool.load(from);
    this.guests.clear();
    for (let left = from.get(); left > 0; left -= 1) {
      const vmid = from.get();
      const pool = HypPool.load(from);
      this.guests.set(vmid, { pool, memcache: getPages([], from) });
    }
    if (addresses) getPages(this.frameAddresses, from);
  }

  /** The host's table pages come from `pages` pages at `base`. */
  giveHostPool(base: number, pages: number): void {
    this.hostPool = new HypPool(base / this.pageBytes, pages, true);
  }

  /** A guest's root pages come from `pages` pages at `base`, its other tables from its cache. */
  addGuest(vmid: number, base: number, pages: number): void {
    const memcache = this.guests.get(vmid)?.memcache ?? [];
    this.guests.set(vmid, { pool: new HypPool(base / this.pageBytes, pages, true), memcache });
  }

  /** The guest is gone with all its pages. */
  removeGuest(vmid: number): void {
    this.guests.delete(vmid);
  }

  /** Takes 2^order pages of the pool of stage-2 `vmid`; the address of the first one, -1 when there are none. */
  takeFromPool(vmid: number, order: number): number {
    const pool = vmid === 0 ? this.hostPool : this.guests.get(vmid)?.pool;
    const page = pool === undefined ? -1 : pool.take(order);
    return page < 0 ? -1 : page * this.pageBytes;
  }

  /** Takes the page that came last into a guest's cache, -1 when it is empty. */
  popMemcache(vmid: number): number {
    return this.guests.get(vmid)?.memcache.pop() ?? -1;
  }

  /** Puts a page into a guest's cache. */
  pushMemcache(vmid: number, pa: number): void {
    this.guests.get(vmid)?.memcache.push(pa);
  }

  /** Pages in a guest's cache. */
  memcachePages(vmid: number): number {
    return this.guests.get(vmid)?.memcache.length ?? 0;
  }

  /** Takes a page for a table of stage-2 `vmid`: from the pool, for a guest else from its cache; -1 when there is none. */
  takeTablePage(vmid: number): number {
    const page = this.takeFromPool(vmid, 0);
    return page >= 0 || vmid === 0 ? page : this.popMemcache(vmid);
  }

  /** The table page in `frame` goes back to the pool of its stage-2. */
  putTablePage(vmid: number, frame: number): void {
    const pool = vmid === 0 ? this.hostPool : this.guests.get(vmid)?.pool;
    pool?.put(this.frameAddresses[frame]! / this.pageBytes);
  }
}

function putPages(pages: readonly number[], into: StateWords): void {
  into.put(pages.length);
  // A frame that no page was given for has none.
  for (let i = 0; i < pages.length; i += 1) into.putWide(pages[i] ?? 0);
}

function getPages(pages: number[], from: StateWords): number[] {
  pages.length = 0;
  for (let left = from.get(); left > 0; left -= 1) pages.push(from.getWide());
  return pages;
}
