import type { ChartFrame } from '../../charts/chart.ts';
import type { SampleField } from '../../../sample.ts';
import { FIELD } from '../../../sample.ts';
import { bytes, short } from '../../numbers.ts';

/** Seconds that the live view shows at most. */
export const LIVE_WINDOW = 75;

/** One chart of the live view. */
export interface ChartSpec extends Omit<ChartFrame, 'windowMax'> {
  /** One line a group, or one line for each of `parts`, added up over all groups. */
  readonly parts?: readonly { readonly name: string; readonly field: SampleField }[];
  /** Value of a group from its numbers now, its numbers `seconds` earlier, and these seconds. */
  value(now: readonly number[], before: readonly number[], seconds: number): number;
}

const DECIMAL = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, ...powers(10, [1, 2, 5])];
const WHOLE = powers(10, [1, 2, 5]);
const BINARY = powers(2, [1]);

function powers(base: number, steps: readonly number[]): number[] {
  return Array.from({ length: base === 2 ? 50 : 13 }, (_, exponent) => steps.map((step) => step * base ** exponent)).flat();
}

/** A rate per wall second of the sum of `fields`. */
function rate(...fields: readonly SampleField[]): ChartSpec['value'] {
  return (now, before, seconds) => fields.reduce((sum, field) => sum + now[FIELD[field]]! - before[FIELD[field]]!, 0) / seconds;
}

/** What is held now. */
function held(field: SampleField): ChartSpec['value'] {
  return (now) => now[FIELD[field]]!;
}

/** The charts of the live view, in reading order. */
export const CHARTS: readonly ChartSpec[] = [
  {
    title: 'Collapse rate',
    unit: '/s',
    help: 'Tables replaced by one block, per wall second',
    value: rate('collapses'),
    format: short,
    increments: DECIMAL,
  },
  {
    title: 'Pending frees',
    unit: '',
    help: 'Unlinked sub-trees that wait to be reclaimed, now',
    value: held('pendingFrees'),
    format: short,
    increments: WHOLE,
  },
  {
    title: 'Faults by kind',
    unit: '/s',
    help: 'Stage-2 faults taken, all machines, per wall second',
    format: short,
    increments: DECIMAL,
    value: () => 0,
    parts: [
      { name: 'translation', field: 'faultsTranslation' },
      { name: 'permission', field: 'faultsPermission' },
      { name: 'access', field: 'faultsAccessFlag' },
    ],
  },
  {
    title: 'TLB invalidations',
    unit: '/s',
    help: 'TLBI instructions, per wall second',
    value: rate('tlbis'),
    format: short,
    increments: DECIMAL,
  },
  {
    title: 'Waits and retries',
    unit: '/s',
    help: 'Lock acquisitions that had to wait and walks that restarted, per wall second',
    value: rate('lockWaits', 'retries'),
    format: short,
    increments: DECIMAL,
  },
  {
    title: 'Table memory',
    unit: '',
    help: 'Memory of the table pages that live, now',
    value: held('tableBytes'),
    format: bytes,
    increments: BINARY,
  },
  { title: 'Events', unit: '/s', help: 'Events committed, per wall second', value: rate('events'), format: short, increments: DECIMAL },
  {
    title: 'Violations',
    unit: '',
    help: 'Violations of invariants since the start',
    value: held('violations'),
    format: short,
    increments: WHOLE,
  },
];
