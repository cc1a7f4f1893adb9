import { chosen, advance } from './choices.ts';
import type { Exploration } from './exploration.ts';
import type { FullCounterexample } from './full-counterexample.ts';
import type { FullOrder } from './full-search-options.ts';
import type { Judge } from './judge.ts';
import type { SearchTree } from './search-tree.ts';
import type { Made, Step } from './unjudged-steps.ts';
import { isBefore, UnjudgedSteps } from './unjudged-steps.ts';
import type { Way, Ways } from './ways.ts';

/**
 * Steps wait for a path that judges them until so many states were found since, or so great a part of those before, as a power of two: one path judges the more the more there are, but
 * states are still found while they wait, for nothing if one breaks a rule.
 */
const UNJUDGED_LEAST = 500;
const UNJUDGED_SHIFT = { bfs: 2, dfs: 1, preemptions: 1 } as const;

/** Has the steps of a search judged, some time after they were made: by paths through the states that it has stored, each of which judges many steps. */
export class LateJudging {
  /** Paths judged. */
  judged = 0;
  /** Whether the counterexample, though looked for breadth-first, may have more choices than need be. */
  isDetour = false;
  /** States and steps up to the counterexample that order `bfs` found. */
  upTo: { readonly states: number; readonly steps: number } | undefined;
  private readonly exploration: Exploration;
  private readonly tree: SearchTree;
  private readonly ways: Ways;
  private readonly judge: Judge;
  private readonly order: FullOrder;
  private readonly unjudged: UnjudgedSteps;
  /** Number of states at which the steps that wait are judged. */
  private dueAt = UNJUDGED_LEAST;
  /** States in which everybody is done that no path has judged to the end, in the order in which they were found. */
  private readonly ends: number[] = [];
  /** Order `bfs`: steps made before each state was expanded; the first step in order that is known to break a rule. */
  private readonly madeBefore: number[] = [];
  private firstBroken: (Made & { readonly found: FullCounterexample }) | undefined;

  /**
   * @param tree the states that the search has stored
   * @param order in which it expands them
   */
  constructor(exploration: Exploration, tree: SearchTree, ways: Ways, judge: Judge, order: FullOrder) {
    this.exploration = exploration;
    this.tree = tree;
    this.ways = ways;
    this.judge = judge;
    this.order = order;
    this.unjudged = new UnjudgedSteps(exploration.subject.choices);
  }

  /** The step of `actor` from state `id` is to be judged. */
  add(id: number, actor: number, step: Step): void {
    this.unjudged.add(id, actor, step);
  }

  /** In state `id` everybody is done: what is left over there is to be judged. */
  addEnd(id: number): void {
    this.ends.push(id);
  }

  /** State `id` is expanded, after so many steps in all. */
  expands(id: number, steps: number): void {
    if (this.order === 'bfs') this.madeBefore[id] = steps;
  }

  /** Whether what waits has waited long enough: from now on it waits anew. */
  isDue(): boolean {
    const { size } = this.tree.store;
    if (size < this.dueAt) return false;
    this.dueAt = size + UNJUDGED_LEAST + (size >> UNJUDGED_SHIFT[this.order]);
    return true;
  }

  /** Judges all that waits. Returns what is wrong with it, if anything. */
  broken(): FullCounterexample | undefined {
    if (this.order === 'bfs') return this.brokenInOrder();
    for (const id of this.ends.splice(0)) {
      const found = this.brokenAtEnd(id);
      if (found !== undefined) return found;
    }
    const { unjudged, ways } = this;
    while (unjudged.count > 0) {
      const id = unjudged.deepest;
      const way = this.way(id);
      const steps = unjudged.takePath(id);
      const { schedule, who } = ways.goingOn(way, steps);
      const found = this.judgePath(steps.at(-1)?.to ?? id, schedule, who, false);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What is wrong, if anything, with the way to a state in which everybody is done, and with what is left over there. */
  brokenAtEnd(id: number): FullCounterexample | undefined {
    const { schedule, who } = this.way(id);
    return this.judgePath(id, schedule, who, true);
  }

  /** What is wrong, if anything, with the step of `actor` from state `id`, which has just been made: actors stand in that order since. */
  brokenBy(id: number, actor: number, order: number): FullCounterexample | undefined {
    const { schedule, who } = this.way(id);
    schedule.push(chosen(who, actor));
    return this.judgePresent(schedule, this.ways.stands(who, order), false);
  }

  /** The way to a state; whoever asks for it has it judged. */
  way(id: number): Way {
    for (const at of this.tree.statesTo(id)) this.unjudged.remove(this.tree.store.parent(at), this.tree.choice(at));
    return this.tree.way(id);
  }

  /**
   * Judges, breadth-first, what waits. Where a step breaks a rule, those that come before it are judged too, and the first of all is shown by the way that
   * the search came to it: no other has fewer choices.
   */
  private brokenInOrder(): FullCounterexample | undefined {
    const { unjudged } = this;
    while (unjudged.count > 0 && (this.firstBroken === undefined || unjudged.earliest <= this.firstBroken.id))
      this.judgeFrom(unjudged.earliest);
    const first = this.firstBroken;
    for (const id of this.ends.splice(0)) {
      if (first !== undefined && first.id < id) break;
      const found = this.brokenAtEnd(id);
      if (found === undefined) continue;
      this.upTo = { states: this.statesBefore({ id, actor: 0 }), steps: this.madeBefore[id]! };
      return found;
    }
    return first === undefined ? undefined : this.shownInOrder(first);
  }

  /** The counterexample that ends with the step `first`, by the way that the search came to it. */
  private shownInOrder(first: Made & { readonly found: FullCounterexample }): FullCounterexample {
    const { subject, states, stale, reduces } = this.exploration;
    this.load(first.id);
    let steps = this.madeBefore[first.id]!;
    for (let actor = 0; actor <= first.actor; actor += 1) if (subject.isReady(actor)) steps += 1;
    subject.machine.columns.clear();
    advance(subject, first.actor, reduces);
    stale.fold(subject.machine.columns, 0);
    // A rule that remembers more than states hold may be broken on the longer way alone, by which it was found.
    const found = this.brokenBy(first.id, first.actor, states.note());
    this.isDetour = found === undefined;
    if (found === undefined) return first.found;
    this.upTo = { states: this.statesBefore(first), steps };
    return found;
  }

  /** How many states had been found, breadth-first, when a step was made. */
  private statesBefore(made: Made): number {
    const { tree } = this;
    let states = tree.store.size;
    while (states > 1 && !isBefore({ id: tree.store.parent(states - 1), actor: tree.choice(states - 1) }, made)) states -= 1;
    return states;
  }

  /** Judges one path through the earliest state from which steps wait, and on by others that wait. */
  private judgeFrom(earliest: number): void {
    const { unjudged, ways, tree } = this;
    const known: readonly Made[] = tree.statesTo(earliest).map((at) => ({ id: tree.store.parent(at), actor: tree.choice(at) }));
    const way = this.way(earliest);
    const steps = unjudged.takePath(earliest);
    const { schedule, who } = ways.goingOn(way, steps);
    const found = this.judgePath(steps.at(-1)?.to ?? earliest, schedule, who, false);
    if (found === undefined) return;
    const { id, actor } = [...known, ...steps][found.schedule.length - 1]!;
    const broken = { id, actor, found };
    if (this.firstBroken === undefined || isBefore(broken, this.firstBroken)) this.firstBroken = broken;
    // What comes after it on the path has not been judged.
    for (const step of steps.slice(Math.max(0, found.schedule.length - known.length))) unjudged.add(step.id, step.actor, step);
  }

  /** Judges a path to a stored state. */
  private judgePath(id: number, schedule: readonly number[], who: readonly number[], toTheEnd: boolean): FullCounterexample | undefined {
    this.load(id);
    return this.judgePresent(schedule, who, toTheEnd);
  }

  /** @param who each actor is on the way, as it stands in the machine of the search */
  private judgePresent(schedule: readonly number[], who: readonly number[], toTheEnd: boolean): FullCounterexample | undefined {
    this.judged += 1;
    return this.judge.judge(schedule, toTheEnd, this.exploration.subject.machine, who);
  }

  private load(id: number): void {
    this.exploration.states.load(this.tree.store.data, id * this.tree.store.words);
  }
}
