/*
 * Program counters. The group (value >> 5) picks the file that holds the step, the rest the step in it.
 */
const group = (n: number) => n << 5;

/** Groups of steps: one file each. */
export const GROUP = {
  idle: 0,
  walk: 1,
  map: 2,
  unmap: 3,
  attributes: 4,
  free: 5,
  split: 6,
  flush: 7,
  lock: 8,
  guest: 9,
  fault: 10,
  host: 11,
  reclaim: 12,
  hostSplit: 13,
  memory: 14,
  straight: 15,
} as const;

/** Program counters of a walker; see the file of each group. */
export const PC = {
  idle: group(0),
  finished: group(0) + 1,

  walkBegin: group(1),
  walkEnter: group(1) + 1,
  walkRead: group(1) + 2,
  walkDescend: group(1) + 3,
  walkReread: group(1) + 4,
  walkAscend: group(1) + 5,
  walkExit: group(1) + 6,
  walkEnd: group(1) + 7,
  walkUnwind: group(1) + 8,
  walkVisited: group(1) + 9,

  mapAllocate: group(2),
  mapBreak: group(2) + 1,
  mapBreakPut: group(2) + 2,
  mapClean: group(2) + 3,
  mapInvalidate: group(2) + 4,
  mapGet: group(2) + 5,
  mapMake: group(2) + 6,
  mapRetire: group(2) + 7,
  mapPutChild: group(2) + 8,
  mapSoftwareCount: group(2) + 9,
  mapSoftwareStore: group(2) + 10,
  mapReclaimed: group(2) + 11,
  mapBarrier: group(2) + 12,

  unmapClear: group(3),
  unmapPut: group(3) + 1,
  unmapClean: group(3) + 2,
  unmapCount: group(3) + 3,
  unmapClearTable: group(3) + 4,
  unmapPutParent: group(3) + 5,
  unmapPutChild: group(3) + 6,
  unmapFlushed: group(3) + 7,

  attributesInvalidate: group(4),
  attributesSet: group(4) + 1,
  flushClean: group(4) + 2,
  attributesBarrier: group(4) + 3,
  ageSet: group(4) + 4,
  relaxFlush: group(4) + 5,

  freeLeaf: group(5),
  freeCount: group(5) + 1,
  freePutParent: group(5) + 2,
  freePutChild: group(5) + 3,
  freeClear: group(5) + 4,
  freeRootCount: group(5) + 5,
  freeRootPut: group(5) + 6,

  splitAllocate: group(6),
  splitBuilt: group(6) + 1,
  splitBarrier: group(6) + 2,

  flushFirst: group(7),
  flushRange: group(7) + 1,
  flushSync: group(7) + 2,
  flushCombined: group(7) + 3,
  flushLast: group(7) + 4,
  flushIsb: group(7) + 5,
  flushEnter: group(7) + 6,

  lockAcquire: group(8),
  lockRelease: group(8) + 1,

  guestAccess: group(9),
  guestRead: group(9) + 1,
  guestAccessFlag: group(9) + 2,

  faultTaken: group(10),
  faultTopUp: group(10) + 1,
  faultLocked: group(10) + 2,
  faultWalked: group(10) + 3,
  faultUnlocked: group(10) + 4,
  faultHandled: group(10) + 5,
  faultRelock: group(10) + 6,

  hostBoot: group(11),
  hostLocked: group(11) + 1,
  hostChunk: group(11) + 2,
  hostChunkDone: group(11) + 3,
  hostUnlock: group(11) + 4,
  hostUnlocked: group(11) + 5,
  hostRelock: group(11) + 6,
  hostFreeRoot: group(11) + 7,
  hostWait: group(11) + 8,
  hostEnd: group(11) + 9,

  splitNext: group(13),
  splitChunk: group(13) + 1,
  splitChunkDone: group(13) + 2,

  memoryEvents: group(14),
  memoryUnlocked: group(14) + 1,

  straightLocked: group(15),
  straightWalked: group(15) + 1,
  straightRelock: group(15) + 2,
  straightUnlocked: group(15) + 3,

  reclaimIdle: group(12),
  reclaimAsk: group(12) + 1,
  reclaimBegin: group(12) + 2,
  reclaimEnd: group(12) + 3,
} as const;
