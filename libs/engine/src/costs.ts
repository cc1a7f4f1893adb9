import { K } from '@s2lab/events';

/**
 * Virtual nanoseconds of one step of each sort, and of what makes steps wait for those of other actors (contention.ts). Every cost is a named parameter; a run states the set in force.
 */
export interface CostSet {
  /** What a visitor does for one descriptor besides its accesses: the call, the page's structure, misses of a walk through cold tables. */
  readonly visitNs: number;
  /** One load of a descriptor by software. */
  readonly descriptorReadNs: number;
  /** One plain or releasing store of a descriptor. */
  readonly descriptorStoreNs: number;
  /** One compare-and-exchange on a descriptor, won or lost. */
  readonly descriptorSwapNs: number;
  /** One atomic change of a table page's reference count, or of the count of those who hold the page. */
  readonly referenceNs: number;
  /** Taking a zeroed page out of a cache, or giving one back. */
  readonly tablePageNs: number;
  /** Issuing one TLBI. */
  readonly tlbiNs: number;
  /** Waiting for a DSB of the inner shareable domain after a TLBI. The interconnect completes one at a time: who comes second waits longer. */
  readonly dsbAfterTlbiNs: number;
  /** What each further core adds to that: all of them answer. */
  readonly dsbCoreNs: number;
  /** A DSB with nothing to wait for. */
  readonly dsbNs: number;
  /** Uncontended lock operation; read-side section enter or leave; a hazard pointer or an epoch published (a store and its barrier) or withdrawn. */
  readonly lockNs: number;
  /** Moving a cache line that another actor changed last, one move at a time: locks and counts that many actors change. 0 = lines are free. */
  readonly lineTransferNs: number;
  /** Cache maintenance of 4 KiB. */
  readonly cacheMaintenanceNs: number;
  /** What each other actor that does cache maintenance at the same time adds to that. */
  readonly cleanBesideNs: number;
  /** A guest access by a cached translation. */
  readonly tlbHitNs: number;
  /** One descriptor read of the hardware walker. */
  readonly hardwareReadNs: number;
  /** Exit to the hypervisor and back for a stage-2 fault, without the handler's walk. */
  readonly faultNs: number;
  /** Entering and leaving the VMM thread for one operation. */
  readonly operationNs: number;
  /** Shortest time from the begin of a grace period to its end. */
  readonly gracePeriodNs: number;
  /** Topping up a cache of table pages. */
  readonly topUpNs: number;
  /** The host zeroes 4 KiB of guest memory that nobody touched before; 0 = guests begin with memory that is there. */
  readonly zeroPageNs: number;
  /** What each other actor that zeroes at the same time adds to that. */
  readonly zeroBesideNs: number;
  /** Looking at the state that the hypervisor notes of one page (8 bytes), page after page, as eager coalescing does. An estimate. */
  readonly pageStateNs: number;
  /** Share of memory bandwidth that zeroing 4 KiB takes: all actors together zero no faster than that. */
  readonly memoryPageNs: number;
}

/**
 * Starting costs.
 * @source kernel-list cover letters: a descriptor visit about 0.43 us with its share of the walk, TLBI with DSB broadcast 1.5 us,
 * teardown 0.49 us a descriptor (Wang 20210310094319.18760-1; Ananta 20230811045127.3308641-1); the split of a visit into its
 * accesses is an estimate. Grace period: assumed 2 ms, that of a lightly loaded host. docs/adr/0029 names the source of those by which
 * actors wait for each other, and says which are fitted.
 */
export const DEFAULT_COSTS: CostSet = {
  visitNs: 345,
  descriptorReadNs: 20,
  descriptorStoreNs: 25,
  descriptorSwapNs: 40,
  referenceNs: 20,
  tablePageNs: 150,
  tlbiNs: 100,
  dsbAfterTlbiNs: 650,
  dsbCoreNs: 1,
  dsbNs: 20,
  lockNs: 20,
  lineTransferNs: 62,
  cacheMaintenanceNs: 170,
  cleanBesideNs: 0,
  tlbHitNs: 2,
  hardwareReadNs: 15,
  faultNs: 1200,
  operationNs: 500,
  gracePeriodNs: 2_000_000,
  topUpNs: 2000,
  zeroPageNs: 0,
  pageStateNs: 1,
  zeroBesideNs: 29,
  memoryPageNs: 31,
};

/** Codes of kinds lie below this. */
const KIND_CODES = 1 + Math.max(...Object.values(K));

/**
 * Cost in ns by event kind code: what committing an event of that kind adds to its actor's virtual time.
 * @param coherent fwb: FEAT_S2FWB, by which the kernel's calls that clean to the point of coherency do nothing; dic: FEAT_DIC, by which those that
 * invalidate the instruction cache are a barrier. @source Linux arch/arm64/include/asm/kvm_mmu.h __clean_dcache_guest_page()
 */
export function costByKind(costs: CostSet, coherent: { readonly fwb: boolean; readonly dic: boolean }): Readonly<Float64Array> {
  const key = [coherent.fwb, coherent.dic, ...Object.values(costs)].join();
  const table = TABLES.get(key) ?? tableOf(costs, coherent);
  TABLES.set(key, table);
  return table;
}

/** Tables made so far: the machines of a fleet have the same costs, and share one. */
const TABLES = new Map<string, Readonly<Float64Array>>();

function tableOf(costs: CostSet, coherent: { readonly fwb: boolean; readonly dic: boolean }): Float64Array {
  const table = new Float64Array(KIND_CODES);
  const set = (cost: number, ...kinds: number[]) => kinds.forEach((kind) => (table[kind] = cost));
  set(costs.descriptorReadNs, K.descriptorRead, K.hazardScanned, K.epochRead, K.epochScanned);
  set(costs.descriptorStoreNs, K.descriptorStored, K.descriptorReleased);
  set(costs.descriptorSwapNs, K.descriptorSwapped, K.descriptorSwapFailed, K.descriptorHardwareUpdated, K.epochAdvanced);
  set(costs.referenceNs, K.referenceGot, K.referencePut, K.referenceRead);
  set(costs.referenceNs, K.walkerReferenceGot, K.walkerReferencePut, K.walkerReferenceRefused);
  set(costs.tablePageNs, K.tableAllocated, K.tableReused, K.tableFreed);
  set(costs.tlbiNs, K.tlbiIssued);
  set(costs.dsbNs, K.dsbCompleted, K.isbCompleted);
  set(costs.lockNs, K.lockAcquired, K.lockReleased, K.lockContended, K.readSectionEntered, K.readSectionLeft);
  set(costs.lockNs, K.hazardPublished, K.hazardCleared, K.epochAnnounced, K.epochWithdrawn);
  set(coherent.fwb ? 0 : costs.cacheMaintenanceNs, K.dcacheCleaned);
  set(coherent.dic ? costs.dsbNs : costs.cacheMaintenanceNs, K.icacheInvalidated);
  set(costs.tlbHitNs, K.guestAccessed);
  set(costs.hardwareReadNs, K.hardwareDescriptorRead);
  set(costs.faultNs, K.faultTaken);
  set(costs.operationNs, K.operationBegan);
  set(costs.topUpNs, K.cacheToppedUp);
  set(costs.referenceNs, K.pageStateChanged, K.memcachePushed);
  set(costs.cacheMaintenanceNs, K.pageWiped);
  return table;
}
