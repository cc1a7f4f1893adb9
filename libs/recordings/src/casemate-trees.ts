import { HI_SOFTWARE, HI_XN, LO_ACCESSED, LO_READ, LO_WRITE } from '@s2lab/arch';
import type { EventRows } from '@s2lab/events';
import { DSB, K, TLBI, wide } from '@s2lab/events';
import type { CasemateLines } from './casemate-lines.ts';
import { digits } from './casemate-lines.ts';
import { CasemateExportError } from './casemate-export-error.ts';

const PAGE_BYTES = 4096;
const TWO_32 = 0x1_0000_0000;
const THREADS = 4;
/** Where pages lie that the log does not have: levels above a concatenated root, and the root that a thread loads when its own goes away. */
const MADE_UP_BASE = 0x7f00_0000_0000;
/** Where table pages lie when no link ever says so. */
const DEFAULT_TABLE_BASE = 0x7000_0000_0000;
/** Bit of a stage-2's features: 52-bit descriptors. */
const LPA2 = 4;
/** DBM, bit 51. */
const HI_DBM = 0x0008_0000;
/** VMID of the root that is loaded instead of one that goes away. */
const IDLE_VMID = 0xffff;
/** Lock of every tree: one, which passes from actor to actor. */
const LOCK = '7e0000000000';

interface Page {
  /** Page frame of the table that leads here, -1 = none. */
  parent: number;
  root: boolean;
  /** It was part of a tree once, and is not any more. */
  cutOff: boolean;
}

interface Tree {
  readonly stage2: number;
  readonly frame: number;
  readonly rootPages: number;
  /** Address that VTTBR_EL2 names, and pages made up above the log's root pages. */
  readonly base: number;
  readonly madeUp: readonly number[];
}

/** An entry that an actor made invalid, as far as the actor has invalidated its translations. */
interface Broken {
  readonly actor: number;
  readonly stage2: number;
  /** Input addresses that it translated: [ipa, ipa + bytes). */
  readonly ipa: number;
  readonly bytes: number;
  /** The table that holds it. */
  readonly table: number;
  /** The table that the entry led to, -1 = it was a leaf. */
  readonly child: number;
  /** Clean by Arm's rules when `all issued` and a DSB followed. */
  progress: 'stored' | 'visible' | 'issued' | 'stage 2 done' | 'all issued' | 'clean';
  /** A store that casemate is told only when all leaves that the actor broke before are clean; undefined = it was told. */
  untold: { readonly address: string; readonly value: string } | undefined;
  /** What has happened to the page of an untold table since. */
  page: 'kept' | 'freed' | 'allocated again';
}

/**
 * Tells casemate what happens to the trees of one machine of ours. Where casemate knows less than Arm, it is told something that is
 * right by Arm exactly when the log is (docs/adr/0032): no parallel writers, no range TLBIs, no concatenated roots, table entries cleaned by
 * VMID and after what lies below them.
 */
export class TreeTrace {
  /** Physical address of table page 0; NaN = not known yet. */
  tableBase = NaN;
  private readonly lines: CasemateLines;
  private readonly pages = new Map<number, Page>();
  private trees: Tree[] = [];
  private broken: Broken[] = [];
  private holder = -1;
  private readonly loaded = [-1, -1, -1, -1];
  private idle = -1;
  private madeUp = 0;

  constructor(lines: CasemateLines) {
    this.lines = lines;
  }

  /** Row `i` of `rows`, in the order of the machine. @throws CasemateExportError */
  event(rows: EventRows, i: number): void {
    switch (rows.kind[i]!) {
      case K.machineStarted:
        if (rows.aux[i] !== 12)
          throw new CasemateExportError(`casemate follows tables of 4 KiB only; this machine's are of ${2 ** (rows.aux[i]! - 10)} KiB`);
        return;
      case K.stage2Created:
        this.create(rows, i);
        return;
      case K.stage2Destroyed:
        this.destroy(rows.table[i]!);
        return;
      case K.tableAllocated:
      case K.tableReused:
        this.allocate(this.thread(rows, i), rows.table[i]!);
        return;
      case K.tableFreed:
        this.free(this.thread(rows, i), rows.table[i]!);
        return;
      case K.descriptorStored:
      case K.descriptorReleased:
      case K.descriptorSwapped:
      case K.descriptorHardwareUpdated:
        this.store(rows, i);
        return;
      case K.tlbiIssued:
        this.invalidate(rows, i);
        return;
      case K.dsbCompleted:
        this.barrier(rows, i);
        return;
      default:
        return;
    }
  }

  private thread(rows: EventRows, i: number): number {
    return rows.actor[i]! % THREADS;
  }

  private address(frame: number): number {
    if (Number.isNaN(this.tableBase)) this.tableBase = DEFAULT_TABLE_BASE;
    return this.tableBase + frame * PAGE_BYTES;
  }

  private allocate(thread: number, frame: number): void {
    const untold = this.untold(frame);
    if (untold !== undefined) {
      untold.page = 'allocated again';
      this.pages.set(frame, { parent: -1, root: false, cutOff: false });
      return;
    }
    const address = this.address(frame).toString(16);
    if (this.pages.has(frame)) this.lines.about('mem-free', thread, address, '1000');
    this.lines.about('mem-init', thread, address, '1000');
    this.pages.set(frame, { parent: -1, root: false, cutOff: false });
  }

  private free(thread: number, frame: number): void {
    if (!this.pages.delete(frame)) return;
    const untold = this.untold(frame);
    if (untold !== undefined && untold.progress === 'clean') {
      untold.page = 'freed';
      return;
    }
    // Freed before its own flush is complete: told at once, so that casemate sees it.
    if (untold !== undefined) this.tell(thread, untold);
    this.lines.about('mem-free', thread, this.address(frame).toString(16), '1000');
  }

  /** A page that the log does not have. */
  private makeUp(): number {
    const address = MADE_UP_BASE + this.madeUp * PAGE_BYTES;
    this.madeUp += 1;
    this.lines.about('mem-init', 0, address.toString(16), '1000');
    return address;
  }

  private create(rows: EventRows, i: number): void {
    const [frame, startLevel, rootPages, features, ipaBits] = [rows.table[i]!, rows.level[i]!, rows.arg[i]!, rows.aux[i]!, rows.slot[i]!];
    if ((features & LPA2) !== 0 || ipaBits > 48 || startLevel < 0 || startLevel > 2 || rootPages > 16)
      throw new CasemateExportError(`casemate follows input addresses of at most 48 bits, without LPA2; this machine's have ${ipaBits}`);
    const thread = this.thread(rows, i);
    for (let n = 0; n < rootPages; n++) {
      if (!this.pages.has(frame + n)) this.allocate(thread, frame + n);
      this.pages.get(frame + n)!.root = true;
    }
    // Tables above the root pages, so that the tree begins at level 0: a concatenated root is what such tables lead to.
    const madeUp: number[] = [];
    for (let level = startLevel - 1; level >= 0; level--) {
      const page = this.makeUp();
      const below = level === startLevel - 1 ? Array.from({ length: rootPages }, (_, n) => this.address(frame + n)) : [madeUp.at(-1)!];
      below.forEach((address, n) => this.lines.write(thread, (page + 8 * n).toString(16), tableTo(address), 'plain'));
      madeUp.push(page);
    }
    const base = madeUp.at(-1) ?? this.address(frame);
    const tree: Tree = { stage2: rows.stage2[i]!, frame, rootPages, base, madeUp };
    this.trees.push(tree);
    this.lines.hint(thread, 'set_root_lock', base.toString(16), LOCK);
    this.load(thread, tree);
  }

  /** Makes the thread's TLBIs concern the VMID of `tree`. */
  private load(thread: number, tree: Tree): void {
    if (this.loaded[thread] === tree.base) return;
    this.lines.register(thread, 'vttbr_el2', vttbr(tree.base, tree.stage2));
    this.loaded[thread] = tree.base;
  }

  private destroy(frame: number): void {
    const tree = this.trees.find((each) => each.frame === frame);
    if (tree === undefined) return;
    this.trees = this.trees.filter((each) => each !== tree);
    this.broken = this.broken.filter(({ stage2 }) => stage2 !== tree.stage2);
    if (this.loaded.includes(tree.base) && this.idle < 0) this.idle = this.makeUp();
    this.loaded.forEach((base, thread) => {
      if (base !== tree.base) return;
      this.lines.register(thread, 'vttbr_el2', vttbr(this.idle, IDLE_VMID));
      this.loaded[thread] = this.idle;
    });
    this.lines.hint(0, 'release_table', tree.base.toString(16), '0');
    for (const page of tree.madeUp) this.lines.about('mem-free', 0, page.toString(16), '1000');
    for (const [number, page] of this.pages) {
      if (number >= frame && number < frame + tree.rootPages) page.root = false;
    }
  }

  /** Passes the lock of all trees to `thread`. */
  private lock(thread: number): void {
    if (this.holder === thread) return;
    if (this.holder >= 0) this.lines.about('unlock', this.holder, LOCK);
    this.lines.about('lock', thread, LOCK);
    this.holder = thread;
  }

  private store(rows: EventRows, i: number): void {
    const page = this.pages.get(rows.table[i]!);
    if (page === undefined) return;
    const [oldLo, oldHi, newLo, newHi] = [rows.old[2 * i]!, rows.old[2 * i + 1]!, rows.new[2 * i]!, rows.new[2 * i + 1]!];
    const standing = this.standing(page);
    // Nothing that is to be cleaned is in a page that was cut off: casemate would take any store there for a change of a tree in use.
    if (standing === 'cut off') return;
    const thread = this.thread(rows, i);
    const address = (this.address(rows.table[i]!) + 8 * rows.slot[i]!).toString(16);
    const level = rows.level[i]!;
    if (standing === 'new') {
      this.lines.write(thread, address, digits(newLo, newHi), 'plain');
      this.link(rows.table[i]!, level, newLo, newHi);
      return;
    }
    this.lock(thread);
    const earlier = this.broken.find(({ untold }) => untold?.address === address);
    if (earlier !== undefined) this.tell(thread, earlier);
    const value = digits(rightsOnly(oldLo, oldHi, newLo, newHi) ? newLo | LO_ACCESSED : newLo, newHi);
    const breaks = (oldLo & 1) !== 0 && (newLo & 1) === 0;
    const child = isTable(oldLo, level) ? this.frameOf(oldLo, oldHi) : -1;
    const actor = rows.actor[i]!;
    const later = breaks && child >= 0 && this.broken.some((entry) => entry.actor === actor && this.isBelow(entry.table, child));
    if (!later) this.lines.write(thread, address, value, 'release');
    if (child >= 0) this.cut(child);
    this.link(rows.table[i]!, level, newLo, newHi);
    if (!breaks) return;
    const untold = later ? { address, value } : undefined;
    const bytes = PAGE_BYTES * 2 ** (9 * (3 - level));
    const ipa = Math.floor(wide(rows.ipa, i) / bytes) * bytes;
    const table = rows.table[i]!;
    this.broken.push({ actor, stage2: rows.stage2[i]!, ipa, bytes, table, child, progress: 'stored', untold, page: 'kept' });
  }

  /** Whether table page `frame` is, or hangs below, table page `above`. */
  private isBelow(frame: number, above: number): boolean {
    let at = frame;
    for (let depth = 0; depth < 5 && at >= 0; depth++) {
      if (at === above) return true;
      at = this.pages.get(at)?.parent ?? -1;
    }
    return false;
  }

  /** The untold break of the entry that led to table page `frame`. */
  private untold(frame: number): Broken | undefined {
    return this.broken.find(({ child, untold }) => child === frame && untold !== undefined);
  }

  /** Tells casemate a break that was held back. */
  private tell(thread: number, entry: Broken): void {
    const { address, value } = entry.untold!;
    entry.untold = undefined;
    this.lock(thread);
    this.lines.write(thread, address, value, 'release');
  }

  /** Whether a page is part of a tree, not part of one yet, or not any more. */
  private standing(page: Page): 'in use' | 'new' | 'cut off' {
    let at = page;
    for (let depth = 0; depth < 5; depth++) {
      if (at.root) return 'in use';
      if (at.cutOff) return 'cut off';
      const above = at.parent < 0 ? undefined : this.pages.get(at.parent);
      if (above === undefined) return 'new';
      at = above;
    }
    return 'new';
  }

  private link(parent: number, level: number, lo: number, hi: number): void {
    if (!isTable(lo, level)) return;
    const child = this.pages.get(this.frameOf(lo, hi));
    if (child !== undefined) child.parent = parent;
  }

  private cut(frame: number): void {
    const child = this.pages.get(frame);
    if (child !== undefined) child.cutOff = true;
  }

  private frameOf(lo: number, hi: number): number {
    return ((hi & 0xffff) * TWO_32 + ((lo & 0xffff_f000) >>> 0) - this.tableBase) / PAGE_BYTES;
  }

  private barrier(rows: EventRows, i: number): void {
    const domain = rows.arg[i];
    if (domain !== DSB.ish && domain !== DSB.ishst) return; // One of this core alone completes nothing that casemate follows.
    const thread = this.thread(rows, i);
    const own = this.broken.filter(({ actor }) => actor === rows.actor[i]);
    if (own.length > 0) this.lock(thread);
    this.lines.barrier(thread, domain === DSB.ish ? 'ish' : 'ishst');
    let tables = false;
    for (const entry of own) {
      if (entry.progress === 'stored') entry.progress = 'visible';
      else if (domain !== DSB.ish) continue;
      else if (entry.progress === 'issued') entry.progress = 'stage 2 done';
      else if (entry.progress === 'all issued') {
        entry.progress = 'clean';
        tables ||= entry.child >= 0 && entry.untold === undefined;
      }
    }
    if (domain !== DSB.ish) return;
    if (tables) this.flushAll(thread);
    this.broken = this.broken.filter(({ progress, untold }) => progress !== 'clean' || untold !== undefined);
    this.tellLate(rows.actor[i]!, thread);
  }

  /** Tells the breaks that waited for leaves to become clean, in order; the log has flushed them already. */
  private tellLate(actor: number, thread: number): void {
    const own = this.broken.filter((entry) => entry.actor === actor);
    for (const entry of own) {
      if (entry.progress !== 'clean') return;
      this.tell(thread, entry);
      this.lines.barrier(thread, 'ish');
      this.flushAll(thread);
      this.broken.splice(this.broken.indexOf(entry), 1);
      const address = this.address(entry.child).toString(16);
      if (entry.page !== 'kept') this.lines.about('mem-free', thread, address, '1000');
      if (entry.page === 'allocated again') this.lines.about('mem-init', thread, address, '1000');
    }
  }

  /** casemate cleans an entry that led to a table by this alone. */
  private flushAll(thread: number): void {
    this.lines.tlbi(thread, 'vmalls12e1is');
    this.lines.barrier(thread, 'ish');
  }

  private invalidate(rows: EventRows, i: number): void {
    const op = rows.arg[i]!;
    const tree = this.trees.find(({ stage2 }) => stage2 === rows.stage2[i]);
    // Those of one core complete nothing that casemate follows.
    if (tree === undefined || op === TLBI.ipas2e1 || op === TLBI.vmalle1) return;
    const thread = this.thread(rows, i);
    const own = this.broken.filter(({ actor, stage2 }) => actor === rows.actor[i] && stage2 === tree.stage2);
    if (own.length > 0) this.lock(thread);
    this.load(thread, tree);
    const from = wide(rows.ipa, i);
    switch (op) {
      case TLBI.ipas2e1is:
        this.lines.tlbi(thread, 'ipas2e1is', (from / PAGE_BYTES).toString(16));
        for (const entry of own) if (entry.progress === 'visible' && covers(entry, from, from + 1)) entry.progress = 'issued';
        return;
      case TLBI.ripas2e1is:
        for (const entry of own) {
          if (entry.progress !== 'visible' || !covers(entry, from, from + rows.aux[i]! * PAGE_BYTES)) continue;
          entry.progress = 'issued';
          if (entry.child < 0) this.lines.tlbi(thread, 'ipas2e1is', (entry.ipa / PAGE_BYTES).toString(16));
        }
        return;
      case TLBI.vmalle1is:
        this.lines.tlbi(thread, 'vmalle1is');
        for (const entry of own) if (entry.progress === 'stage 2 done') entry.progress = 'all issued';
        return;
      default:
        this.lines.tlbi(thread, 'vmalls12e1is');
        for (const entry of own) if (entry.progress === 'visible' || entry.progress === 'stage 2 done') entry.progress = 'all issued';
    }
  }
}

/** Whether TLBIs of addresses [from, to) reach the entry. */
function covers(entry: Broken, from: number, to: number): boolean {
  return entry.ipa < to && entry.ipa + entry.bytes > from;
}

/**
 * Whether a live leaf without access flag changes its permissions or software bits alone: Arm wants no break for that, casemate
 * does, unless the access flag is set.
 */
function rightsOnly(oldLo: number, oldHi: number, newLo: number, newHi: number): boolean {
  if ((oldLo & newLo & 1) === 0 || ((oldLo | newLo) & LO_ACCESSED) !== 0) return false;
  return ((oldLo ^ newLo) & ~(LO_READ | LO_WRITE)) === 0 && ((oldHi ^ newHi) & ~(HI_XN | HI_SOFTWARE | HI_DBM)) === 0;
}

function isTable(lo: number, level: number): boolean {
  return level < 3 && (lo & 3) === 3;
}

function tableTo(address: number): string {
  return (address + 3).toString(16);
}

function vttbr(base: number, vmid: number): string {
  return digits(base % TWO_32, (vmid << 16) | Math.floor(base / TWO_32));
}
