import { TraceLocks, TraceRoots } from '../casemate/locks-and-roots.ts';
import { ThreadRegisters, TraceChecker } from '../casemate/trace-checker.ts';
import { TraceTables } from '../casemate/trace-tables.ts';
import { TrackedMemory } from '../casemate/tracked-memory.ts';
import { UncleanEntries } from '../casemate/unclean-entries.ts';
import { Balances, Holders } from '../rules/i07-reference-counts.ts';
import { LockShadow } from '../rules/i09-locks.ts';
import { FaultPages } from '../rules/i12-dirty-logging.ts';
import { ActorNumbers } from '../shadow/actor-numbers.ts';
import { Actors } from '../shadow/actors.ts';
import { CachedEntries } from '../shadow/cached-entries.ts';
import { DirtyBitmap, DirtyLogs } from '../shadow/dirty-log.ts';
import { LockedSlots } from '../shadow/locked-slots.ts';
import { MemoryMap } from '../shadow/memory-map.ts';
import { PageOwners } from '../shadow/page-owners.ts';
import { PendingFlushes } from '../shadow/pending-flushes.ts';
import { Tables } from '../shadow/tables.ts';
import { PendingTlbis, TlbShadow, VcpuTlb } from '../shadow/tlb.ts';
import { World } from '../shadow/world.ts';
import type { GraphClass } from './object-graph.ts';

const PAGE_SHIFT = 12;

/** Classes whose instances are part of a verifier’s state. One that is missing makes every snapshot fail, with its name. */
export const SNAPSHOT_CLASSES: readonly GraphClass[] = [
  ['World', () => new World(1, PAGE_SHIFT, PAGE_SHIFT - 3)],
  ['Tables', () => new Tables(512)],
  ['Actors', () => new Actors()],
  ['ActorNumbers', () => new ActorNumbers(0)],
  ['LockedSlots', () => new LockedSlots()],
  ['TlbShadow', () => new TlbShadow(new World(1, PAGE_SHIFT, PAGE_SHIFT - 3))],
  ['VcpuTlb', () => new VcpuTlb()],
  ['PendingTlbis', () => new PendingTlbis()],
  ['CachedEntries', () => new CachedEntries()],
  ['DirtyLogs', () => new DirtyLogs(4096)],
  ['DirtyBitmap', () => new DirtyBitmap(0, 0, 4096, 4096, false)],
  ['PendingFlushes', () => new PendingFlushes()],
  ['MemoryMap', () => new MemoryMap()],
  ['PageOwners', () => new PageOwners(4096)],
  ['Balances', () => new Balances()],
  ['Holders', () => new Holders()],
  ['LockShadow', () => new LockShadow(0)],
  ['FaultPages', () => new FaultPages()],
  ['TraceChecker', () => new TraceChecker({ accessFlagExcuses: false, vmidCompared: false })],
  ['TraceTables', () => new TraceTables()],
  ['TrackedMemory', () => new TrackedMemory()],
  ['UncleanEntries', () => new UncleanEntries()],
  ['TraceLocks', () => new TraceLocks()],
  ['TraceRoots', () => new TraceRoots()],
  ['ThreadRegisters', () => new ThreadRegisters()],
];
