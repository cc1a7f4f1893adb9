import { PC } from './pc.ts';

/**
 * One walker: the whole state of an actor's walk, fault or operation, as registers in two typed arrays that the machine owns, so that
 * it can be copied, hashed and serialised. Registers from WALK_FIRST on belong to the present walk and are pushed for a nested one.
 */
export const WALK_FIRST = 20;
/** Integer registers of a walk. */
export const WALK_COUNT = 46;
/** Address registers before those of the walk. */
export const WALK_WIDE_FIRST = 7;
/** Address registers of a walk. */
export const WALK_WIDE_COUNT = 10;
/** Walks that may be nested: a walk, and inside it the building or the teardown of a sub-tree. */
export const WALK_DEPTH = 2;
/** First of the registers for faults to inject, behind those of the walks. */
const INJECTED_FIRST = WALK_FIRST + WALK_DEPTH * WALK_COUNT;
/** Register with the VMID, and behind it those of the hypervisor. */
const VMID_AT = INJECTED_FIRST + 3;
/** Integer registers of a walker: commands, the present walk, the pushed walk, faults to inject, the VMID and what belongs to the hypervisor. */
export const REGISTER_COUNT = VMID_AT + 7;
/** Address registers of a walker. */
export const WIDE_COUNT = WALK_WIDE_FIRST + WALK_DEPTH * WALK_WIDE_COUNT + 1;

/** A walker's registers by name. Doubles hold addresses below 2^53, integers are signed 32-bit. */
// A table of registers reads as a table.
// prettier-ignore
export class Walker {
  readonly actor: number;
  /** Integer registers. */
  readonly r: Int32Array;
  /** Address registers. */
  readonly a: Float64Array;

  constructor(actor: number, r: Int32Array, a: Float64Array) {
    this.actor = actor;
    this.r = r;
    this.a = a;
  }

  /** Program counter: the next step, a value of PC. */
  get pc(): number { return this.r[0]!; }
  set pc(value: number) { this.r[0] = value; }
  /** VMID of the stage-2 that the walker stands on. */
  get vmid(): number { return this.r[VMID_AT]!; }
  set vmid(value: number) { this.r[VMID_AT] = value; }
  /** LOCK that it takes or releases, LOCK.mmu = that of its stage-2. */
  get lock(): number { return this.r[VMID_AT + 1]!; }
  set lock(value: number) { this.r[VMID_AT + 1] = value; }
  /** Stage of a hypervisor operation: the next one. */
  get stage(): number { return this.r[VMID_AT + 2]!; }
  set stage(value: number) { this.r[VMID_AT + 2] = value; }
  /** Locks that the hypervisor operation holds, HELD bits. */
  get held(): number { return this.r[VMID_AT + 3]!; }
  set held(value: number) { this.r[VMID_AT + 3] = value; }
  /** VMID of the guest that the hypervisor operation is about. */
  get guest(): number { return this.r[VMID_AT + 4]!; }
  set guest(value: number) { this.r[VMID_AT + 4] = value; }
  /** Region whose gap is unmapped next while table pages of the host are recycled; 0 = nothing is recycled. */
  get recycling(): number { return this.r[VMID_AT + 5]!; }
  set recycling(value: number) { this.r[VMID_AT + 5] = value; }
  /** 1 once table pages were recycled for the present walk. */
  get recycled(): number { return this.r[VMID_AT + 6]!; }
  set recycled(value: number) { this.r[VMID_AT + 6] = value; }
  /** Page that the hypervisor operation has come to. */
  get page(): number { return this.a[WIDE_COUNT - 1]!; }
  set page(value: number) { this.a[WIDE_COUNT - 1] = value; }
  /** COMMAND being carried out. */
  get command(): number { return this.r[1]!; }
  set command(value: number) { this.r[1] = value; }
  /** RESULT of the command so far. */
  get commandResult(): number { return this.r[2]!; }
  set commandResult(value: number) { this.r[2] = value; }
  /** Where a host operation stands between its walks. */
  get hostPhase(): number { return this.r[3]!; }
  set hostPhase(value: number) { this.r[3] = value; }
  /** Mode the mmu lock is, or is to be, held in. */
  get lockMode(): number { return this.r[4]!; }
  set lockMode(value: number) { this.r[4] = value; }
  /** Where to go on once the lock is held or released. */
  get lockReturn(): number { return this.r[5]!; }
  set lockReturn(value: number) { this.r[5] = value; }
  /** ACCESS of the guest access. */
  get access(): number { return this.r[6]!; }
  set access(value: number) { this.r[6] = value; }
  /** FAULT being handled. */
  get faultKind(): number { return this.r[7]!; }
  set faultKind(value: number) { this.r[7] = value; }
  /** Level the fault was taken at. */
  get faultLevel(): number { return this.r[8]!; }
  set faultLevel(value: number) { this.r[8] = value; }
  /** Memslot of the fault or operation, -1 none. */
  get memslot(): number { return this.r[9]!; }
  set memslot(value: number) { this.r[9] = value; }
  /** Level of the hardware walk. */
  get hardwareLevel(): number { return this.r[10]!; }
  set hardwareLevel(value: number) { this.r[10] = value; }
  /** Table of the hardware walk. */
  get hardwareTable(): number { return this.r[11]!; }
  set hardwareTable(value: number) { this.r[11] = value; }
  /** Stage2.invalidationEpoch when the hardware walk began. */
  get hardwareEpoch(): number { return this.r[12]!; }
  set hardwareEpoch(value: number) { this.r[12] = value; }
  /** log2 of the mapping size the fault handler chose. */
  get mapShift(): number { return this.r[13]!; }
  set mapShift(value: number) { this.r[13] = value; }
  /** MMU notifier sequence seen before the lock was taken. */
  get sequence(): number { return this.r[14]!; }
  set sequence(value: number) { this.r[14] = value; }
  /** Table pages in the cache, -1 = the walk has none. */
  get cachePages(): number { return this.r[15]!; }
  set cachePages(value: number) { this.r[15] = value; }
  /** Virtual time the next walk will be preempted for. */
  get preemptNs(): number { return this.r[16]!; }
  set preemptNs(value: number) { this.r[16] = value; }
  /** Level of the table at whose door that walk is preempted, 0 = the first one it enters. */
  get preemptLevel(): number { return this.r[19]!; }
  set preemptLevel(value: number) { this.r[19] = value; }
  /** 1 while waiting for a lock, 2 while waiting for a grace period. */
  get blocked(): number { return this.r[17]!; }
  set blocked(value: number) { this.r[17] = value; }
  /** Table pages in the actor's own cache, between commands. */
  get memcache(): number { return this.r[18]!; }
  set memcache(value: number) { this.r[18] = value; }
  /** Where to go on once the walk is over. */
  get opReturn(): number { return this.r[20]!; }
  set opReturn(value: number) { this.r[20] = value; }
  /** Restarts of the present walk. */
  get retries(): number { return this.r[21]!; }
  set retries(value: number) { this.r[21] = value; }
  /** Number of the walk. */
  get walkId(): number { return this.r[22]!; }
  set walkId(value: number) { this.r[22] = value; }
  /** OP of the walk. */
  get op(): number { return this.r[23]!; }
  set op(value: number) { this.r[23] = value; }
  /** WALK_FLAG bits. */
  get flags(): number { return this.r[24]!; }
  set flags(value: number) { this.r[24] = value; }
  /** Level of the descriptor visited. */
  get level(): number { return this.r[25]!; }
  set level(value: number) { this.r[25] = value; }
  /** Table of the descriptor visited. */
  get table(): number { return this.r[26]!; }
  set table(value: number) { this.r[26] = value; }
  /** Slot of the descriptor visited. */
  get slot(): number { return this.r[27]!; }
  set slot(value: number) { this.r[27] = value; }
  /** Level the walk started at. */
  get topLevel(): number { return this.r[28]!; }
  set topLevel(value: number) { this.r[28] = value; }
  /** Concatenated root pages still to come. */
  get rootsLeft(): number { return this.r[29]!; }
  set rootsLeft(value: number) { this.r[29] = value; }
  /** WALK_FLAG bit of the present visit: leaf, tablePre or tablePost. */
  get visit(): number { return this.r[30]!; }
  set visit(value: number) { this.r[30] = value; }
  /** RESULT of the visitor. */
  get visitResult(): number { return this.r[31]!; }
  set visitResult(value: number) { this.r[31] = value; }
  /** RESULT of the walk. */
  get result(): number { return this.r[32]!; }
  set result(value: number) { this.r[32] = value; }
  /** Descriptor as the walker read it, low half. */
  get oldLo(): number { return this.r[33]!; }
  set oldLo(value: number) { this.r[33] = value; }
  /** Descriptor as the walker read it, high half. */
  get oldHi(): number { return this.r[34]!; }
  set oldHi(value: number) { this.r[34] = value; }
  /** Descriptor to be made, low half. */
  get newLo(): number { return this.r[35]!; }
  set newLo(value: number) { this.r[35] = value; }
  /** Descriptor to be made, high half. */
  get newHi(): number { return this.r[36]!; }
  set newHi(value: number) { this.r[36] = value; }
  /** Table page allocated for, or hanging below, the descriptor; -1 none. */
  get child(): number { return this.r[37]!; }
  set child(value: number) { this.r[37] = value; }
  /** PROT asked. */
  get prot(): number { return this.r[38]!; }
  set prot(value: number) { this.r[38] = value; }
  /** Leaf attributes, or bits to set, low half. */
  get attrLo(): number { return this.r[39]!; }
  set attrLo(value: number) { this.r[39] = value; }
  /** Leaf attributes, or bits to set, high half. */
  get attrHi(): number { return this.r[40]!; }
  set attrHi(value: number) { this.r[40] = value; }
  /** Bits to clear, low half. */
  get clearLo(): number { return this.r[41]!; }
  set clearLo(value: number) { this.r[41] = value; }
  /** Bits to clear, high half. */
  get clearHi(): number { return this.r[42]!; }
  set clearHi(value: number) { this.r[42] = value; }
  /** 1: leaves only at the last level. */
  get forcePages(): number { return this.r[43]!; }
  set forcePages(value: number) { this.r[43] = value; }
  /** 1 once a set access flag was seen; age: makeOld in bit 1. */
  get young(): number { return this.r[44]!; }
  set young(value: number) { this.r[44] = value; }
  /** Map as Linux 6.1 did: 1 + level of the table being replaced by a block, 0 none (a map looks at no access flags). */
  get anchor(): number { return this.young; }
  set anchor(value: number) { this.young = value; }
  /** Tables that the first walk of a recovery in place has broken (it looks at no access flags). */
  get brokenTables(): number { return this.young; }
  set brokenTables(value: number) { this.young = value; }
  /** FLUSH to perform. */
  get flushKind(): number { return this.r[45]!; }
  set flushKind(value: number) { this.r[45] = value; }
  /** Level hint of the flush, -1 none. */
  get flushLevel(): number { return this.r[46]!; }
  set flushLevel(value: number) { this.r[46] = value; }
  /** Where to go on after the flush. */
  get flushReturn(): number { return this.r[47]!; }
  set flushReturn(value: number) { this.r[47] = value; }
  /** Scale of the range instruction. */
  get flushScale(): number { return this.r[48]!; }
  set flushScale(value: number) { this.r[48] = value; }
  /** 1: map writes annotationLo/Hi and not a leaf. */
  get annotation(): number { return this.r[49]!; }
  set annotation(value: number) { this.r[49] = value; }
  /** Root of the stage-2 being destroyed (the VMM thread has no hardware walk of its own). */
  get destroyRoot(): number { return this.hardwareTable; }
  set destroyRoot(value: number) { this.hardwareTable = value; }
  /** Where to go on after an eager split (the VMM thread has no fault of its own). */
  get splitReturn(): number { return this.faultKind; }
  set splitReturn(value: number) { this.faultKind = value; }
  /** Address that the fault handler works on: that of the fault, aligned to the page size of the VMA (a vCPU has no range to go through). */
  get faultIpa(): number { return this.rangeCursor; }
  set faultIpa(value: number) { this.rangeCursor = value; }
  /** 1: the next fault of the access is to find the memory map changed (a vCPU runs no host operation). */
  get stale(): number { return this.hostPhase; }
  set stale(value: number) { this.hostPhase = value; }
  /** Virtual time that the next broadcast TLBI of the actor takes longer to complete. */
  get slowTlbiNs(): number { return this.r[INJECTED_FIRST]!; }
  set slowTlbiNs(value: number) { this.r[INJECTED_FIRST] = value; }
  /** 1 + table pages that the cache holds at most at the next need for some, when no more are to be had; 0 = the allocator works. */
  get starved(): number { return this.r[INJECTED_FIRST + 1]!; }
  set starved(value: number) { this.r[INJECTED_FIRST + 1] = value; }
  /** Virtual time for which the reclaim worker is stalled before it next asks whether it may go on. */
  get stallNs(): number { return this.r[INJECTED_FIRST + 2]!; }
  set stallNs(value: number) { this.r[INJECTED_FIRST + 2] = value; }
  /** OPERATION that the hypervisor carries out (its machines have no memslots). */
  get program(): number { return this.memslot; }
  set program(value: number) { this.memslot = value; }
  /** Address of the command. */
  get ipa(): number { return this.a[0]!; }
  set ipa(value: number) { this.a[0] = value; }
  /** Size of the command. */
  get bytes(): number { return this.a[1]!; }
  set bytes(value: number) { this.a[1] = value; }
  /** PA of the command. */
  get pa(): number { return this.a[2]!; }
  set pa(value: number) { this.a[2] = value; }
  /** Where the next chunk of a host operation begins. */
  get rangeCursor(): number { return this.a[3]!; }
  set rangeCursor(value: number) { this.a[3] = value; }
  /** Exclusive end of the host operation. */
  get rangeEnd(): number { return this.a[4]!; }
  set rangeEnd(value: number) { this.a[4] = value; }
  /** Dirty mask, pages 0-31. */
  get maskLo(): number { return this.a[5]!; }
  set maskLo(value: number) { this.a[5] = value; }
  /** Dirty mask, pages 32-63. */
  get maskHi(): number { return this.a[6]!; }
  set maskHi(value: number) { this.a[6] = value; }
  /** Walk address, bytes. */
  get addr(): number { return this.a[7]!; }
  set addr(value: number) { this.a[7] = value; }
  /** First address of the walk. */
  get start(): number { return this.a[8]!; }
  set start(value: number) { this.a[8] = value; }
  /** Exclusive end of the walk. */
  get end(): number { return this.a[9]!; }
  set end(value: number) { this.a[9] = value; }
  /** PA that `start` maps to. */
  get phys(): number { return this.a[10]!; }
  set phys(value: number) { this.a[10] = value; }
  /** Address still to be flushed. */
  get flushIpa(): number { return this.a[11]!; }
  set flushIpa(value: number) { this.a[11] = value; }
  /** Pages still to be flushed. */
  get flushPages(): number { return this.a[12]!; }
  set flushPages(value: number) { this.a[12] = value; }

  /** Whether the actor has nothing more to do, ever. */
  get isFinished(): boolean { return this.pc === PC.finished; }

  /** Saves the visit at the present level, before the walk goes down. */
  pushLevel(): void {
    const i = 50 + 4 * this.level;
    this.r[i] = this.table;
    this.r[i + 1] = this.slot;
    this.r[i + 2] = this.oldLo;
    this.r[i + 3] = this.oldHi;
  }

  /** Goes up one level: the visit saved there is the present one again. */
  popLevel(): void {
    this.level -= 1;
    const i = 50 + 4 * this.level;
    this.table = this.r[i]!;
    this.slot = this.r[i + 1]!;
    this.oldLo = this.r[i + 2]!;
    this.oldHi = this.r[i + 3]!;
  }

  /** Table of the descriptor by which the walk came to the present table. */
  get parentTable(): number { return this.r[46 + 4 * this.level]!; }
  /** Its slot. */
  get parentSlot(): number { return this.r[47 + 4 * this.level]!; }
  /** That descriptor as it was read, low half. */
  get linkLo(): number { return this.r[48 + 4 * this.level]!; }
  /** That descriptor as it was read, high half. */
  get linkHi(): number { return this.r[49 + 4 * this.level]!; }

  /** Walk address when the descriptor at the present level was visited. */
  get visitAddr(): number { return this.a[13 + this.level]!; }
  set visitAddr(value: number) { this.a[13 + this.level] = value; }

  /** Puts the present walk aside for a nested one. */
  pushWalk(): void {
    this.r.copyWithin(WALK_FIRST + WALK_COUNT, WALK_FIRST, WALK_FIRST + WALK_COUNT);
    this.a.copyWithin(WALK_WIDE_FIRST + WALK_WIDE_COUNT, WALK_WIDE_FIRST, WALK_WIDE_FIRST + WALK_WIDE_COUNT);
  }

  /** Goes back to the walk that was put aside. */
  popWalk(): void {
    this.r.copyWithin(WALK_FIRST, WALK_FIRST + WALK_COUNT, WALK_FIRST + 2 * WALK_COUNT);
    this.a.copyWithin(WALK_WIDE_FIRST, WALK_WIDE_FIRST + WALK_WIDE_COUNT, WALK_WIDE_FIRST + 2 * WALK_WIDE_COUNT);
  }
}
