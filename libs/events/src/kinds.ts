import type { ColumnName } from './columns.ts';

/**
 * How a field of an event is read from its column: `count` an unsigned number, `result` a signed 32-bit number, `address` and
 * `bytes` a 64-bit number below 2^53, `descriptor` the 64 bits as `0x…` text, `level` a signed level.
 */
export type FieldFormat = 'count' | 'result' | 'address' | 'bytes' | 'descriptor' | 'level';

/** One field of one kind: the column that holds it and how to read it. */
export type FieldSpec = readonly [column: ColumnName, format: FieldFormat];

/** Definition of one event kind. Every event has `at`, `actor`, `walk` and `stage2` besides its own fields. */
export interface KindSpec {
  readonly code: number;
  readonly doc: string;
  readonly fields: Readonly<Record<string, FieldSpec>>;
}

const slotFields = { table: ['table', 'count'], slot: ['slot', 'count'], level: ['level', 'level'], ipa: ['ipa', 'address'] } as const;
const changeFields = { ...slotFields, old: ['old', 'descriptor'], new: ['new', 'descriptor'] } as const;
const lockFields = { lock: ['arg', 'count'], mode: ['aux', 'count'] } as const;
const linkFields = {
  child: ['table', 'count'],
  parent: ['arg', 'count'],
  slot: ['slot', 'count'],
  level: ['level', 'level'],
  ipa: ['ipa', 'address'],
  cause: ['aux', 'count'],
} as const;

/**
 * All event kinds: the one place where an event is defined. The decoder's union, the documentation and the readers derive from it.
 * Names are past tense. Codes are stable: a kind is appended, never renumbered.
 */
export const KINDS = {
  'machine-started': {
    code: 1,
    doc: 'First event of a machine. indexBits: 0 = tables of its granule, else log2 of the descriptors in a table (thin tables, of the checker). memory: MEMORY, 0 = stores are seen at once; else a store is told when it becomes visible to others, and a reader may see something else than the stores before it left.',
    fields: { vcpus: ['arg', 'count'], pageShift: ['aux', 'count'], indexBits: ['slot', 'count'], memory: ['level', 'level'] },
  },
  'machine-stopped': {
    code: 2,
    doc: 'Last event of a machine; cause 0 = the workload is complete, 1 = interrupted.',
    fields: { cause: ['arg', 'count'] },
  },
  'phase-began': { code: 3, doc: 'A phase of the scenario (PHASE) began.', fields: { phase: ['arg', 'count'], pass: ['aux', 'count'] } },
  'fault-injected': {
    code: 4,
    doc: 'The scenario injected a fault (INJECTED).',
    fields: { fault: ['arg', 'count'], parameter: ['aux', 'count'] },
  },

  'stage2-created': {
    code: 8,
    doc: 'A stage-2 exists: `rootPages` concatenated root tables from `root` on, each with reference count 1. features: bit 0 FWB, 1 FEAT_TLBIRANGE, 2 LPA2, 3 FEAT_XNX, 4 AS_S1, 5 IDMAP, 6 hardware access flag, 7 valid leaves hold no reference of their table (its count says whether anybody but the owner has something below it), 8 cache maintenance is told of every mapping, also where FWB makes it needless.',
    fields: {
      root: ['table', 'count'],
      rootPages: ['arg', 'count'],
      startLevel: ['level', 'level'],
      features: ['aux', 'count'],
      ipaBits: ['slot', 'count'],
    },
  },
  'stage2-destroyed': {
    code: 9,
    doc: 'The stage-2 was detached: nothing walks it from its root any more; its tables are freed afterwards.',
    fields: { root: ['table', 'count'] },
  },

  'memslot-created': {
    code: 12,
    doc: 'Guest memory [ipa, ipa+bytes) is backed by [pa, pa+bytes). flags: bit 0 read-only, bit 1 dirty logging on.',
    fields: { memslot: ['arg', 'count'], ipa: ['ipa', 'address'], bytes: ['old', 'bytes'], pa: ['new', 'bytes'], flags: ['aux', 'count'] },
  },
  'memslot-deleted': {
    code: 13,
    doc: 'The memslot is gone; its range must hold no mapping when the operation that deleted it ends.',
    fields: { memslot: ['arg', 'count'] },
  },
  'dirty-log-started': {
    code: 14,
    doc: 'From now on every guest write to the memslot must be logged; allSet 1 = every page counts as dirty at first.',
    fields: { memslot: ['arg', 'count'], allSet: ['aux', 'count'] },
  },
  'dirty-log-stopped': { code: 15, doc: 'Dirty logging of the memslot ended.', fields: { memslot: ['arg', 'count'] } },
  'dirty-log-cleared': {
    code: 16,
    doc: 'The VMM took and cleared the dirty bits of [ipa, ipa+bytes).',
    fields: { memslot: ['arg', 'count'], ipa: ['ipa', 'address'], bytes: ['old', 'bytes'] },
  },
  'page-dirtied': {
    code: 17,
    doc: 'The fault handler set the dirty bit of the page at `ipa`; was 1 = it was set already.',
    fields: { memslot: ['arg', 'count'], ipa: ['ipa', 'address'], was: ['aux', 'count'] },
  },

  'walk-began': {
    code: 20,
    doc: 'A walk over [ipa, ipa+bytes) began: op is OP, flags are WALK_FLAG bits plus PROT << 16; pa is where a map points.',
    fields: { op: ['arg', 'count'], ipa: ['ipa', 'address'], bytes: ['old', 'bytes'], pa: ['new', 'bytes'], flags: ['aux', 'count'] },
  },
  'walk-ended': {
    code: 21,
    doc: 'The walk ended with RESULT (age: 1 if anything was young) after `retries` restarts.',
    fields: { result: ['arg', 'result'], retries: ['aux', 'count'] },
  },
  'fault-taken': {
    code: 22,
    doc: 'A guest access faulted to the hypervisor (FAULT, ACCESS) at `level`.',
    fields: { ipa: ['ipa', 'address'], level: ['level', 'level'], fault: ['arg', 'count'], access: ['aux', 'count'] },
  },
  'fault-handled': {
    code: 23,
    doc: 'The handler returned RESULT; bytes is the mapping size it chose. The guest retries its access.',
    fields: { ipa: ['ipa', 'address'], bytes: ['old', 'bytes'], result: ['arg', 'result'] },
  },
  'operation-began': {
    code: 24,
    doc: 'The VMM thread began an OPERATION on [ipa, ipa+bytes).',
    fields: { operation: ['arg', 'count'], ipa: ['ipa', 'address'], bytes: ['old', 'bytes'] },
  },
  'operation-ended': {
    code: 25,
    doc: 'The operation ended with RESULT.',
    fields: { operation: ['arg', 'count'], result: ['aux', 'result'] },
  },

  'mapping-size-chosen': {
    code: 28,
    doc: 'The fault handler asked what backs the address: bytes is the page size of its VMA as far as the memslot allows, max the largest mapping allowed.',
    fields: { ipa: ['ipa', 'address'], bytes: ['old', 'bytes'], max: ['new', 'bytes'] },
  },

  'descriptor-read': { code: 30, doc: 'A software walker loaded a descriptor.', fields: { ...slotFields, value: ['old', 'descriptor'] } },
  'descriptor-stored': { code: 31, doc: 'Plain store.', fields: changeFields },
  'descriptor-released': {
    code: 32,
    doc: 'Store with release: whatever the walker wrote before is seen by who reads this.',
    fields: changeFields,
  },
  'descriptor-swapped': { code: 33, doc: 'Compare-and-exchange that succeeded: `old` was expected and found.', fields: changeFields },
  'descriptor-swap-failed': {
    code: 34,
    doc: 'Compare-and-exchange that failed: `old` was found, `new` was not written.',
    fields: changeFields,
  },
  'descriptor-hardware-updated': { code: 35, doc: 'The hardware walker of vCPU `actor` set the access flag.', fields: changeFields },

  'table-allocated': {
    code: 40,
    doc: 'A zeroed table page with reference count 1, linked nowhere. level = level of its descriptors, -1 if unknown; root 1 = root page.',
    fields: { table: ['table', 'count'], level: ['level', 'level'], root: ['arg', 'count'] },
  },
  'table-reused': {
    code: 41,
    doc: 'As table-allocated, on a page frame that was a table before and was freed.',
    fields: { table: ['table', 'count'], level: ['level', 'level'], root: ['arg', 'count'] },
  },
  'table-linked': {
    code: 42,
    doc: 'The walker’s claim that `child` hangs below `parent`/slot now (LINK_CAUSE); follows the store that did it.',
    fields: linkFields,
  },
  'table-unlinked': {
    code: 43,
    doc: 'The walker’s claim that `child` no longer hangs below `parent`/slot (UNLINK_CAUSE); follows the store that did it.',
    fields: linkFields,
  },
  'table-retired': {
    code: 44,
    doc: 'The unlinked sub-tree under `table` (which hung below a descriptor of `level`) was handed to the reclaim policy: its free is pending. held 1 = not to the reclaim worker but to the walkers inside, the last of which frees it.',
    fields: { table: ['table', 'count'], level: ['level', 'level'], ipa: ['ipa', 'address'], held: ['arg', 'count'] },
  },
  'table-freed': {
    code: 45,
    doc: 'The table page went back to the page allocator.',
    fields: { table: ['table', 'count'], level: ['level', 'level'] },
  },
  'reclaim-began': {
    code: 46,
    doc: 'The deferred teardown of a retired sub-tree began (kernel: the RCU callback).',
    fields: { table: ['table', 'count'], level: ['level', 'level'] },
  },
  'reclaim-ended': {
    code: 47,
    doc: 'The deferred teardown of a retired sub-tree is complete: its free is no longer pending.',
    fields: { table: ['table', 'count'] },
  },

  'reference-got': {
    code: 50,
    doc: 'Reference count of a table page went up to `count`.',
    fields: { table: ['table', 'count'], count: ['arg', 'count'] },
  },
  'reference-put': {
    code: 51,
    doc: 'Reference count of a table page went down to `count`.',
    fields: { table: ['table', 'count'], count: ['arg', 'count'] },
  },
  'reference-read': {
    code: 52,
    doc: 'The walker looked at a reference count (kernel: page_count).',
    fields: { table: ['table', 'count'], count: ['arg', 'count'] },
  },

  'lock-acquired': { code: 60, doc: 'LOCK taken in LOCK_MODE.', fields: lockFields },
  'lock-released': { code: 61, doc: 'LOCK released from LOCK_MODE.', fields: lockFields },
  'lock-contended': { code: 62, doc: 'LOCK was not free: the actor waits (once per wait).', fields: lockFields },
  'read-section-entered': { code: 63, doc: 'Outermost read-side section of the actor began (kernel: rcu_read_lock).', fields: {} },
  'read-section-left': { code: 64, doc: 'Outermost read-side section of the actor ended.', fields: {} },
  'grace-period-began': {
    code: 65,
    doc: 'A grace period began: it waits for the read-side sections open now.',
    fields: { number: ['arg', 'count'] },
  },
  'grace-period-ended': { code: 66, doc: 'The grace period is over.', fields: { number: ['arg', 'count'] } },

  'yield-offered': {
    code: 68,
    doc: 'Between two chunks of a long operation the actor would give up LOCK and core if somebody waited (kernel: cond_resched).',
    fields: { lock: ['arg', 'count'] },
  },

  'tlbi-issued': {
    code: 70,
    doc: 'TLBI instruction (TLBI op). level = hint, -1 none; pages only for range ops. Takes effect at the actor’s next DSB of the right domain.',
    fields: { op: ['arg', 'count'], ipa: ['ipa', 'address'], level: ['level', 'level'], pages: ['aux', 'count'] },
  },
  'dsb-completed': {
    code: 71,
    doc: 'DSB (DSB kind) of the actor: its TLBIs before it are complete everywhere in that domain.',
    fields: { domain: ['arg', 'count'] },
  },
  'isb-completed': { code: 72, doc: 'ISB of the actor.', fields: {} },
  'dcache-cleaned': {
    code: 73,
    doc: 'Data cache clean and invalidate to PoC of [pa, pa+bytes).',
    fields: { pa: ['new', 'bytes'], bytes: ['old', 'bytes'] },
  },
  'icache-invalidated': {
    code: 74,
    doc: 'Instruction cache invalidate of [pa, pa+bytes).',
    fields: { pa: ['new', 'bytes'], bytes: ['old', 'bytes'] },
  },

  'guest-accessed': {
    code: 80,
    doc: 'A guest access (ACCESS) went through to `pa`; tlbHit 1 = by a cached translation.',
    fields: { ipa: ['ipa', 'address'], pa: ['new', 'bytes'], access: ['arg', 'count'], tlbHit: ['aux', 'count'] },
  },
  'hardware-descriptor-read': {
    code: 81,
    doc: 'The hardware walker of vCPU `actor` loaded a descriptor.',
    fields: { ...slotFields, value: ['old', 'descriptor'] },
  },
  'tlb-filled': {
    code: 82,
    doc: 'vCPU `actor` cached the leaf descriptor for the block or page at `ipa` (aligned to its size).',
    fields: { ...slotFields, value: ['new', 'descriptor'] },
  },
  'walk-cache-filled': {
    code: 83,
    doc: 'vCPU `actor` cached that [ipa, ipa + span of `level`) is translated by table `next`.',
    fields: {
      table: ['table', 'count'],
      slot: ['slot', 'count'],
      level: ['level', 'level'],
      ipa: ['ipa', 'address'],
      next: ['arg', 'count'],
    },
  },
  'tlb-evicted': {
    code: 84,
    doc: 'vCPU `actor` dropped a cached translation for want of room; walkCache 1 = a walk-cache entry.',
    fields: { ipa: ['ipa', 'address'], level: ['level', 'level'], walkCache: ['aux', 'count'] },
  },
  'guest-aborted': {
    code: 85,
    doc: 'A guest access to an address without memory: the abort is injected into the guest.',
    fields: { ipa: ['ipa', 'address'], access: ['arg', 'count'] },
  },

  'cache-topped-up': {
    code: 90,
    doc: 'The actor’s cache of table pages was filled from `from` to `to` pages.',
    fields: { from: ['arg', 'count'], to: ['aux', 'count'] },
  },
  'cache-exhausted': { code: 91, doc: 'The actor needed a table page and its cache was empty: -ENOMEM follows.', fields: {} },
  'cache-released': {
    code: 94,
    doc: 'The `pages` table pages left in the actor’s cache went back to the page allocator.',
    fields: { pages: ['arg', 'count'] },
  },

  'walker-reference-got': {
    code: 100,
    doc: 'The count of those who hold a table page (the link that leads to it, walkers inside it) went up to `count`: a walker came in.',
    fields: { table: ['table', 'count'], count: ['arg', 'count'] },
  },
  'walker-reference-put': {
    code: 101,
    doc: 'That count went down to `count`; link 1 = the reference of the link that led to the page, 0 = a walker’s.',
    fields: { table: ['table', 'count'], count: ['arg', 'count'], link: ['aux', 'count'] },
  },
  'walker-reference-refused': {
    code: 102,
    doc: 'Increment unless zero found zero: the walker took no reference and looks for another way.',
    fields: { table: ['table', 'count'] },
  },
  'hazard-published': {
    code: 103,
    doc: 'The actor stored `table` in its hazard pointer of `level`; it protects once the link is read again and still leads there.',
    fields: { table: ['table', 'count'], level: ['level', 'level'] },
  },
  'hazard-cleared': {
    code: 104,
    doc: 'The actor cleared its hazard pointer of `level`.',
    fields: { table: ['table', 'count'], level: ['level', 'level'] },
  },
  'hazard-scanned': {
    code: 105,
    doc: 'The reclaim worker read the hazard pointer of actor `owner` at `level`; found 1 = it protects the sub-tree of `table`.',
    fields: { table: ['table', 'count'], owner: ['arg', 'count'], level: ['level', 'level'], found: ['aux', 'count'] },
  },
  'epoch-read': { code: 106, doc: 'The actor read the global epoch.', fields: { epoch: ['arg', 'count'] } },
  'epoch-announced': {
    code: 107,
    doc: 'The actor announced that it reads tables in `epoch`: a read-side section began.',
    fields: { epoch: ['arg', 'count'] },
  },
  'epoch-withdrawn': { code: 108, doc: 'The actor withdrew its epoch: its read-side section ended.', fields: { epoch: ['arg', 'count'] } },
  'epoch-scanned': {
    code: 109,
    doc: 'The reclaim worker read what actor `owner` announces: the epoch + 1, 0 = nothing.',
    fields: { announced: ['arg', 'count'], owner: ['aux', 'count'] },
  },
  'epoch-advanced': { code: 110, doc: 'The global epoch went up to `epoch`.', fields: { epoch: ['arg', 'count'] } },

  'memory-region-added': {
    code: 120,
    doc: 'pKVM: [pa, pa+bytes) is memory; what no region holds is MMIO. nomap 1 = nobody may own it.',
    fields: { pa: ['new', 'bytes'], bytes: ['old', 'bytes'], nomap: ['aux', 'count'] },
  },
  'guest-created': {
    code: 121,
    doc: 'pKVM: the hypervisor knows a guest under the VMID of the event; its stage-2 follows. features as in stage2-created; protected 1 = the host may not see its memory.',
    fields: { protected: ['arg', 'count'], features: ['aux', 'count'], ipaBits: ['slot', 'count'] },
  },
  'guest-destroyed': { code: 122, doc: 'pKVM: the guest under the VMID of the event is gone; its VMID may be used again.', fields: {} },
  'page-state-changed': {
    code: 123,
    doc: 'pKVM: the hypervisor notes that the host or itself (COMPONENT) now has [pa, pa+bytes) in state `to` (PAGE_STATE); all of it was in `from`.',
    fields: { component: ['arg', 'count'], pa: ['new', 'bytes'], bytes: ['old', 'bytes'], from: ['level', 'level'], to: ['aux', 'count'] },
  },
  'page-donated': {
    code: 124,
    doc: 'pKVM: [pa, pa+bytes) changes hands from one COMPONENT to another; a guest has it at `ipa` and is the one under the VMID of the event.',
    fields: { pa: ['new', 'bytes'], bytes: ['old', 'bytes'], ipa: ['ipa', 'address'], from: ['arg', 'count'], to: ['aux', 'count'] },
  },
  'page-shared': {
    code: 125,
    doc: 'pKVM: COMPONENT `from`, which owns [pa, pa+bytes), lends it to `to` as well; a guest has it at `ipa`.',
    fields: { pa: ['new', 'bytes'], bytes: ['old', 'bytes'], ipa: ['ipa', 'address'], from: ['arg', 'count'], to: ['aux', 'count'] },
  },
  'page-unshared': {
    code: 126,
    doc: 'pKVM: the loan of [pa, pa+bytes) by `from` to `to` ends.',
    fields: { pa: ['new', 'bytes'], bytes: ['old', 'bytes'], ipa: ['ipa', 'address'], from: ['arg', 'count'], to: ['aux', 'count'] },
  },
  'page-reclaimed': {
    code: 127,
    doc: 'pKVM: the host takes [pa, pa+bytes) back from the guest, which had it at `ipa`; forced 1 = the guest lives on and finds the page poisoned.',
    fields: { pa: ['new', 'bytes'], bytes: ['old', 'bytes'], ipa: ['ipa', 'address'], forced: ['arg', 'count'] },
  },
  'page-wiped': {
    code: 128,
    doc: 'pKVM: [pa, pa+bytes) was filled with zeros and cleaned to PoC before it changes hands.',
    fields: { pa: ['new', 'bytes'], bytes: ['old', 'bytes'] },
  },
  'memcache-pushed': {
    code: 129,
    doc: 'pKVM: the page at `pa` lies in a cache of table pages: the guest’s, or (back 1) the one in which the host gets the pages of a destroyed guest back.',
    fields: { pa: ['new', 'bytes'], back: ['arg', 'count'] },
  },
  'host-aborted': {
    code: 130,
    doc: 'pKVM: the host touched memory that it does not own at `ipa`: the abort is injected into it.',
    fields: { ipa: ['ipa', 'address'], access: ['arg', 'count'] },
  },
  // Traces of other programs that tell plain memory and registers, not tables: addresses and values are all 64 bits.
  'memory-initialised': {
    code: 140,
    doc: 'Imported: the memory at [address, address+bytes) is followed from now on and holds zeros.',
    fields: { address: ['old', 'descriptor'], bytes: ['new', 'descriptor'] },
  },
  'memory-freed': {
    code: 141,
    doc: 'Imported: the memory at [address, address+bytes) is not followed any more.',
    fields: { address: ['old', 'descriptor'], bytes: ['new', 'descriptor'] },
  },
  'memory-read': {
    code: 142,
    doc: 'Imported: a load of 64 bits.',
    fields: { address: ['old', 'descriptor'], value: ['new', 'descriptor'] },
  },
  'memory-written': {
    code: 143,
    doc: 'Imported: a store of 64 bits, in STORE_ORDER.',
    fields: { address: ['old', 'descriptor'], value: ['new', 'descriptor'], order: ['arg', 'count'] },
  },
  'memory-filled': {
    code: 144,
    doc: 'Imported: plain stores of the same 64 bits all over [address, address+bytes).',
    fields: { address: ['old', 'descriptor'], value: ['new', 'descriptor'], bytes: ['ipa', 'bytes'] },
  },
  'register-written': {
    code: 145,
    doc: 'Imported: the actor wrote a system REGISTER of EL2.',
    fields: { register: ['arg', 'count'], value: ['new', 'descriptor'] },
  },
  'hint-given': {
    code: 146,
    doc: 'Imported: what the traced program says about its tables (HINT).',
    fields: { hint: ['arg', 'count'], location: ['old', 'descriptor'], value: ['new', 'descriptor'] },
  },
  'address-locked': {
    code: 147,
    doc: 'Imported: the lock at `address` was taken; attempt 1 = by a try that succeeded.',
    fields: { address: ['old', 'descriptor'], attempt: ['arg', 'count'] },
  },
  'address-unlocked': { code: 148, doc: 'Imported: the lock at `address` was released.', fields: { address: ['old', 'descriptor'] } },
  'invalidation-issued': {
    code: 149,
    doc: 'Imported: a TLBI of any regime (INVALIDATION) with its 64-bit operand: bits 43:0 address >> 12, 47:44 TTL, 63:48 ASID.',
    fields: { op: ['arg', 'count'], operand: ['new', 'descriptor'] },
  },
} as const satisfies Readonly<Record<string, KindSpec>>;

/** Name of an event kind. */
export type KindName = keyof typeof KINDS;

/** All kind names, in order of definition. */
export const KIND_NAMES = Object.keys(KINDS) as readonly KindName[];

type FieldValue<F> = F extends 'descriptor' ? string : number;

/** Decoded fields of a kind. */
export type FieldsOf<K extends KindName> = {
  readonly [F in keyof (typeof KINDS)[K]['fields']]: (typeof KINDS)[K]['fields'][F] extends readonly [unknown, infer T]
    ? FieldValue<T>
    : never;
};

/** One decoded event of kind K. `seq` counts from 0 per machine; `at` is virtual nanoseconds. */
export type EventOf<K extends KindName> = {
  readonly kind: K;
  readonly seq: number;
  readonly machine: number;
  readonly at: number;
  readonly actor: number;
  readonly walk: number;
  readonly stage2: number;
} & FieldsOf<K>;

/** Any decoded event: a union discriminated by `kind`. For people, JSON and tests; hot paths read the columns. */
export type LabEvent = { [K in KindName]: EventOf<K> }[KindName];
