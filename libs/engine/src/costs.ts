import { K } from '@s2lab/events';

/** Virtual nanoseconds of one step of each sort. Every cost is a named parameter; a run states the set in force. */
export interface CostSet {
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
  /** Waiting for a DSB of the inner shareable domain after a TLBI. */
  readonly dsbAfterTlbiNs: number;
  /** A DSB with nothing to wait for. */
  readonly dsbNs: number;
  /** Uncontended lock operation; read-side section enter or leave; a hazard pointer or an epoch published (a store and its barrier) or withdrawn. */
  readonly lockNs: number;
  /** Cache maintenance of one page. */
  readonly cacheMaintenanceNs: number;
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
}

/**
 * Starting costs.
 * @source kernel-list cover letters: a descriptor visit about 0.43 us with its share of the walk, TLBI with DSB broadcast 1.5 us,
 * teardown 0.49 us a descriptor (Wang 20210310094319.18760-1; Ananta 20230811045127.3308641-1); the split of a visit into its
 * accesses is an estimate. Grace period: assumed 2 ms, that of a lightly loaded host.
 */
export const DEFAULT_COSTS: CostSet = {
  descriptorReadNs: 20,
  descriptorStoreNs: 25,
  descriptorSwapNs: 40,
  referenceNs: 20,
  tablePageNs: 150,
  tlbiNs: 100,
  dsbAfterTlbiNs: 650,
  dsbNs: 20,
  lockNs: 20,
  cacheMaintenanceNs: 170,
  tlbHitNs: 2,
  hardwareReadNs: 15,
  faultNs: 1200,
  operationNs: 500,
  gracePeriodNs: 2_000_000,
  topUpNs: 2000,
};

/** Cost in ns by event kind code: what committing an event of that kind adds to its actor's virtual time. */
export function costByKind(costs: CostSet): Float64Array {
  const table = new Float64Array(256);
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
  set(costs.cacheMaintenanceNs, K.dcacheCleaned, K.icacheInvalidated);
  set(costs.tlbHitNs, K.guestAccessed);
  set(costs.hardwareReadNs, K.hardwareDescriptorRead);
  set(costs.faultNs, K.faultTaken);
  set(costs.operationNs, K.operationBegan);
  set(costs.topUpNs, K.cacheToppedUp);
  set(costs.referenceNs, K.pageStateChanged, K.memcachePushed);
  set(costs.cacheMaintenanceNs, K.pageWiped);
  return table;
}
