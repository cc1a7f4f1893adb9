import type { MemoryModel } from '@s2lab/engine';

/** How large the machine of a scenario is. */
export interface FullBounds {
  /** vCPUs that fault on pages that are not mapped. */
  readonly walkers: number;
  /** vCPUs whose fault may replace a table by a block. */
  readonly collapsers: number;
  /** Blocks, so tables, that they work on. */
  readonly entries: number;
  /** Descriptors in a table: 2, 4 or 8. */
  readonly slots: number;
  /** Whether guests access memory through TLBs and hardware walks; else each fault is the walk of its handler alone. */
  readonly hardware: boolean;
  /** How stores become visible to other cores; absent = at once. */
  readonly memory?: MemoryModel;
}
