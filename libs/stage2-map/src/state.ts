import type { Geometry, LeafFeatures } from '@s2lab/arch';
import { geometry } from '@s2lab/arch';
import type { PendingFree } from '@s2lab/timeline';
import type { LevelRuns } from './level-runs.ts';

/** What the slots of a run hold. `annotated` = invalid, with an owner's mark. */
export const SLOT = { empty: 0, table: 1, block: 2, page: 3, locked: 4, annotated: 5 } as const;

/** Names of the states by code (SLOT). */
export const SLOT_NAMES = ['invalid', 'table', 'block', 'page', 'locked', 'owner annotation'] as const;

/** Shape of a stage-2 as plain data; `shapeOf` computes the rest. */
export interface MapShape {
  readonly pageShift: number;
  /** log2 of the descriptors in a table; absent = those of the granule. */
  readonly indexBits?: number | undefined;
  readonly ipaBits: number;
  readonly lpa2: boolean;
}

/** Where an actor stands in the tables at this moment. */
export interface WalkerMark {
  readonly actor: number;
  /** `vCPU 3`, `VMM`, `reclaim worker`. */
  readonly name: string;
  /** A hardware walk respects no software protection. `waits` = for the MMU lock, at no descriptor. */
  readonly kind: 'software' | 'hardware' | 'waits';
  /** Level, table and slot it touched last; -1 when it waits. */
  readonly level: number;
  readonly table: number;
  readonly slot: number;
  /** Input address it is at; NaN in a sub-tree that no descriptor leads to. */
  readonly ipa: number;
  /** Event that brought it there. */
  readonly sinceSeq: number;
  /** What it is doing, in words. */
  readonly why: string;
}

/** A range of guest memory. */
export interface MemslotMark {
  readonly id: number;
  readonly ipa: number;
  readonly bytes: number;
  /** Its dirty pages are logged. */
  readonly logging: boolean;
}

/** Which machine a state is of. */
export interface MapOrigin {
  readonly run: string;
  readonly machine: number;
  readonly policy: string;
  readonly machineKind: string;
}

/** A stage-2 at one moment, as plain data: what the map draws. */
export interface Stage2State {
  readonly origin: MapOrigin;
  /** Which stage-2 of the machine; -1 = it has none. */
  readonly vmid: number;
  /** Those that it has: more than one under pKVM. */
  readonly vmids: readonly number[];
  /** Last event of the machine that the state includes; -1 = none. */
  readonly seq: number;
  /** Virtual time of that event, ns. */
  readonly atNs: number;
  /** Undefined while the machine has no stage-2. */
  readonly shape: MapShape | undefined;
  readonly features: LeafFeatures;
  /** Input addresses covered, bytes; `to` is exclusive. */
  readonly from: number;
  readonly to: number;
  /** First and last level covered. */
  readonly top: number;
  readonly bottom: number;
  /** By level 0…3: the slots of the tables of that level, by address. Levels that are not covered have no runs. */
  readonly levels: readonly LevelRuns[];
  /** Whether every run is exact; otherwise neighbouring runs were merged to bound the answer. */
  readonly exact: boolean;
  /** Tables that live. */
  readonly tables: number;
  readonly pending: readonly PendingFree[];
  readonly walkers: readonly WalkerMark[];
  readonly memslots: readonly MemslotMark[];
}

/** The geometry of a state. Undefined while the machine has no stage-2. */
export function shapeOf(state: Stage2State): Geometry | undefined {
  const { shape } = state;
  return shape === undefined ? undefined : geometry(shape.pageShift, shape.ipaBits, shape.lpa2, shape.indexBits);
}
