import type { StateWords } from './state-words.ts';

/** Order of a page that heads no free block. */
const NO_ORDER = -1;
/** Largest block that the hypervisor keeps, as the power of two of its pages. @source Linux MAX_PAGE_ORDER */
const ORDER_MAX = 10;

/**
 * The hypervisor's page allocator: a buddy system over [first, first + pages), pages numbered by frame of physical memory. Pages from
 * elsewhere that are freed into it stay single. Blocks are taken from the front of their list and put to its end.
 * @source Linux 7.2 arch/arm64/kvm/hyp/nvhe/page_alloc.c __hyp_attach_page(), __hyp_extract_page(), hyp_alloc_pages(), hyp_pool_init()
 */
export class HypPool {
  private readonly first: number;
  private readonly end: number;
  private readonly orderMax: number;
  /** Free blocks by order, oldest first. */
  private readonly free: number[][] = [];
  /** Order of each free block by its first page. */
  private readonly orders = new Map<number, number>();

  /** @param pages how many; all of them are free when `free`, else they are in use and come by `put` */
  constructor(first: number, pages: number, free: boolean) {
    this.first = first;
    this.end = first + pages;
    this.orderMax = Math.min(ORDER_MAX, Math.ceil(Math.log2(Math.max(1, pages))));
    for (let order = 0; order <= ORDER_MAX; order += 1) this.free.push([]);
    if (free) for (let page = first; page < this.end; page += 1) this.put(page);
  }

  /** Takes 2^order pages; the number of the first one, -1 when there is no such block. */
  take(order: number): number {
    let from = order;
    while (from <= ORDER_MAX && this.free[from]!.length === 0) from += 1;
    if (from > ORDER_MAX) return NO_ORDER;
    const page = this.free[from]!.shift()!;
    this.orders.delete(page);
    for (let half = from - 1; half >= order; half -= 1) this.insert(page + 2 ** half, half);
    return page;
  }

  /** Gives one page back. */
  put(page: number): void {
    let block = page;
    let order = 0;
    if (page >= this.first && page < this.end) {
      for (; order + 1 <= this.orderMax; order += 1) {
        const buddy = buddyOf(block, order);
        if (buddy < this.first || buddy >= this.end || this.orders.get(buddy) !== order) break;
        this.orders.delete(buddy);
        this.free[order]!.splice(this.free[order]!.indexOf(buddy), 1);
        block = Math.min(block, buddy);
      }
    }
    this.insert(block, order);
  }

  /** Writes the free blocks. */
  save(into: StateWords): void {
    into.putWide(this.first);
    into.putWide(this.end);
    for (const blocks of this.free) {
      into.put(blocks.length);
      for (const block of blocks) into.putWide(block);
    }
  }

  /** The pool that `save` wrote. */
  static load(from: StateWords): HypPool {
    const first = from.getWide();
    const pool = new HypPool(first, from.getWide() - first, false);
    for (let order = 0; order <= ORDER_MAX; order += 1) {
      for (let left = from.get(); left > 0; left -= 1) pool.insert(from.getWide(), order);
    }
    return pool;
  }

  private insert(block: number, order: number): void {
    this.orders.set(block, order);
    this.free[order]!.push(block);
  }
}

/** The other half of the block of twice the size. Page numbers go beyond 32 bits. */
function buddyOf(block: number, order: number): number {
  const pages = 2 ** order;
  return (block / pages) % 2 === 0 ? block + pages : block - pages;
}
