import type { Model } from './model.ts';
import { EagerModel } from './eager.ts';
import { GracePeriodModel } from './grace-period.ts';
import { NaiveReferences, SafeReferences } from './references.ts';
import { RwlockModel } from './rwlock.ts';
import type { Bounds } from './small-model.ts';

/** One of the small scenarios: a model of a design with few processes and a top table of few entries. */
export interface SmallScenario {
  readonly name: string;
  readonly summary: string;
  /** Whether mappers, which reuse freed pages, are part of it; their number when none is given. */
  readonly mappers: false | number;
  /** For scenarios that are a defect of another one. */
  readonly mutantOf?: string;
  build(bounds: Bounds): Model;
}

/** The small scenarios, version 1 of their semantics (docs/CHECKER.md). */
export const SMALL_SCENARIOS: readonly SmallScenario[] = [
  {
    name: 'S1',
    summary: 'references taken blindly after reading the entry',
    mappers: false,
    build: (bounds) => new NaiveReferences(bounds),
  },
  {
    name: 'S2',
    summary: 'references unless zero, then the entry is read again',
    mappers: 0,
    build: (bounds) => new SafeReferences(bounds, { unlessZero: true, revalidate: true }),
  },
  {
    name: 'S2N',
    summary: 'S2 without reading the entry again; pages are reused',
    mappers: 1,
    mutantOf: 'S2',
    build: (bounds) => new SafeReferences(bounds, { unlessZero: true, revalidate: false }),
  },
  {
    name: 'S2Z',
    summary: 'S2 with references taken even from zero',
    mappers: 0,
    mutantOf: 'S2',
    build: (bounds) => new SafeReferences(bounds, { unlessZero: false, revalidate: true }),
  },
  { name: 'S3', summary: 'RCU: the collapser polls every walker', mappers: 0, build: (bounds) => new GracePeriodModel(bounds, 'polled') },
  {
    name: 'S3A',
    summary: 'RCU with an ideal grace period: walkers inside at one moment',
    mappers: 0,
    build: (bounds) => new GracePeriodModel(bounds, 'ideal'),
  },
  {
    name: 'S3G',
    summary: 'S3 without its grace period',
    mappers: 0,
    mutantOf: 'S3',
    build: (bounds) => new GracePeriodModel(bounds, 'none'),
  },
  { name: 'S4', summary: 'a lock, for reading and for writing', mappers: false, build: (bounds) => new RwlockModel(bounds, true) },
  {
    name: 'S4L',
    summary: 'S4 with walkers that do not take the lock',
    mappers: false,
    mutantOf: 'S4',
    build: (bounds) => new RwlockModel(bounds, false),
  },
  {
    name: 'S5',
    summary: 'eager teardown under child locks, nothing else',
    mappers: false,
    build: (bounds) => new EagerModel(bounds, 'none'),
  },
  { name: 'S5R', summary: 'S5 inside RCU sections', mappers: false, build: (bounds) => new EagerModel(bounds, 'sections') },
  { name: 'S5T', summary: 'S5 with pages that stay pages', mappers: false, build: (bounds) => new EagerModel(bounds, 'type-stable') },
];

/** The scenario called `name`, in either case of letters; undefined when there is none. */
export function smallScenario(name: string): SmallScenario | undefined {
  return SMALL_SCENARIOS.find((scenario) => scenario.name === name.toUpperCase());
}
