import type { FullCounterexample } from './full-counterexample.ts';
import { choicesToLog } from './vmm-thread.ts';
import type { Subject } from './subject.ts';

/** What a search breadth-first begins with: it looks for counterexamples of no more choices than one that is known. */
export interface KnownCounterexample {
  readonly choices: number;
  /** The rule that it breaks, `I1` to `I17`; null = it cannot go on, or it does not matter which rule is broken. */
  readonly invariant: string | null;
  /** From so many states on, the first ones, every rule may be broken; from those after them only what breaks that rule is looked for. */
  readonly allRulesStates: number;
}

/** `KnownCounterexample.allRulesStates`, unless the check says otherwise. */
const ALL_RULES_STATES = 250_000;

/** What a search for fewer choices knows of a counterexample. */
export function knownBy({ schedule, invariant }: FullCounterexample, allRulesStates = ALL_RULES_STATES): KnownCounterexample {
  return { choices: schedule.length, invariant, allRulesStates };
}

/** Whether state number `id` is gone on from only if the known rule may still be broken soon enough: another rule may be. */
export function heedsOneRule({ invariant, allRulesStates }: KnownCounterexample, id: number): boolean {
  return invariant === 'I12' && id >= allRulesStates;
}

/** Whether a search of so many states that knew of `first` shows by `found` the fewest choices: it may have left out states from which the rule is broken that `found` breaks. */
export function isFewest(found: FullCounterexample, first: KnownCounterexample, states: number): boolean {
  return found.invariant === first.invariant || !heedsOneRule(first, states - 1);
}

/**
 * Whether from the present state, to which so many choices lead and in which somebody can step, there may be a counterexample of no more choices than the known one. No write
 * need be logged while logging is being switched on: I12 is broken by the step that ends it at the soonest.
 */
export function isSoonEnough(subject: Subject, known: KnownCounterexample, id: number, choices: number): boolean {
  const least = heedsOneRule(known, id) ? Math.max(1, choicesToLog(subject)) : 1;
  return choices + least <= known.choices;
}
