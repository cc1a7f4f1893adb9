import type { LeafFeatures } from '@s2lab/arch';
import type { PendingFree } from '@s2lab/timeline';
import { LevelRuns } from './level-runs.ts';
import type { MapOrigin, MapShape, MemslotMark, Stage2State, WalkerMark } from './state.ts';

/** Version of the JSON below; another one is refused. */
export const STATE_JSON_VERSION = 1;

/** Runs of one level: one array a column, all of the same length. */
export interface LevelJson {
  readonly level: number;
  readonly ipa: readonly number[];
  readonly count: readonly number[];
  readonly table: readonly number[];
  readonly slot: readonly number[];
  readonly state: readonly number[];
  readonly lo: readonly number[];
  readonly hi: readonly number[];
  readonly merged: readonly number[];
  readonly share: readonly number[];
}

/** A `Stage2State` as it travels: addresses and sizes in bytes, descriptors as unsigned halves, `null` for an address that is not known. */
export interface Stage2StateJson {
  readonly version: typeof STATE_JSON_VERSION;
  readonly origin: MapOrigin;
  readonly vmid: number;
  readonly vmids: readonly number[];
  readonly seq: number;
  readonly atNs: number;
  readonly shape: MapShape | null;
  readonly features: LeafFeatures;
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly bottom: number;
  readonly exact: boolean;
  readonly tables: number;
  readonly levels: readonly LevelJson[];
  readonly pending: readonly PendingFree[];
  readonly walkers: readonly (Omit<WalkerMark, 'ipa'> & { readonly ipa: number | null })[];
  readonly memslots: readonly MemslotMark[];
}

/** A state as JSON. */
export function stateToJson(state: Stage2State): Stage2StateJson {
  const { levels, walkers, shape, features, ...plain } = state;
  return {
    version: STATE_JSON_VERSION,
    ...plain,
    shape: shape ?? null,
    features: { fwb: features.fwb, xnx: features.xnx, asStage1: features.asStage1 },
    levels: levels.map(levelToJson).filter(({ level }) => level >= state.top && level <= state.bottom),
    walkers: walkers.map((walker) => ({ ...walker, ipa: Number.isNaN(walker.ipa) ? null : walker.ipa })),
  };
}

/**
 * The state that `stateToJson` was given.
 * @throws Error for another version, and for columns of different lengths
 */
export function stateFromJson(json: Stage2StateJson): Stage2State {
  const { version, shape, levels, walkers, ...plain } = json;
  const given: number = version;
  if (given !== STATE_JSON_VERSION) throw new Error(`stage-2 state of version ${given}; this program reads version ${STATE_JSON_VERSION}`);
  const runs = [0, 1, 2, 3].map((level) => {
    const found = levels.find((one) => one.level === level);
    return found === undefined ? new LevelRuns() : levelFromJson(found);
  });
  return {
    ...plain,
    shape: shape ?? undefined,
    levels: runs,
    walkers: walkers.map((walker) => ({ ...walker, ipa: walker.ipa ?? NaN })),
  };
}

function levelToJson(runs: LevelRuns, level: number): LevelJson {
  const column = (values: ArrayLike<number>): number[] => Array.from({ length: runs.length }, (_, i) => values[i]!);
  return {
    level,
    ipa: column(runs.ipa),
    count: column(runs.count),
    table: column(runs.table),
    slot: column(runs.slot),
    state: column(runs.state),
    lo: column(runs.lo),
    hi: column(runs.hi),
    merged: column(runs.merged),
    share: column(runs.share),
  };
}

function levelFromJson(json: LevelJson): LevelRuns {
  const { level, ...columns } = json;
  const length = json.ipa.length;
  for (const [name, values] of Object.entries(columns))
    if (values.length !== length)
      throw new Error(`stage-2 state: column ${name} of level ${level} has ${values.length} of ${length} values`);
  const runs = new LevelRuns();
  for (let i = 0; i < length; i += 1)
    runs.add(
      json.ipa[i]!,
      json.count[i]!,
      json.table[i]!,
      json.slot[i]!,
      json.state[i]!,
      json.lo[i]!,
      json.hi[i]!,
      json.merged[i]!,
      json.share[i]!,
    );
  return runs;
}
