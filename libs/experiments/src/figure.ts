/** One figure that the engine gives, beside the published one if there is one. */
export interface Figure {
  /** What is compared, and at which point: "dirty, speed-up, 16 vCPUs". */
  readonly name: string;
  /** Absent: nobody published it, the lab's own. */
  readonly published?: number;
  readonly simulated: number;
  /** Greatest deviation that counts as reproduced, as a share of the published figure; 0: must be equal. Absent: shown, and not judged. */
  readonly tolerance?: number;
  /** Whether a cost was fitted with this figure in view: then it shows that the model can be fitted, and predicts nothing. */
  readonly fitted?: boolean;
  /** The figures that the published one, which is rounded, may stand for: [least, greatest]. */
  readonly roundedFrom?: readonly [number, number];
}

/** What a comparison says: `rounding` is within tolerance of a figure that the published one, rounded, may stand for. */
export type Judgement = 'equal' | 'within' | 'rounding' | 'miss' | 'shown';

/** Deviation of the simulated figure from the published one, as a share of it; undefined when there is none. */
export function deviation({ simulated, published }: Figure): number | undefined {
  if (published === undefined) return undefined;
  return simulated === published ? 0 : simulated / published - 1;
}

/** Whether a figure is reproduced. */
export function judge(figure: Figure): Judgement {
  const { tolerance, simulated, published, roundedFrom } = figure;
  const off = deviation(figure);
  if (tolerance === undefined || off === undefined) return 'shown';
  if (tolerance === 0) return simulated === published ? 'equal' : 'miss';
  if (Math.abs(off) <= tolerance) return 'within';
  if (roundedFrom === undefined) return 'miss';
  const [least, greatest] = roundedFrom;
  return simulated >= least * (1 - tolerance) && simulated <= greatest * (1 + tolerance) ? 'rounding' : 'miss';
}

/** What the quotient of two published figures may stand for, each of them rounded to a multiple of `unit`. */
export function quotientRange(dividend: number, divisor: number, unit: number): readonly [number, number] {
  return [(dividend - unit / 2) / (divisor + unit / 2), (dividend + unit / 2) / (divisor - unit / 2)];
}
