import type { Unit } from '@s2lab/dashboards';
import { bytes, duration, short } from '../../numbers.ts';

/** How values of a unit are written, and which distances grid lines may have. */
export interface UnitText {
  format(value: number): string;
  readonly increments: readonly number[];
}

const FINE = powers(10, -9, 12, [1, 2, 5]);
const BINARY = powers(2, 0, 50, [1]);

function powers(base: number, from: number, to: number, steps: readonly number[]): number[] {
  return Array.from({ length: to - from }, (_, i) => steps.map((step) => step * base ** (from + i))).flat();
}

/** Every unit of a panel. */
export const UNITS: Readonly<Record<Unit, UnitText>> = {
  short: { format: short, increments: FINE },
  cps: { format: (value) => `${short(value)}/s`, increments: FINE },
  s: { format: (value) => (value === 0 ? '0 s' : duration(value * 1e9)), increments: FINE },
  bytes: { format: bytes, increments: BINARY },
  Bps: { format: (value) => `${bytes(value)}/s`, increments: BINARY },
  percentunit: { format: (value) => `${Number((100 * value).toPrecision(3))} %`, increments: FINE },
  bool_yes_no: { format: (value) => (value === 0 ? 'no' : 'yes'), increments: [1] },
};
