import { CheckError } from './check-error.ts';
import type { CounterexampleText } from './counterexample.ts';
import { counterexampleText } from './counterexample.ts';
import { DporSearch } from './dpor-search.ts';
import type { Model } from './model.ts';
import { smallScenario, SMALL_SCENARIOS } from './scenarios.ts';
import type { Bounds } from './small-model.ts';
import type { Counterexample } from './state-search.ts';
import { StateSearch } from './state-search.ts';

/** The order of a search: `bfs` and `dfs` store states, `dpor` runs one execution of each class of equivalent ones. */
export type Strategy = 'bfs' | 'dfs' | 'dpor';

/** What stored-state searches may leave out. */
export interface Reductions {
  readonly symmetry: boolean;
  readonly partialOrder: boolean;
}

/** What to check, and how. */
export interface CheckOptions {
  readonly scenario: string;
  /** Without `mappers`, as many as the scenario has of itself. */
  readonly bounds: Omit<Bounds, 'mappers'> & { readonly mappers?: number | undefined };
  readonly strategy: Strategy;
  readonly reductions: Reductions;
  /** Bytes that stored states may take. */
  readonly maxBytes: number;
}

/** The answer to a check. Counts are those of the last search: after a violation found with steps left out, the one for the shortest counterexample. */
export interface CheckReport {
  readonly verdict: 'safe' | 'violated' | 'unfinished';
  readonly scenario: string;
  readonly bounds: Bounds;
  readonly strategy: Strategy;
  readonly reductions: readonly string[];
  /** States reached, those that a stored one stands for included; null where no states are stored. */
  readonly reachedStates: number | null;
  readonly storedStates: number;
  readonly transitions: number;
  /** Whole executions run; null where states are stored. */
  readonly executions: number | null;
  readonly counterexampleSteps: number | null;
  /** Whether there is no shorter counterexample. */
  readonly shortest: boolean;
  readonly counterexample: CounterexampleText | null;
  /** Why there is no verdict. */
  readonly unfinishedBecause: string | null;
}

const MOST = 8;
/** States expanded, and executions run, in one slice: some tens of milliseconds. */
const STATES_A_SLICE = 20_000;
const EXECUTIONS_A_SLICE = 500;

/** One check, done in slices. */
export class Check {
  readonly bounds: Bounds;
  private readonly options: CheckOptions;
  private readonly build: () => Model;
  private search: StateSearch | DporSearch;
  /** A counterexample that may not be the shortest. */
  private first: StateSearch | undefined;
  private readonly names: readonly string[];

  /** @throws CheckError when there is no such scenario, or the bounds are not for it */
  constructor(options: CheckOptions) {
    this.options = options;
    const scenario = smallScenario(options.scenario);
    if (scenario === undefined) {
      throw new CheckError(
        `scenario '${options.scenario}' does not exist; there are ${SMALL_SCENARIOS.map(({ name }) => name).join(', ')}`,
      );
    }
    const { walkers, collapsers, entries, mappers } = options.bounds;
    if (scenario.mappers === false && (mappers ?? 0) > 0)
      throw new CheckError(`scenario ${scenario.name} has no mappers; leave --mappers out`);
    this.bounds = { walkers, collapsers, entries, mappers: scenario.mappers === false ? 0 : (mappers ?? scenario.mappers) };
    for (const [name, least] of [
      ['walkers', 1],
      ['collapsers', 0],
      ['entries', 1],
      ['mappers', 0],
    ] as const) {
      const value = this.bounds[name];
      if (!Number.isInteger(value) || value < least || value > MOST)
        throw new CheckError(`${value} ${name}: there may be ${least} to ${MOST}`);
    }
    this.names = [scenario.name, ...(scenario.mutantOf === undefined ? [] : [scenario.mutantOf])];
    this.build = () => scenario.build(this.bounds);
    try {
      this.search = this.start(options.reductions.partialOrder);
    } catch (error) {
      if (error instanceof RangeError) throw new CheckError(error.message);
      throw error;
    }
  }

  /** Searches on for a little. Returns whether there is more to do. */
  advance(): boolean {
    const { search } = this;
    if (search instanceof DporSearch) return search.advance(EXECUTIONS_A_SLICE);
    if (search.advance(STATES_A_SLICE)) return true;
    const { strategy, reductions } = this.options;
    if (search.ended !== 'counterexample' || strategy !== 'bfs' || !reductions.partialOrder || this.first !== undefined) return false;
    // Steps left out may have been part of a shorter way.
    this.first = search;
    this.search = this.start(false);
    return true;
  }

  /** How far the search is. */
  get counts(): Pick<CheckReport, 'reachedStates' | 'storedStates' | 'transitions' | 'executions'> {
    const { search } = this;
    if (search instanceof DporSearch)
      return { reachedStates: null, storedStates: 0, transitions: search.transitions, executions: search.executions };
    const { reachedStates, storedStates, transitions } = search;
    return { reachedStates, storedStates, transitions, executions: null };
  }

  /** The answer, as far as there is one; the search may have been broken off. */
  report(): CheckReport {
    const { strategy, reductions, maxBytes } = this.options;
    const found = this.search.counterexample() ?? this.first?.counterexample();
    const { ended } = this.search;
    const verdict = found !== undefined ? 'violated' : ended === 'complete' ? 'safe' : 'unfinished';
    const partialOrder = strategy === 'dpor' || (reductions.partialOrder && this.first === undefined);
    return {
      verdict,
      scenario: this.names[0]!,
      bounds: this.bounds,
      strategy,
      reductions: [...(reductions.symmetry ? ['symmetry'] : []), ...(partialOrder ? ['partial-order'] : [])],
      ...this.counts,
      counterexampleSteps: found?.schedule.length ?? null,
      shortest: strategy === 'bfs' && this.search.ended === 'counterexample' && !partialOrder,
      counterexample: found === undefined ? null : this.text(found),
      unfinishedBecause: verdict === 'unfinished' ? whyUnfinished(ended, maxBytes) : null,
    };
  }

  private text(found: Counterexample): CounterexampleText {
    return counterexampleText(this.build(), found);
  }

  private start(partialOrder: boolean): StateSearch | DporSearch {
    const { strategy, reductions, maxBytes } = this.options;
    if (strategy === 'dpor') return new DporSearch(this.build(), reductions.symmetry);
    return new StateSearch(this.build(), { order: strategy, symmetry: reductions.symmetry, partialOrder, maxBytes });
  }
}

function whyUnfinished(ended: string | undefined, maxBytes: number): string {
  if (ended === 'memory') return `the stored states would take more than ${maxBytes} bytes`;
  if (ended === 'depth') return 'an execution does not end';
  return 'it was interrupted';
}
