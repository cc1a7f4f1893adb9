import type { ReclaimPolicy } from '@s2lab/engine';
import type { Frame } from '@s2lab/events';
import { RULES } from '@s2lab/invariants';
import { CheckError } from '@s2lab/small-models';
import { BitStateSearch } from './bit-state-search.ts';
import { Exploration } from './exploration.ts';
import type { KnownCounterexample } from './fewer-choices.ts';
import { isFewest, knownBy } from './fewer-choices.ts';
import type { FullBounds } from './full-bounds.ts';
import type { FullScenario } from './full-scenarios.ts';
import { FULL_SCENARIOS } from './full-scenarios.ts';
import type { FullCounterexample } from './full-counterexample.ts';
import type { FullOrder } from './full-search-options.ts';
import { FullSearch } from './full-search.ts';
import type { FullReduction } from './reductions.ts';
import { FULL_REDUCTIONS } from './reductions.ts';
import type { SamplingOptions } from './sampling.ts';
import { Sampling } from './sampling.ts';
import type { Setting } from './subject.ts';
import { Livelocks } from './livelocks.ts';

/** What to check on the full engine, and how. */
export interface FullCheckOptions {
  readonly scenario: string;
  readonly policy: ReclaimPolicy;
  readonly bounds: FullBounds;
  readonly order: FullOrder;
  readonly reduce: boolean;
  /** Bytes that stored states may take. */
  readonly maxBytes: number;
  /** Most states to store. */
  readonly maxStates: number;
  /** Most states to store until something is found, which is then searched again for its fewest choices; absent = maxStates. */
  readonly firstStates?: number;
  /** States up to which a search for fewer choices heeds every rule, not only the one that was broken first; absent = `ALL_RULES_STATES`. */
  readonly allRulesStates?: number;
  /** Ids of rules that are not judged, such as `I12`. */
  readonly except: readonly string[];
  /** Whether to look for executions that never end, once all states have been seen. */
  readonly liveness: boolean;
  /** Bytes for bits that stand for states: order `dfs`, lossy; absent = states are stored whole. */
  readonly bitStateBytes?: number;
  /** Order `preemptions`: most of them, Infinity = all. */
  readonly maxPreemptions: number;
}

/** The answer to a check on the full engine. */
export interface FullReport {
  readonly verdict: 'safe' | 'violated' | 'unfinished';
  readonly scenario: string;
  readonly policy: string;
  /** `preemptions`: all schedules with at most so many were seen; null = all schedules whatever. */
  readonly bounds: FullBounds & { readonly preemptions: number | null };
  /** Rules that were not judged. */
  readonly except: readonly string[];
  readonly strategy: FullOrder;
  readonly reductions: readonly string[];
  /** Whether executions that never end were looked for as well. */
  readonly liveness: boolean;
  readonly reachedStates: null;
  readonly storedStates: number;
  readonly transitions: number;
  readonly executions: null;
  /** Paths that the verifier's rules judged. */
  readonly judgedPaths: number;
  readonly counterexampleSteps: number | null;
  /** Whether no counterexample that breaks the same rule has fewer choices: accesses to what actors share. */
  readonly shortest: boolean;
  readonly counterexample: {
    readonly kind: FullCounterexample['kind'];
    readonly invariant: string | null;
    readonly because: string;
    /** Who has the turn, choice by choice; numbers above those of the actors are stores that become visible (`Subject.choices`). */
    readonly schedule: readonly number[];
    /** How many of the last choices come again and again; null = it is no livelock. */
    readonly loop: number | null;
  } | null;
  /** Why there is no verdict on all schedules. */
  readonly unfinishedBecause: string | null;
}

const SIZES = { walkers: [0, 4], collapsers: [1, 4], entries: [1, 4] } as const;
const SLOTS = [2, 4, 8];

/** One check on the full engine, done in slices. */
export class FullCheck {
  private readonly options: FullCheckOptions;
  private readonly scenario: FullScenario;
  private search: FullSearch;
  /** A search that comes before it and keeps bits for states. */
  private bits: BitStateSearch | undefined;
  /** A counterexample that may not be the shortest, met before the present search. */
  private first: FullCounterexample | undefined;
  /** What the present search knows of it. */
  private known: KnownCounterexample | undefined;
  private livelocks: Livelocks | undefined;

  /** @throws CheckError when there is no such scenario, or the bounds or the policy are not for it */
  constructor(options: FullCheckOptions) {
    this.options = options;
    this.scenario = checkedScenario(options);
    this.search = this.start(options.order, options.firstStates);
    if (options.bitStateBytes !== undefined) this.bits = this.startBits(options.bitStateBytes);
  }

  /** Searches on for a little. Returns whether there is more to do. */
  advance(states: number): boolean {
    if (this.bits !== undefined && this.first === undefined) {
      if (this.bits.advance(states)) return true;
      if (this.bits.ended !== 'counterexample') return false;
      this.goOnFrom(this.bits.counterexample()!);
      return true;
    }
    if (this.livelocks !== undefined) return this.advanceLivelocks(this.livelocks, states);
    if (this.search.advance(states)) {
      const { order, maxPreemptions } = this.options;
      if (order !== 'preemptions' || this.first !== undefined) return true;
      return this.search.preemptionsSeen < maxPreemptions;
    }
    if (this.search.ended === 'complete' && this.first === undefined && this.options.liveness) {
      this.livelocks = new Livelocks(this.search.graph());
      return true;
    }
    const found = this.search.counterexample();
    if (found === undefined || this.isAnswer(found)) return false;
    this.goOnFrom(found);
    return true;
  }

  /** Whether what the present search has found need not be searched again. */
  private isAnswer(found: FullCounterexample): boolean {
    return this.known === undefined ? this.options.order === 'bfs' : isFewest(found, this.known, this.search.storedStates);
  }

  /** The way that was found first is seldom the shortest. */
  private goOnFrom(found: FullCounterexample): void {
    this.first = shortened(found, this.options);
    this.known = knownBy(this.first, this.options.allRulesStates);
    this.search = this.start('bfs', this.options.maxStates);
  }

  private advanceLivelocks(livelocks: Livelocks, states: number): boolean {
    if (livelocks.advance(states)) return true;
    if (livelocks.found !== undefined) this.search.stopAtLoop(livelocks.found);
    return false;
  }

  /** How far the search is. */
  get counts(): Pick<FullReport, 'storedStates' | 'transitions' | 'judgedPaths'> {
    const { storedStates, transitions, judged } = this.first === undefined ? (this.bits ?? this.search) : this.search;
    return { storedStates, transitions, judgedPaths: judged };
  }

  /** The answer, as far as there is one; the search may have been broken off. */
  report(): FullReport {
    const { ended, preemptionsSeen } = this.search;
    const fewest = (this.first !== undefined || this.options.order === 'bfs') && !this.search.isDetour;
    const looking = this.livelocks !== undefined && this.livelocks.ended === undefined;
    const report = fullReport(this.options, { found: this.counterexample(), ended, preemptionsSeen, fewest, looking, ...this.counts });
    if (this.bits === undefined) return report;
    return {
      ...report,
      bounds: { ...report.bounds, preemptions: null },
      strategy: 'dfs',
      reductions: [...report.reductions, 'bit-state'],
      unfinishedBecause: report.verdict === 'unfinished' ? (this.whyBits() ?? report.unfinishedBecause) : null,
    };
  }

  /** Why bits give no verdict. */
  private whyBits(): string | undefined {
    if (this.bits === undefined || this.bits.ended === undefined) return undefined;
    const { met, ended } = this.bits;
    const full = ((100 * met.set) / met.size).toFixed(1);
    const seen = ended === 'complete' ? 'nothing was found' : 'nothing was found before the limit of states';
    return `${seen}, but bits are lossy: a state may have been taken for another and left out (${met.count} states in ${met.size} bits, ${full} % of them set)`;
  }

  private startBits(bytes: number): BitStateSearch {
    const { policy, bounds, except, maxStates } = this.options;
    const options = { bytes, except, maxStates };
    return refusingSizes(() => new BitStateSearch(settingOf(this.scenario, bounds), policy, this.scenario.name, options));
  }

  /** What the check is of: a saved one may be gone on with where this is the same. */
  get identity(): string {
    return identityOf(this.options);
  }

  /** What the search knows, to go on another time; undefined when it has found something. */
  save(): Int32Array | undefined {
    return this.first === undefined && this.livelocks === undefined && this.bits === undefined ? this.search.save() : undefined;
  }

  /**
   * Goes on where a check with the same identity stood when it was saved.
   * @throws CheckError when the engine has changed since, or the memory does not suffice
   */
  restore(words: Int32Array): void {
    try {
      this.search.restore(words);
    } catch (error) {
      throw cannotGoOn(error);
    }
  }

  /** The log of the counterexample, if there is one. */
  log(): Frame | undefined {
    return this.counterexample()?.frame;
  }

  private counterexample(): FullCounterexample | undefined {
    return this.search.counterexample() ?? this.first;
  }

  private start(order: FullOrder, maxStates = this.options.maxStates): FullSearch {
    const { known } = this;
    const { policy, bounds, maxBytes, except } = this.options;
    const options = { order, reduce: reductionsOf(this.options), maxBytes, maxStates, except, known };
    return refusingSizes(() => new FullSearch(settingOf(this.scenario, bounds), policy, this.scenario.name, options));
  }
}

/** What has come of a check, whatever searched. */
export interface CheckOutcome extends Pick<FullReport, 'storedStates' | 'transitions' | 'judgedPaths'> {
  readonly found: FullCounterexample | undefined;
  readonly ended: FullSearch['ended'];
  readonly preemptionsSeen: number;
  /** Whether it was searched breadth-first, at first or again: a counterexample has the fewest choices. */
  readonly fewest: boolean;
  /** Whether executions that never end are still looked for. */
  readonly looking: boolean;
}

/** The answer that an outcome gives. */
export function fullReport(options: FullCheckOptions, outcome: CheckOutcome): FullReport {
  const { found, ended, preemptionsSeen, fewest, looking, storedStates, transitions, judgedPaths } = outcome;
  const bounded = ended === undefined && preemptionsSeen >= options.maxPreemptions && options.order === 'preemptions';
  const verdict = found !== undefined ? 'violated' : (ended === 'complete' && !looking) || bounded ? 'safe' : 'unfinished';
  const all = ended === 'complete' || options.order !== 'preemptions' || found !== undefined;
  return {
    verdict,
    scenario: options.scenario,
    policy: options.policy.name,
    bounds: { ...options.bounds, preemptions: all ? null : preemptionsSeen },
    except: options.except,
    strategy: options.order,
    reductions: reductionsOf(options),
    liveness: options.liveness,
    reachedStates: null,
    executions: null,
    storedStates,
    transitions,
    judgedPaths,
    counterexampleSteps: found?.steps ?? null,
    shortest: ended === 'counterexample' && fewest,
    counterexample:
      found === undefined
        ? null
        : {
            kind: found.kind,
            invariant: found.invariant,
            because: found.because,
            schedule: [...found.schedule],
            loop: found.loop ?? null,
          },
    unfinishedBecause: verdict === 'unfinished' ? whyUnfinished(ended, options) : null,
  };
}

/** A counterexample of a check without what it can do without, in case no search for the fewest choices comes to an end. */
export function shortened(found: FullCounterexample, options: FullCheckOptions): FullCounterexample {
  const setting = settingOf(fullScenario(options.scenario), options.bounds);
  return new Exploration(setting, options.policy, reductionsOf(options), options.except).judge(options.scenario).shortened(found);
}

/** What a check is of: a saved one may be gone on with where this is the same. */
export function identityOf(options: FullCheckOptions): string {
  const { scenario, policy, bounds, order, except } = options;
  return JSON.stringify({ scenario, policy: policy.name, bounds, order, reduce: reductionsOf(options), except });
}

/** Why a saved search is refused. */
export function cannotGoOn(error: unknown): CheckError {
  return new CheckError(`the saved search cannot be gone on with: ${(error as Error).message}`);
}

/**
 * The scenario of a check.
 * @throws CheckError when there is no such scenario, or the bounds, the rules or the policy are not for it
 */
export function checkedScenario({ scenario, bounds, except, policy }: FullCheckOptions): FullScenario {
  const found = fullScenario(scenario);
  checkBounds(bounds);
  checkRules(except);
  checkPolicy(found, policy);
  return found;
}

/**
 * A sampling of a scenario of the full engine.
 * @throws CheckError when there is no such scenario, or the bounds or the policy are not for it
 */
export function sampling(scenario: string, bounds: FullBounds, policy: ReclaimPolicy, options: SamplingOptions): Sampling {
  const known = fullScenario(scenario);
  checkBounds(bounds);
  checkRules(options.except);
  checkPolicy(known, policy);
  return refusingSizes(() => new Sampling(settingOf(known, bounds), policy, known.name, options));
}

/** A scenario in its bounds, on the memory that they name. */
export function settingOf({ build }: FullScenario, bounds: FullBounds): Setting {
  const setting = build(bounds);
  return { ...setting, config: { ...setting.config, memory: bounds.memory ?? 'sc' } };
}

/**
 * Begins a search. A machine that cannot be built is one that was asked for wrongly.
 * @throws CheckError when `begin` cannot build it
 */
export function refusingSizes<T>(begin: () => T): T {
  try {
    return begin();
  } catch (error) {
    if (error instanceof RangeError) throw new CheckError(error.message);
    throw error;
  }
}

/** What a check leaves out; a plain one nothing. */
export function reductionsOf(options: FullCheckOptions): readonly FullReduction[] {
  const { reduce, liveness, bounds, order, bitStateBytes } = options;
  // Stores that are held back name actors and tables as they are.
  const late = (bounds.memory ?? 'sc') !== 'sc';
  const sleeps = order === 'dfs' && bitStateBytes === undefined && fullScenario(options.scenario).atEl2 !== true;
  return FULL_REDUCTIONS.filter((each) => {
    switch (each) {
      case 'spent-state':
      case 'tables':
        return reduce && !late;
      // A loop is shown as one that the same actors go through again and again: to look for livelocks, walkers keep their names.
      case 'walkers':
        return reduce && !late && !liveness;
      // The graph in which loops are looked for has every step of every state.
      case 'sleep-sets':
        return reduce && !late && !liveness && sleeps;
      default:
        return reduce;
    }
  });
}

/**
 * The scenario of that name.
 * @throws CheckError when there is none
 */
export function fullScenario(name: string): FullScenario {
  const found = FULL_SCENARIOS.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  throw new CheckError(
    `scenario '${name}' of the full engine does not exist; there are ${FULL_SCENARIOS.map((each) => each.name).join(', ')}`,
  );
}

/** Why a scenario's machine refuses a policy; undefined where it does not. */
export function refusal({ atEl2, leavesUncounted }: FullScenario, { capabilities, visitors }: ReclaimPolicy): string | undefined {
  if (atEl2 === true && !capabilities.usableAtEl2)
    return capabilities.needsRcu ? 'it needs RCU, and there is none at EL2' : 'it is not usable at EL2';
  if (leavesUncounted === true && visitors !== undefined)
    return 'its walks count every leaf, so no count says that the host alone has pages below a table';
  return undefined;
}

function checkPolicy(scenario: FullScenario, policy: ReclaimPolicy): void {
  const why = refusal(scenario, policy);
  if (why !== undefined) throw new CheckError(`policy '${policy.name}' is refused in ${scenario.name}, a pkvm machine: ${why}`);
}

function checkBounds(bounds: FullBounds): void {
  for (const [name, [least, most]] of Object.entries(SIZES)) {
    const value = bounds[name as keyof typeof SIZES];
    if (!Number.isInteger(value) || value < least || value > most)
      throw new CheckError(`${value} ${name}: on the full engine there may be ${least} to ${most}`);
  }
  if (!SLOTS.includes(bounds.slots)) throw new CheckError(`${bounds.slots} slots: a table may have ${SLOTS.join(', ')}`);
  if (bounds.entries > bounds.slots) throw new CheckError(`${bounds.entries} entries: the root table has ${bounds.slots} slots`);
}

function checkRules(except: readonly string[]): void {
  for (const id of except) if (!RULES.some((rule) => rule.id === id)) throw new CheckError(`there is no rule ${id}`);
}

function whyUnfinished(ended: string | undefined, { maxBytes, maxStates, firstStates = maxStates }: FullCheckOptions): string {
  if (ended === 'memory') return `the stored states would take more than ${maxBytes} bytes`;
  if (ended === 'states') return `it has stored ${firstStates} states`;
  return 'it was interrupted';
}
