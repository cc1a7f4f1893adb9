import type { ReclaimPolicy } from '@s2lab/engine';
import { StateWords } from '@s2lab/engine';
import type { CanonicalForm } from '../full/canonical-form.ts';
import { chosen } from '../full/choices.ts';
import { choiceOf, viaOf, Ways } from '../full/ways.ts';
import { Exploration } from '../full/exploration.ts';
import type { FullCounterexample } from '../full/full-counterexample.ts';
import type { FullReduction } from '../full/reductions.ts';
import type { MachineStates } from '../full/machine-states.ts';
import type { Setting } from '../full/subject.ts';
import { UnjudgedSteps } from '../full/unjudged-steps.ts';
import { Round } from './round.ts';
import { distributeSearch, gatherSearch } from './gathered-search.ts';
import type { ShareLink } from './share-link.ts';
import type { Expansion } from './search-share.ts';
import { CHOICES, PATH, STUCK } from './search-share.ts';
import { StateTree } from './state-tree.ts';
import { PieceHearer, rowFingerprint } from './told-pieces.ts';

/** How to search the schedules of a machine in shares. */
export interface ParallelSearchOptions {
  readonly order: 'bfs' | 'preemptions';
  readonly reduce: readonly FullReduction[];
  /** Ids of rules that are not judged. */
  readonly except: readonly string[];
  /** Bytes that stored states may take, all shares together. */
  readonly maxBytes: number;
  readonly maxStates: number;
  /** Whether each step is judged before any that comes after it, as a counterexample by the fewest choices demands; else many by one path, later. */
  readonly judgesAtOnce: boolean;
}

/** A path to be judged. */
interface Path {
  readonly kind: number;
  /** Where it leads: a share, and the number of a state there. */
  readonly owner: number;
  readonly local: number;
  readonly schedule: readonly number[];
  readonly who: readonly number[];
}

/** States expanded between two meetings of all shares; fewer where what they lead to is judged before the next ones. */
const ROUND = { later: 4096, atOnce: 512 } as const;
/** Paths judged at a time. */
const PATHS = 256;
/**
 * Steps that may wait for a path that judges them: so many, and so many for each state. The longer they wait, the more of them one path comes by, and
 * the later a violation is met.
 */
const UNJUDGED = { least: 200, share: 0.75 } as const;
/** The choice that an end counts as: comes after all others. */
const END = CHOICES - 1;

/**
 * Searches every schedule of a machine in shares that lie in threads. States belong to shares by their fingerprints. In each round the shares make
 * all steps from the next states, tell each other where those lead, and each decides on its own what is new; what they say is put together in the
 * order in which one search would have made the steps. So states have the numbers that they have in a search of one thread, whatever the number
 * of shares and their speed, and breadth-first with steps judged at once everything that is found is the same.
 */
export class ParallelSearch {
  transitions = 0;
  judged = 0;
  ended: 'complete' | 'counterexample' | 'memory' | 'states' | undefined;
  /** With order `preemptions`: all schedules with at most so many have been seen, -1 = not even those without any. */
  preemptionsSeen = -1;
  /** Numbers of the states in which everybody is done. */
  readonly finalStates: number[] = [];
  private readonly options: ParallelSearchOptions;
  private links: readonly ShareLink[] = [];
  private readonly actors: number;
  private readonly form: CanonicalForm;
  private readonly states: MachineStates;
  private readonly tree: StateTree;
  private readonly ways: Ways;
  private readonly unjudged: UnjudgedSteps;
  /** States at which nobody can step, to be judged: PATH.end or PATH.stuck. */
  private readonly ends: { readonly id: number; readonly kind: number }[] = [];
  /** Number of each order of each share. */
  private readonly orders: number[][];
  private head = 0;
  /** Order `preemptions`: states to expand that need no more of them than the present ones, and those that need one more. */
  private turn: number[] = [];
  private later: number[] = [];
  /** Whether steps are judged now until none is left. */
  private judging = false;
  /** Why the search ends when all steps are judged: a limit, or a step that cannot be made. */
  private stopping: 'memory' | 'states' | { readonly threw: string } | undefined;
  private found: FullCounterexample | undefined;
  private shareBytes = 0;
  /** What the shares tell when the search is saved. */
  private readonly hearers: readonly PieceHearer[];

  /**
   * @param shares how many there will be
   * @throws RangeError when the machine cannot be built
   */
  constructor(setting: Setting, policy: ReclaimPolicy, options: ParallelSearchOptions, shares: number) {
    const { subject, form, states } = new Exploration(setting, policy, options.reduce, options.except);
    this.options = options;
    this.actors = subject.machine.world.actors;
    this.form = form;
    this.states = states;
    this.unjudged = new UnjudgedSteps(subject.choices);
    this.orders = Array.from({ length: shares }, () => this.form.orders.map((_, number) => number));
    this.ways = new Ways(this.form.orders, this.states.firstOrder);
    this.tree = new StateTree(shares, this.ways);
    this.tree.add(rowFingerprint(this.states, this.states.present, 0) % shares, 0, 0);
    if (options.order === 'preemptions') this.turn.push(0);
    this.hearers = Array.from({ length: shares }, () => new PieceHearer(this.states));
  }

  /** Gives it its shares, each begun with the same setting, policy and reductions. */
  meet(links: readonly ShareLink[]): void {
    this.links = links;
  }

  get storedStates(): number {
    return this.tree.size;
  }

  /** Bytes that the stored states take, with what is kept of them. */
  get bytes(): number {
    return this.shareBytes + this.tree.bytes;
  }

  /** The counterexample, once `ended` says that there is one. */
  counterexample(): FullCounterexample | undefined {
    return this.found;
  }

  /** Expands a round of states, or judges some paths. Returns whether there is more to do. */
  async advance(): Promise<boolean> {
    if (this.ended !== undefined) return false;
    const waiting = this.unjudged.count + this.ends.length;
    if (waiting === 0) this.judging = false;
    else if (this.judging || this.stopping !== undefined || waiting > UNJUDGED.least + UNJUDGED.share * this.tree.size)
      return this.judgeSome();
    if (this.stopping !== undefined) return this.stop(this.stopping);
    const ids = this.nextStates();
    if (ids.length > 0) await this.expand(ids);
    else if (waiting > 0) this.judging = true;
    else this.endLayer();
    return this.ended === undefined;
  }

  private stop(because: 'memory' | 'states' | { readonly threw: string }): boolean {
    if (typeof because !== 'string') throw new Error(because.threw);
    this.ended = because;
    return false;
  }

  /** No state is left that needs no more preemptions than those so far, and all are judged. */
  private endLayer(): void {
    if (this.options.order === 'preemptions') this.preemptionsSeen += 1;
    if (this.later.length === 0) this.ended = 'complete';
    this.turn = this.later;
    this.later = [];
  }

  /** The next states to expand, marked as expanded; none when a limit is met. */
  private nextStates(): Int32Array {
    const { tree, options } = this;
    const most = options.judgesAtOnce ? ROUND.atOnce : ROUND.later;
    if (options.order === 'bfs') {
      const from = this.head;
      this.head = Math.min(tree.size, from + most);
      return Int32Array.from({ length: this.head - from }, (_, n) => from + n);
    }
    const ids: number[] = [];
    let taken = 0;
    for (; taken < this.turn.length && ids.length < most; taken += 1) {
      const id = this.turn[taken]!;
      if (tree.isExpanded(id)) continue;
      tree.setExpanded(id, true);
      ids.push(id);
    }
    this.turn = this.turn.slice(taken);
    return Int32Array.from(ids);
  }

  /** States stay the next ones, for a search that goes on from what this one knows. */
  private putBack(ids: Int32Array): void {
    if (this.options.order === 'bfs') this.head -= ids.length;
    else this.turn = [...ids, ...this.turn];
    for (const id of ids) this.tree.setExpanded(id, false);
  }

  private async expand(ids: Int32Array): Promise<void> {
    if (this.bytes > this.options.maxBytes) {
      this.putBack(ids);
      this.stopping = 'memory';
      return;
    }
    const { tree, links } = this;
    const locals: number[][] = links.map(() => []);
    const turns: number[][] = links.map(() => []);
    const globals: number[][] = links.map(() => []);
    const choices: number[][] = links.map(() => []);
    for (const [turn, id] of ids.entries()) {
      tree.setExpanded(id, true);
      locals[tree.owner(id)]!.push(tree.local(id));
      turns[tree.owner(id)]!.push(turn);
      globals[tree.owner(id)]!.push(id);
      choices[tree.owner(id)]!.push(tree.statesTo(id).length);
    }
    const list = (lists: readonly (readonly number[])[], share: number): Int32Array => Int32Array.from(lists[share]!);
    const turnsOf = turns.map((each) => Int32Array.from(each));
    const expansions = await Promise.all(
      links.map((link, n) => link.expand(list(locals, n), turnsOf[n]!.slice(), list(globals, n), list(choices, n))),
    );
    this.learnOrders(expansions);
    const threw = expansions.find((each) => each.threw !== null)?.threw;
    if (typeof threw === 'string') {
      this.putBack(ids);
      this.stopping = { threw };
      return;
    }
    const settlements = await Promise.all(links.map((link, n) => link.settle(expansions.map(({ told }) => told[n]!))));
    this.shareBytes = settlements.reduce((sum, { bytes }) => sum + bytes, 0);
    if (settlements.some(({ full }) => full)) {
      this.putBack(ids);
      this.stopping = 'memory';
      return;
    }
    const round = new Round(ids, turnsOf, expansions, settlements, (teller, number) => this.orders[teller]![number]!);
    await this.take(round);
  }

  private learnOrders(expansions: readonly Expansion[]): void {
    for (const [share, { orders }] of expansions.entries()) {
      for (let at = 0; at < orders.length; at += this.actors)
        this.orders[share]!.push(this.form.numberOf([...orders.subarray(at, at + this.actors)]));
    }
  }

  /** Takes a round in as far as the limits, and what is found in it, allow. */
  private async take(round: Round): Promise<void> {
    const { ids } = round;
    const { maxStates, judgesAtOnce } = this.options;
    let taken = 0;
    for (let size = this.tree.size; taken < ids.length && size < maxStates; taken += 1) size += round.newStates(taken);
    if (taken < ids.length) {
      this.putBack(ids.subarray(taken));
      this.stopping = 'states';
    }
    const broken = judgesAtOnce ? await this.judgeRound(round, taken) : Infinity;
    for (let turn = 0; turn < taken; turn += 1) if (!this.takeSteps(round, turn, broken)) return;
  }

  /** Takes in the steps from one state, up to the one that breaks a rule. Returns whether none does. */
  private takeSteps(round: Round, turn: number, broken: number): boolean {
    const { tree } = this;
    const id = round.ids[turn]!;
    const ready = round.ready[turn]!;
    if (ready === 0) this.finalStates.push(id);
    if (ready === 0 || ready === STUCK) {
      if (!this.options.judgesAtOnce) this.ends.push({ id, kind: ready === 0 ? PATH.end : PATH.stuck });
      return broken !== turn * CHOICES + END;
    }
    for (const { choice, owner, local, isNew, order, preempts, fresh } of round.steps(turn)) {
      this.transitions += 1;
      if (turn * CHOICES + choice === broken) return false;
      const to = isNew ? tree.add(owner, id, viaOf(choice, order)) : tree.global(owner, local);
      if (isNew && tree.local(to) !== local) throw new Error(`share ${owner} numbers its states otherwise`);
      if (this.options.order === 'preemptions' && (isNew || !tree.isExpanded(to))) {
        // One that was there before may wait for its turn after a preemption, and now there is a way without.
        if (!preempts) this.turn.push(to);
        else if (isNew) this.later.push(to);
      }
      if (fresh && !this.options.judgesAtOnce) this.unjudged.add(id, choice, { to, order });
    }
    return true;
  }

  /** Judges all that there is to judge in the first states of a round. Returns the first step that breaks a rule, Infinity = none. */
  private async judgeRound(round: Round, taken: number): Promise<number> {
    const paths: Path[] = [];
    const steps: number[] = [];
    for (let turn = 0; turn < taken; turn += 1) {
      const id = round.ids[turn]!;
      const ready = round.ready[turn]!;
      if (ready === 0 || ready === STUCK) {
        paths.push(this.pathTo(id, ready === 0 ? PATH.end : PATH.stuck));
        steps.push(turn * CHOICES + END);
        continue;
      }
      for (const { choice, owner, local, order, fresh } of round.steps(turn)) {
        if (!fresh) continue;
        const { schedule, who } = this.tree.way(id);
        schedule.push(chosen(who, choice));
        paths.push({ kind: PATH.step, owner, local, schedule, who: this.ways.stands(who, order) });
        steps.push(turn * CHOICES + choice);
      }
    }
    for (let from = 0; from < paths.length; from += PATHS) {
      const broken = await this.judge(paths.slice(from, from + PATHS));
      if (broken >= 0) return steps[from + broken]!;
    }
    return Infinity;
  }

  private pathTo(id: number, kind: number): Path {
    const { schedule, who } = this.tree.way(id);
    return { kind, owner: this.tree.owner(id), local: this.tree.local(id), schedule, who };
  }

  /** Judges some of the steps that no path has judged so far; what a step breaks says more than what is left over by it, so ends come last. */
  private async judgeSome(): Promise<boolean> {
    this.judging = true;
    const paths: Path[] = [];
    while (paths.length < PATHS && this.unjudged.count > 0) paths.push(this.pathThroughUnjudged());
    if (paths.length === 0) for (const { id, kind } of this.ends.splice(0, PATHS)) paths.push(this.pathTo(id, kind));
    await this.judge(paths);
    return this.ended === undefined;
  }

  /** A way to the first step that is not judged, and on by others that are not. */
  private pathThroughUnjudged(): Path {
    const { unjudged, tree, ways } = this;
    const id = unjudged.earliest;
    const way = tree.way(id);
    for (const at of tree.statesTo(id)) unjudged.remove(tree.parent(at), choiceOf(tree.via(at)));
    const steps = unjudged.takePath(id);
    const to = steps.at(-1)?.to ?? id;
    return { kind: PATH.step, owner: tree.owner(to), local: tree.local(to), ...ways.goingOn(way, steps) };
  }

  /** Judges paths, each in the share that has the state it leads to. Returns the number of the first that is broken, with which the search ends; -1 = none. */
  private async judge(paths: readonly Path[]): Promise<number> {
    const asked = this.links.map(() => new StateWords());
    for (const [number, { kind, owner, local, schedule, who }] of paths.entries()) {
      const into = asked[owner]!;
      into.put(number);
      into.put(kind);
      into.put(local);
      into.put(schedule.length);
      for (const choice of schedule) into.put(choice);
      into.put(who.length);
      for (const actor of who) into.put(actor);
    }
    const answers = await Promise.all(this.links.map((link, n) => link.judge(asked[n]!.copy())));
    const first = answers.filter(({ broken }) => broken >= 0).toSorted((a, b) => a.broken - b.broken)[0];
    this.judged += first === undefined ? paths.length : first.broken + 1;
    if (first === undefined) return -1;
    this.found = first.found!;
    this.ended = 'counterexample';
    return first.broken;
  }

  /** Everything that the search knows, as a search of one thread saves it; undefined once it has ended with a counterexample. */
  async save(): Promise<Int32Array | undefined> {
    while (this.unjudged.count + this.ends.length > 0 && this.ended !== 'counterexample') await this.judgeSome();
    if (this.ended === 'counterexample') return undefined;
    const { turn, later, finalStates, head, transitions, judged, preemptionsSeen } = this;
    const parts = { states: this.states, form: this.form, tree: this.tree };
    return gatherSearch(this.links, this.hearers, parts, {
      lists: [[], turn, later, finalStates],
      counts: [head, transitions, judged, preemptionsSeen],
    });
  }

  /**
   * Goes on where the search stood that was saved, in however many shares: of the same machine and options, limits apart.
   * @throws Error when it was not, or there is no room for its states
   */
  async restore(words: Int32Array): Promise<void> {
    const parts = { states: this.states, form: this.form, tree: this.tree };
    const { bytes, lists, counts } = await distributeSearch(words, this.links, parts);
    this.shareBytes = bytes;
    this.turn = [...lists[1]!];
    this.later = [...lists[2]!];
    this.finalStates.splice(0, Infinity, ...lists[3]!);
    [this.head, this.transitions, this.judged, this.preemptionsSeen] = counts;
  }
}
