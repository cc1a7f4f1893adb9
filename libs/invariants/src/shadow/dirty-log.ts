/** Pages of one piece of a memslot's bitmap: 4 KiB of bits. */
const CHUNK_PAGES = 2 ** 15;
/** Most pages of a memslot. @source Linux KVM_MEM_MAX_NR_PAGES */
const PAGES_MAX = 2 ** 31 - 1;
/** Most memslots of a machine. @source Linux KVM_USER_MEM_SLOTS */
const MEMSLOTS_MAX = 32_767;

/** A memslot and its dirty bitmap, whose pieces are made when they are first written. */
export class DirtyBitmap {
  readonly id: number;
  readonly ipa: number;
  readonly end: number;
  readonly pages: number;
  /** The guest may not write to it. */
  readonly readOnly: boolean;
  logging = false;
  /** When logging began. */
  startedAt = -1;
  /** Actor whose operation that switches logging on has not ended, -1 when there is none. */
  starter = -1;
  /** Whether pages of a piece that was never written are dirty: of all pieces, but not of those cleared whole. */
  private allSet = false;
  private wiped: Uint8Array | undefined = undefined;
  private chunks: (Uint32Array | undefined)[] = [];

  constructor(id: number, ipa: number, bytes: number, pageBytes: number, readOnly: boolean) {
    this.id = id;
    this.ipa = ipa;
    this.end = ipa + bytes;
    this.readOnly = readOnly;
    this.pages = Math.min(PAGES_MAX, Math.ceil(bytes / pageBytes));
  }

  /** Logging begins: all pages clean, or all dirty. */
  start(allSet: boolean, seq: number, starter: number): void {
    this.logging = true;
    this.startedAt = seq;
    this.starter = starter;
    this.allSet = allSet;
    this.wiped = undefined;
    this.chunks = [];
  }

  /** Logging ends and the bitmap goes. */
  stop(): void {
    this.logging = false;
    this.starter = -1;
    this.chunks = [];
  }

  /** Whether `page` is dirty. */
  has(page: number): boolean {
    const at = Math.floor(page / CHUNK_PAGES);
    const chunk = this.chunks[at];
    if (chunk === undefined) return this.untouched(at);
    const bit = page % CHUNK_PAGES;
    return (chunk[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  /** Makes `page` dirty. */
  set(page: number): void {
    if (page < 0 || page >= this.pages) return;
    const chunk = this.chunk(Math.floor(page / CHUNK_PAGES));
    const bit = page % CHUNK_PAGES;
    chunk[bit >>> 5]! |= 1 << (bit & 31);
  }

  /** Makes pages [from, to) clean. */
  clear(from: number, to: number): void {
    const end = Math.min(to, this.pages);
    for (let page = Math.max(0, from); page < end;) {
      const at = Math.floor(page / CHUNK_PAGES);
      const stop = Math.min(end, (at + 1) * CHUNK_PAGES);
      const whole = page === at * CHUNK_PAGES && (stop === page + CHUNK_PAGES || stop === this.pages);
      if (this.chunks[at] !== undefined) clearBits(this.chunks[at], page % CHUNK_PAGES, stop - at * CHUNK_PAGES);
      else if (this.untouched(at)) {
        if (whole) (this.wiped ??= new Uint8Array(Math.ceil(this.pages / CHUNK_PAGES)))[at] = 1;
        else clearBits(this.chunk(at), page % CHUNK_PAGES, stop - at * CHUNK_PAGES);
      }
      page = stop;
    }
  }

  private untouched(at: number): boolean {
    return this.allSet && (this.wiped === undefined || this.wiped[at] === 0);
  }

  private chunk(at: number): Uint32Array {
    let chunk = this.chunks[at];
    if (chunk === undefined) {
      const pages = Math.min(CHUNK_PAGES, this.pages - at * CHUNK_PAGES);
      chunk = new Uint32Array(Math.ceil(pages / 32));
      if (this.untouched(at)) chunk.fill(0xffff_ffff);
      this.chunks[at] = chunk;
    }
    return chunk;
  }
}

function clearBits(words: Uint32Array, from: number, to: number): void {
  let bit = from;
  for (; bit < to && (bit & 31) !== 0; bit++) words[bit >>> 5]! &= ~(1 << (bit & 31));
  for (; bit + 32 <= to; bit += 32) words[bit >>> 5] = 0;
  for (; bit < to; bit++) words[bit >>> 5]! &= ~(1 << (bit & 31));
}

/** Pages cleared by an operation that has not ended: its flush may be still to come. */
interface OpenClear {
  readonly memslot: DirtyBitmap;
  readonly from: number;
  readonly to: number;
  readonly actor: number;
}

/** Dirty logging of all memslots of a machine, folded from its events. */
export class DirtyLogs {
  private readonly pageBytes: number;
  private readonly memslots: DirtyBitmap[] = [];
  private opens: OpenClear[] = [];
  /** Memslots that log. */
  logging = 0;
  /** Whether any memslot ever existed. */
  known = false;

  constructor(pageBytes: number) {
    this.pageBytes = pageBytes;
  }

  /** The logging memslot that holds `ipa`, or undefined. */
  at(ipa: number): DirtyBitmap | undefined {
    if (this.logging === 0) return undefined;
    for (let i = 0; i < this.memslots.length; i++) {
      const memslot = this.memslots[i]!;
      if (memslot.logging && ipa >= memslot.ipa && ipa < memslot.end) return memslot;
    }
    return undefined;
  }

  /** The memslot that holds `ipa`, or undefined. */
  around(ipa: number): DirtyBitmap | undefined {
    for (let i = 0; i < this.memslots.length; i++) {
      const memslot = this.memslots[i]!;
      if (ipa >= memslot.ipa && ipa < memslot.end) return memslot;
    }
    return undefined;
  }

  /** Number of the page of `memslot` that holds `ipa`. */
  page(memslot: DirtyBitmap, ipa: number): number {
    return Math.floor((ipa - memslot.ipa) / this.pageBytes);
  }

  /** Whether write protection of `page` is still under way: logging is being switched on, or its bit is being cleared. */
  unsettled(memslot: DirtyBitmap, page: number): boolean {
    if (memslot.starter >= 0) return true;
    for (const open of this.opens) if (open.memslot === memslot && page >= open.from && page < open.to) return true;
    return false;
  }

  /** Calls `see` with the pages whose logging the operation of `actor` began, and with those whose bits it cleared. */
  eachUnsettled(actor: number, see: (memslot: DirtyBitmap, from: number, to: number) => void): void {
    for (const memslot of this.memslots) if (memslot.starter === actor) see(memslot, 0, memslot.pages);
    for (const open of this.opens) if (open.actor === actor) see(open.memslot, open.from, open.to);
  }

  /** A memslot was created, perhaps read-only, perhaps with logging on. */
  create(id: number, ipa: number, bytes: number, readOnly: boolean, logs: boolean, seq: number): void {
    this.delete(id);
    this.known = true;
    if (this.memslots.length >= MEMSLOTS_MAX) return;
    const memslot = new DirtyBitmap(id, ipa, bytes, this.pageBytes, readOnly);
    this.memslots.push(memslot);
    if (!logs) return;
    memslot.start(false, seq, -1);
    this.logging += 1;
  }

  /** A memslot is gone. */
  delete(id: number): void {
    const at = this.memslots.findIndex((memslot) => memslot.id === id);
    if (at < 0) return;
    if (this.memslots[at]!.logging) this.logging -= 1;
    this.memslots.splice(at, 1)[0]!.stop();
  }

  /** Logging of a memslot begins; `starter` is the actor whose operation will end when the memslot is write-protected, or -1. */
  start(id: number, allSet: boolean, seq: number, starter: number): void {
    const memslot = this.byId(id);
    if (memslot === undefined) return;
    if (!memslot.logging) this.logging += 1;
    memslot.start(allSet, seq, starter);
  }

  /** Logging of a memslot ended. */
  stop(id: number): void {
    const memslot = this.byId(id);
    if (memslot === undefined || !memslot.logging) return;
    this.logging -= 1;
    memslot.stop();
  }

  /** Bits of [ipa, ipa + bytes) were taken and cleared by `actor`, inside an operation (`open`) or at once. */
  clear(id: number, ipa: number, bytes: number, actor: number, open: boolean): void {
    const memslot = this.byId(id);
    if (memslot === undefined || !memslot.logging) return;
    const from = this.page(memslot, ipa);
    const to = Math.ceil((ipa + bytes - memslot.ipa) / this.pageBytes);
    memslot.clear(from, to);
    if (open && this.opens.length < MEMSLOTS_MAX) this.opens.push({ memslot, from, to, actor });
  }

  /** The page at `ipa` became dirty. */
  dirty(id: number, ipa: number): void {
    const memslot = this.byId(id);
    if (memslot !== undefined && memslot.logging) memslot.set(this.page(memslot, ipa));
  }

  /** An operation of `actor` ended: what it write-protected is flushed. */
  settle(actor: number): void {
    if (this.opens.length > 0) this.opens = this.opens.filter((open) => open.actor !== actor);
    if (this.logging === 0) return;
    for (const memslot of this.memslots) if (memslot.starter === actor) memslot.starter = -1;
  }

  private byId(id: number): DirtyBitmap | undefined {
    return this.memslots.find((memslot) => memslot.id === id);
  }
}
