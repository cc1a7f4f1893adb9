import { hex64, PROT, softwareProt } from '@s2lab/arch';
import type { EventInput, Frame, FrameOrigin } from '@s2lab/events';
import { DSB, encodeEvent, EventColumns, LINK_CAUSE, LOCK, LOCK_MODE, OP, PROT_SHIFT, TLBI, UNLINK_CAUSE, WALK_FLAG } from '@s2lab/events';

/** Physical address of table page 0 in written traces. */
export const TRACE_TABLE_BASE = 0x7000_0000_0000;
/** A locked descriptor. */
export const LOCKED = 0x1000_0000_0000_0000n;
/** Attributes of a read-write-execute page; a block lacks bit 1. */
const PAGE = 0x7dbn;
const BLOCK = 0x7d9n;
const STAGE2 = 1;
/** FWB, range TLBI, FEAT_XNX. */
const FEATURES = 1 | 2 | 8;
const TELLS_CACHES = 256;
const LAST_LEVEL = 3;
/** Everything a walk may ask for, unless it says otherwise. */
export const RWX = PROT.r | PROT.w | PROT.x;

/** What kind of machine a written trace is of. */
export interface TraceOptions {
  readonly vcpus?: number;
  readonly policy?: string;
  readonly machineKind?: string;
  readonly run?: string;
  readonly machine?: number;
  /** Maps tell the cache maintenance of what they map. */
  readonly tellsCaches?: boolean;
}

interface TraceTable {
  readonly slots: Map<number, bigint>;
  level: number;
  base: number;
  count: number;
}

/** A descriptor of a table page. */
export function tableDescriptor(table: number): bigint {
  return BigInt(TRACE_TABLE_BASE + table * 4096) | 3n;
}

/** A descriptor that maps `pa` read-write-execute at `level`. */
export function leafDescriptor(pa: number, level: number): bigint {
  return BigInt(pa) | (level === LAST_LEVEL ? PAGE : BLOCK);
}

/**
 * Writes traces event by event or operation by operation, in the order in which the kernel's code does it. It remembers what tables hold,
 * so that a call names only what it changes. Granule 4K, 39-bit IPA: one root page (table 0) at level 1, made by the constructor.
 */
export class Trace {
  readonly events: EventInput[] = [];
  readonly options: Required<TraceOptions>;
  private readonly tables = new Map<number, TraceTable>();
  private actor = 0;
  private walkNumber = 0;
  private walk = 0;
  private nextTable = 1;
  private readonly spare: number[] = [];
  private time = 0;

  constructor(options: TraceOptions = {}) {
    this.options = { vcpus: 4, policy: 'rcu', machineKind: 'kvm', run: 'trace', machine: 0, tellsCaches: false, ...options };
    this.event({ kind: 'machine-started', vcpus: this.options.vcpus, pageShift: 12 });
    this.tables.set(0, { slots: new Map(), level: 1, base: 0, count: 1 });
    this.event({ kind: 'table-allocated', table: 0, level: 1, root: 1 });
    this.event({
      kind: 'stage2-created',
      root: 0,
      rootPages: 1,
      startLevel: 1,
      features: FEATURES | (this.options.tellsCaches ? TELLS_CACHES : 0),
      ipaBits: 39,
    });
  }

  /** The VMM thread's actor number. */
  get vmm(): number {
    return this.options.vcpus;
  }

  /** The reclaim worker's actor number. */
  get worker(): number {
    return this.options.vcpus + 1;
  }

  /** The following events are of `actor`. */
  as(actor: number): this {
    this.actor = actor;
    return this;
  }

  /** Appends an event as it is; actor, walk, stage-2 and time come from the trace unless given. */
  event(event: EventInput): this {
    this.time += 1;
    this.events.push({ at: this.time, actor: this.actor, walk: this.walk, stage2: STAGE2, ...event } as EventInput);
    return this;
  }

  /** Allocates a table page and returns its number; a given number reuses that page. */
  alloc(table = this.spare.shift() ?? this.nextTable): number {
    this.nextTable = Math.max(this.nextTable, table + 1);
    this.tables.set(table, { slots: new Map(), level: -1, base: 0, count: 1 });
    this.event({ kind: 'table-allocated', table, level: -1, root: 0 });
    return table;
  }

  /** The next allocations get these freed pages. */
  reuse(...tables: readonly number[]): this {
    this.spare.push(...tables);
    return this;
  }

  /** What a slot holds. */
  value(table: number, slot: number): bigint {
    return this.tables.get(table)?.slots.get(slot) ?? 0n;
  }

  read(table: number, slot: number): this {
    return this.event({ kind: 'descriptor-read', ...this.place(table, slot), value: hex(this.value(table, slot)) });
  }

  /** Writes a slot: `store` plain, `release`, or `swap`; links and unlinks follow by themselves. */
  write(how: 'store' | 'release' | 'swap', table: number, slot: number, value: bigint, cause: number = LINK_CAUSE.grow): this {
    const old = this.value(table, slot);
    const kind = how === 'store' ? 'descriptor-stored' : how === 'release' ? 'descriptor-released' : 'descriptor-swapped';
    const place = this.place(table, slot);
    this.event({ kind, ...place, old: hex(old), new: hex(value) });
    this.tables.get(table)?.slots.set(slot, value);
    const { ipa, level } = place;
    const before = this.childOf(old, level);
    const after = this.childOf(value, level);
    if (before >= 0 && before !== after)
      this.event({ kind: 'table-unlinked', child: before, parent: table, slot, level, ipa, cause: UNLINK_CAUSE.collapse });
    const child = this.tables.get(after);
    if (after < 0 || child === undefined) return this;
    child.level = level + 1;
    child.base = ipa;
    return this.event({ kind: 'table-linked', child: after, parent: table, slot, level, ipa, cause });
  }

  get(table: number): this {
    return this.event({ kind: 'reference-got', table, count: this.count(table, 1) });
  }

  put(table: number): this {
    return this.event({ kind: 'reference-put', table, count: this.count(table, -1) >>> 0 });
  }

  /** A walker counts itself among those who hold a table page: `count` of them now. */
  hold(table: number, count: number): this {
    return this.event({ kind: 'walker-reference-got', table, count });
  }

  /** A walker, or the link that led to it, lets go of a table page: `count` still hold it. */
  unhold(table: number, count: number, link = false): this {
    return this.event({ kind: 'walker-reference-put', table, count, link: link ? 1 : 0 });
  }

  free(table: number): this {
    this.tables.delete(table);
    return this.event({ kind: 'table-freed', table, level: -1 });
  }

  lock(mode: 'read' | 'write'): this {
    return this.event({ kind: 'lock-acquired', lock: LOCK.mmu, mode: LOCK_MODE[mode] });
  }

  unlock(mode: 'read' | 'write'): this {
    return this.event({ kind: 'lock-released', lock: LOCK.mmu, mode: LOCK_MODE[mode] });
  }

  enter(): this {
    return this.event({ kind: 'read-section-entered' });
  }

  leave(): this {
    return this.event({ kind: 'read-section-left' });
  }

  dsb(domain: keyof typeof DSB): this {
    return this.event({ kind: 'dsb-completed', domain: DSB[domain] });
  }

  tlbi(op: keyof typeof TLBI, ipa = 0, level = -1, pages = 0): this {
    return this.event({ kind: 'tlbi-issued', op: TLBI[op], ipa, level, pages });
  }

  /** The hardware walker of the present actor loads a descriptor, on its way to `ipa`. */
  hardwareRead(table: number, slot: number, ipa = this.place(table, slot).ipa): this {
    return this.event({ kind: 'hardware-descriptor-read', ...this.place(table, slot), ipa, value: hex(this.value(table, slot)) });
  }

  /** A guest access that misses: a hardware walk from the root, which caches its steps and the leaf, then the access (ACCESS). */
  access(vcpu: number, ipa: number, access = 1): this {
    this.as(vcpu);
    let table = 0;
    for (let level = 1; ; level += 1) {
      const slot = slotAt(ipa, level);
      const value = this.hardwareRead(table, slot, ipa).value(table, slot);
      const place = this.place(table, slot);
      const next = this.childOf(value, level);
      if (next < 0) {
        const pa = Number(value & 0xffff_ffff_f000n) + (ipa - place.ipa);
        return this.event({ kind: 'tlb-filled', ...place, value: hex(value) }).event({
          kind: 'guest-accessed',
          ipa,
          pa,
          access,
          tlbHit: 0,
        });
      }
      this.event({ kind: 'walk-cache-filled', ...place, next });
      table = next;
    }
  }

  /** A guest access that goes through by a cached translation. */
  hit(vcpu: number, ipa: number, pa: number, access = 1): this {
    return this.as(vcpu).event({ kind: 'guest-accessed', ipa, pa, access, tlbHit: 1 });
  }

  /** The instructions that invalidate one IPA everywhere. */
  flushIpa(ipa: number, level: number): this {
    return this.dsb('ish').tlbi('ipas2e1is', ipa, level).dsb('ish').tlbi('vmalle1is').dsb('ish');
  }

  /** The instructions that invalidate a range everywhere. */
  flushRange(ipa: number, pages: number): this {
    return this.dsb('ish').tlbi('ripas2e1is', ipa, -1, pages).dsb('ish').tlbi('vmalle1is').dsb('ish');
  }

  /** A walk that asks for read-write-execute unless `prot` (PROT) says otherwise. */
  beginWalk(op: keyof typeof OP, ipa: number, bytes: number, pa = 0, shared = false, prot = RWX): this {
    this.walkNumber += 1;
    this.walk = this.walkNumber;
    const flags = (shared ? WALK_FLAG.shared : 0) | (prot << PROT_SHIFT);
    return this.event({ kind: 'walk-began', op: OP[op], ipa, bytes, pa, flags });
  }

  endWalk(result = 0): this {
    this.event({ kind: 'walk-ended', result: result >>> 0, retries: 0 });
    this.walk = 0;
    return this;
  }

  memslot(memslot: number, ipa: number, bytes: number, pa: number): this {
    return this.event({ kind: 'memslot-created', memslot, ipa, bytes, pa, flags: 0 });
  }

  /** Break and make of one slot by a shared walker: lock it, flush what it held, put, get, release. */
  replace(table: number, slot: number, value: bigint, cause: number = LINK_CAUSE.grow): this {
    const old = this.value(table, slot);
    const { ipa, level } = this.place(table, slot);
    this.write('swap', table, slot, LOCKED);
    if (this.childOf(old, level) >= 0) this.flushRange(ipa, 2 ** (9 * (LAST_LEVEL - level)));
    else if ((old & 1n) !== 0n) this.flushIpa(ipa, level);
    if (old !== 0n) this.put(table);
    return this.get(table).write('release', table, slot, value, cause);
  }

  /** A shared map of one descriptor at `level`, as a fault does it; missing tables are made, a block in the way is split lazily. `software` bits are set in the leaf. */
  map(actor: number, ipa: number, pa: number, level = LAST_LEVEL, software = 0n): this {
    this.as(actor)
      .lock('read')
      .beginWalk('map', ipa, 2 ** (12 + 9 * (LAST_LEVEL - level)), pa, true, RWX | softwareProt(Number(software >> 32n)))
      .enter();
    let table = 0;
    for (let at = 1; at < level; at++) {
      const slot = slotAt(ipa, at);
      this.read(table, slot);
      if (this.childOf(this.value(table, slot), at) < 0) {
        const splits = (this.value(table, slot) & 1n) !== 0n;
        const child = this.alloc();
        this.replace(table, slot, tableDescriptor(child), splits ? LINK_CAUSE.split : LINK_CAUSE.grow).read(table, slot);
      }
      table = this.childOf(this.value(table, slot), at);
    }
    const slot = slotAt(ipa, level);
    const old = this.childOf(this.read(table, slot).value(table, slot), level);
    if (this.options.tellsCaches) {
      const bytes = 2 ** (12 + 9 * (LAST_LEVEL - level));
      this.event({ kind: 'dcache-cleaned', pa, bytes }).event({ kind: 'icache-invalidated', pa, bytes });
    }
    this.replace(table, slot, leafDescriptor(pa, level) | software);
    if (old >= 0) this.event({ kind: 'table-retired', table: old, level, ipa });
    return this.leave().dsb('ishst').endWalk().unlock('read');
  }

  /** Deferred teardown of an unlinked leaf table. */
  reclaim(table: number): this {
    this.as(this.worker).event({ kind: 'reclaim-began', table, level: 2 });
    for (const [slot, value] of this.tables.get(table)?.slots ?? []) {
      this.read(table, slot);
      if (value !== 0n) this.put(table);
    }
    return this.put(table).free(table).event({ kind: 'reclaim-ended', table });
  }

  /** Unmap of one leaf by the VMM thread; a table that becomes empty is freed. */
  unmap(ipa: number, level = LAST_LEVEL): this {
    this.as(this.vmm)
      .lock('write')
      .beginWalk('unmap', ipa, 2 ** (12 + 9 * (LAST_LEVEL - level)));
    const path: [number, number][] = [];
    let table = 0;
    for (let at = 1; at <= level; at++) {
      path.push([table, slotAt(ipa, at)]);
      this.read(table, slotAt(ipa, at));
      if (at < level) table = this.childOf(this.value(table, slotAt(ipa, at)), at);
    }
    const [leafTable, leafSlot] = path.pop()!;
    this.write('store', leafTable, leafSlot, 0n).flushIpa(ipa, level).put(leafTable);
    for (let child = leafTable; path.length > 0 && this.tables.get(child)?.count === 1;) {
      const [parent, slot] = path.pop()!;
      this.write('store', parent, slot, 0n).flushIpa(ipa, -1).put(parent).put(child).free(child);
      child = parent;
    }
    return this.endWalk().unlock('write');
  }

  /** Everything is unmapped already: the stage-2 goes away. */
  destroy(): this {
    this.as(this.vmm).event({ kind: 'stage2-destroyed', root: 0 });
    return this.put(0).free(0);
  }

  stop(cause = 0): this {
    return this.as(this.vmm).event({ kind: 'machine-stopped', cause });
  }

  /** The trace as frames of `rows` events. */
  frames(rows = 1024): Frame[] {
    return framesOf(this.events, this.options, rows);
  }

  private place(table: number, slot: number): { table: number; slot: number; level: number; ipa: number } {
    const known = this.tables.get(table);
    const level = known === undefined ? LAST_LEVEL : known.level;
    return { table, slot, level, ipa: (known?.base ?? 0) + slot * 2 ** (12 + 9 * (LAST_LEVEL - Math.max(level, 1))) };
  }

  private childOf(value: bigint, level: number): number {
    if (level === LAST_LEVEL || (value & 3n) !== 3n) return -1;
    return (Number(value & 0xffff_ffff_f000n) - TRACE_TABLE_BASE) / 4096;
  }

  private count(table: number, by: number): number {
    const known = this.tables.get(table);
    if (known === undefined) return by;
    known.count += by;
    return known.count;
  }
}

/** A new trace. */
export function trace(options: TraceOptions = {}): Trace {
  return new Trace(options);
}

/** Events as frames of at most `rows` events of one machine, numbered from 0. */
export function framesOf(events: readonly EventInput[], options: TraceOptions = {}, rows = 1024): Frame[] {
  const origin: FrameOrigin = {
    run: options.run ?? 'trace',
    machine: options.machine ?? 0,
    policy: options.policy ?? 'rcu',
    machineKind: options.machineKind ?? 'kvm',
    workload: 'trace',
  };
  const frames: Frame[] = [];
  for (let first = 0; first < events.length; first += rows) {
    const part = events.slice(first, first + rows);
    const columns = new EventColumns(part.length);
    for (const event of part) encodeEvent(columns, event);
    frames.push({ origin, firstSeq: first, rows: columns });
  }
  return frames;
}

function slotAt(ipa: number, level: number): number {
  return Math.floor(ipa / 2 ** (12 + 9 * (LAST_LEVEL - level))) % 512;
}

function hex(value: bigint): string {
  return hex64(Number(value & 0xffff_ffffn), Number(value >> 32n));
}
