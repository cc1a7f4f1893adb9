import type { ReclaimPolicy } from '@s2lab/engine';
import { StateWords } from '@s2lab/engine';
import { kindName } from '@s2lab/events';
import type { StateStore } from '@s2lab/small-models';
import { InternedWords } from './interned-words.ts';
import { actorName } from './actor-names.ts';
import type { FullCounterexample } from './full-counterexample.ts';
import { isSoonEnough } from './fewer-choices.ts';
import { CanonicalForm } from './canonical-form.ts';
import { advance, chosen } from './choices.ts';
import { Exploration } from './exploration.ts';
import type { Judge } from './judge.ts';
import type { Edge, Loop, StateGraph } from './livelocks.ts';
import type { MachineStates } from './machine-states.ts';
import type { FullSearchOptions } from './full-search-options.ts';
import { LateJudging } from './late-judging.ts';
import { SearchTree } from './search-tree.ts';
import { Ways } from './ways.ts';
import { SleepSets } from './sleep-sets.ts';
import { SpentState } from './spent-state.ts';
import type { StaleLinks } from './stale-links.ts';
import type { Setting, Subject } from './subject.ts';

/** Nobody has had the turn yet. */
const NOBODY = 0;

/** Searches every schedule of a machine, in slices, until all states have been seen or one path breaks a rule or cannot go on. */
export class FullSearch {
  ended: 'complete' | 'counterexample' | 'memory' | 'states' | undefined;
  /** With order `preemptions`: all schedules with at most so many have been seen, -1 = not even those without any. */
  preemptionsSeen = -1;
  /** Numbers of the states in which everybody is done. */
  readonly finalStates: number[] = [];
  private readonly subject: Subject;
  private readonly states: MachineStates;
  private readonly stale: StaleLinks;
  private readonly tree: SearchTree;
  private readonly judging: LateJudging;
  private readonly store: StateStore;
  private readonly judge: Judge;
  private readonly seen = new InternedWords();
  private readonly key = new StateWords();
  private readonly options: FullSearchOptions;
  /** Choices there may be in a state: steps of actors, and stores that become visible. */
  private readonly choices: number;
  private readonly form: CanonicalForm;
  private readonly reduces: boolean;
  private readonly judgesOnce: boolean;
  /** Whether many steps are judged by one path, some time after they were made; then a violation is not the first one. */
  private readonly judgesLater: boolean;
  private readonly sleep: SleepSets | undefined;
  /** Of the present state. */
  private order: number;
  private head = 0;
  private readonly stack: number[] = [];
  /** Order `preemptions`: states to expand that need no more of them than the present ones, and those that need one more. */
  private turn: number[] = [];
  private later: number[] = [];
  private readonly row: Uint32Array;
  private found: FullCounterexample | undefined;
  private stepsMade = 0;

  /** @throws RangeError when the machine cannot be built */
  constructor(setting: Setting, policy: ReclaimPolicy, workload: string, options: FullSearchOptions) {
    this.options = options;
    const exploration = new Exploration(setting, policy, options.reduce, options.except ?? []);
    this.subject = exploration.subject;
    this.stale = exploration.stale;
    this.form = exploration.form;
    this.states = exploration.states;
    this.reduces = exploration.reduces;
    this.judge = exploration.judge(workload);
    this.order = this.states.firstOrder;
    this.choices = this.subject.choices;
    this.judgesOnce = options.reduce.includes('judge-once');
    this.judgesLater = this.judgesOnce && options.find === undefined;
    const { buffers, hypervisor } = this.subject.machine;
    // The fewest choices, or preemptions, may be those of a way that is left out; stores that are held back, and hypervisors, touch what no footprint tells.
    const sleeps = options.order === 'dfs' && options.reduce.includes('sleep-sets') && buffers === undefined && hypervisor === undefined;
    if (sleeps) this.sleep = new SleepSets(this.subject);
    this.row = new Uint32Array(this.states.words + 1);
    const ways = new Ways(this.form.orders, this.order);
    this.tree = new SearchTree(this.row.length, options.maxBytes, ways);
    this.store = this.tree.store;
    this.judging = new LateJudging(exploration, this.tree, ways, this.judge, options.order);
    this.add(0, 0, NOBODY, 0);
  }

  /** Paths judged. */
  get judged(): number {
    return this.judging.judged;
  }

  /** Whether the counterexample, though looked for breadth-first, may have more choices than need be. */
  get isDetour(): boolean {
    return this.judging.isDetour;
  }

  get storedStates(): number {
    return this.judging.upTo?.states ?? this.store.size;
  }

  get transitions(): number {
    return this.judging.upTo?.steps ?? this.stepsMade;
  }

  /** Bytes that the stored states take: rows, pieces, and what has been judged. */
  get bytes(): number {
    return this.tree.bytes + this.states.bytes + this.seen.bytes + (this.sleep?.bytes ?? 0);
  }

  /** Expands at most `states` states. Returns whether there is more to do. */
  advance(states: number): boolean {
    for (let n = 0; n < states && this.ended === undefined; n += 1) {
      if (this.judging.isDue() && this.isBrokenSomewhere()) break;
      const id = this.nextState();
      if (id === undefined) {
        if (this.ended === undefined && !this.isBrokenSomewhere()) this.ended = 'complete';
      } else {
        if (this.bytes > this.options.maxBytes || !this.store.reserve(this.choices)) this.ended = 'memory';
        else if (this.store.size >= (this.options.maxStates ?? Infinity)) this.ended = 'states';
        if (this.ended === undefined) this.expand(id);
        else {
          this.putBack(id);
          this.isBrokenSomewhere();
        }
      }
    }
    return this.ended === undefined;
  }

  /** The state stays the next one, for a search that goes on from what this one knows. */
  private putBack(id: number): void {
    const { order } = this.options;
    if (order === 'bfs') this.head -= 1;
    else if (this.sleep !== undefined && this.store.isExpanded(id)) this.sleep.putBack(id);
    else (order === 'dfs' ? this.stack : this.turn).push(id);
  }

  private nextState(): number | undefined {
    const { order } = this.options;
    if (order === 'dfs') return this.stack.pop() ?? this.sleep?.next();
    if (order === 'bfs') {
      this.head += 1;
      return this.head > this.store.size ? undefined : this.head - 1;
    }
    for (;;) {
      const id = this.turn.pop();
      if (id !== undefined && this.store.isExpanded(id)) continue;
      if (id !== undefined) return id;
      // Seen is what was judged.
      if (this.isBrokenSomewhere()) return undefined;
      this.preemptionsSeen += 1;
      if (this.later.length === 0) return undefined;
      this.turn = this.later.reverse();
      this.later = [];
    }
  }

  /** The counterexample, once `ended` says that there is one. */
  counterexample(): FullCounterexample | undefined {
    return this.found;
  }

  /** Judges all that waits for it. Returns whether it breaks a rule; then the search has ended. */
  private isBrokenSomewhere(): boolean {
    return this.endWith(this.judging.broken());
  }

  /** Everything that the search knows, to go on from another time; undefined once it has ended with a counterexample. */
  save(): Int32Array | undefined {
    this.isBrokenSomewhere();
    if (this.ended === 'counterexample') return undefined;
    const into = new StateWords();
    this.states.save(into);
    this.form.save(into);
    this.seen.save(into);
    this.tree.save(into);
    for (const list of [this.stack, this.turn, this.later, this.finalStates]) {
      into.put(list.length);
      for (const id of list) into.put(id);
    }
    for (const count of [this.head, this.stepsMade, this.judging.judged, this.preemptionsSeen]) into.putWide(count);
    this.sleep?.save(this.store.size, into);
    return into.copy();
  }

  /**
   * Goes on where the search stood that `save` was asked of, which was of the same machine and options, limits apart.
   * @throws Error when it was not
   */
  restore(words: Int32Array): void {
    const from = new StateWords();
    from.open(words);
    this.states.restore(from);
    this.form.restore(from);
    this.seen.load(from, this.key);
    this.tree.restore(from);
    const lists = [this.stack, this.turn, this.later, this.finalStates];
    for (const list of lists) {
      list.length = 0;
      for (let left = from.get(); left > 0; left -= 1) list.push(from.get());
    }
    this.head = from.getWide();
    this.stepsMade = from.getWide();
    this.judging.judged = from.getWide();
    this.preemptionsSeen = from.getWide();
    this.sleep?.restore(this.store.size, from);
  }

  /** The graph of the states, once all have been seen. */
  graph(): StateGraph {
    const { store, subject, states, choices } = this;
    const edges = (id: number): Edge[] => {
      states.load(store.data, id * store.words);
      const able: number[] = [];
      for (let actor = 0; actor < choices; actor += 1) if (subject.isReady(actor)) able.push(actor);
      return able.map((actor) => {
        states.load(store.data, id * store.words);
        subject.machine.columns.clear();
        advance(subject, actor, this.reduces);
        this.stale.fold(subject.machine.columns, 0);
        this.order = states.note();
        return { actor, to: this.known(this.turnAfter(actor, store.data[id * store.words + states.words]!)) };
      });
    };
    return { states: store.size, actors: choices, edges };
  }

  /** Ends the search with an execution that never ends, which the graph has shown. */
  stopAtLoop({ state, loop }: Loop): void {
    const { machine } = this.subject;
    const steps = loop.filter((choice) => !this.subject.isDrain(choice));
    const names = [...new Set(steps)].map((actor) => actorName(actor, machine.world.vcpus));
    const because = `${names.join(', ')} can go on for ever by ${loop.length === 1 ? 'one choice' : `${loop.length} choices`} that lead back to where they began`;
    const schedule = [...this.judging.way(state).schedule, ...loop];
    this.endWith({ kind: 'livelock', invariant: null, because, schedule, loop: loop.length, ...this.judge.log(schedule) });
  }

  /** The number of the present state, which was stored before. */
  private known(turn: number): number {
    const { store, states, row } = this;
    row.set(states.present);
    row[states.words] = this.options.order === 'preemptions' ? turn : NOBODY;
    const id = store.add(row, 0, 0);
    if (id >= 0) throw new Error('a step leads to a state that the search has not seen');
    return ~id;
  }

  /** The words of a state, to compare it with states of another search. */
  describe(id: number): string {
    this.states.load(this.store.data, id * this.store.words);
    return this.states.describe();
  }

  /** The words of a state by the names that its shape suggests, to compare it with states of searches that leave names alone. */
  describeUnnamed(id: number): string {
    const { states, store, subject, stale } = this;
    states.load(store.data, id * store.words);
    subject.moved = -1;
    const spent = new SpentState(subject, this.options.except ?? [], this.reduces);
    new CanonicalForm(subject, stale, { tables: true, walkers: true, spent }).apply();
    states.note();
    return states.describe();
  }

  private expand(id: number): void {
    const { states, store, subject, choices } = this;
    const { machine } = subject;
    const at = id * store.words;
    const last = store.data[at + states.words]!;
    store.setExpanded(id);
    this.judging.expands(id, this.stepsMade);
    states.load(store.data, at);
    let ready = 0;
    for (let actor = 0; actor < choices; actor += 1) if (subject.isReady(actor)) ready |= 1 << actor;
    if (ready === 0) {
      this.end(id);
      return;
    }
    const { known } = this.options;
    if (known !== undefined && !isSoonEnough(subject, known, id, this.tree.statesTo(id).length)) return;
    const goesOn = last !== NOBODY && (ready & (1 << (last - 1))) !== 0;
    const taken = this.sleep?.begin(id, ready) ?? ready;
    for (let actor = 0; actor < choices; actor += 1) {
      if ((taken & (1 << actor)) === 0) continue;
      states.load(store.data, at);
      const fresh = this.isFresh(actor);
      machine.columns.clear();
      if (!this.advances(actor)) return;
      this.stale.fold(machine.columns, 0);
      const { moved } = subject;
      this.order = states.note();
      this.stepsMade += 1;
      if (fresh && !this.judgesLater && this.endWith(this.judging.brokenBy(id, actor, this.order))) return;
      if (this.options.find !== undefined && this.isFound(id, actor)) return;
      const takes = goesOn && !subject.isDrain(actor) && actor + 1 !== last;
      const asleep = this.sleep?.pass(actor, moved, this.form.orders[this.order]!) ?? 0;
      const to = this.add(id, actor, this.turnAfter(actor, last), takes ? 1 : 0, asleep);
      if (fresh && this.judgesLater) this.judging.add(id, actor, { to, order: this.order });
    }
  }

  /** Lets `actor` go on. Where it cannot, since a rule was broken before that nobody has judged yet, the search has ended. */
  private advances(actor: number): boolean {
    try {
      advance(this.subject, actor, this.reduces);
      return true;
    } catch (error) {
      if (this.isBrokenSomewhere()) return false;
      throw error;
    }
  }

  /** Who has the turn after a choice: a store that becomes visible takes it from nobody. */
  private turnAfter(choice: number, last: number): number {
    return this.subject.isDrain(choice) ? last : 1 + this.form.orders[this.order]!.indexOf(choice);
  }

  /** Whether a step of `actor` from here must be judged: without reduction always, else once in each state but for what others have in hand. */
  private isFresh(actor: number): boolean {
    if (!this.judgesOnce || this.subject.isDrain(actor)) return true;
    const { key, states, seen } = this;
    key.clear();
    states.writeWithoutOthers(actor, key);
    const before = seen.pieces.length;
    return seen.intern(key) === before;
  }

  /** Stores the present state, reached from `parent` by `actor`; `turn` has it now, by `preempted` preemptions more than there; `asleep` sleep. */
  private add(parent: number, actor: number, turn: number, preempted: 0 | 1, asleep = 0): number {
    const { store, states, row, tree } = this;
    const bounds = this.options.order === 'preemptions';
    row.set(states.present);
    row[states.words] = bounds ? turn : NOBODY;
    const id = tree.add(row, parent, actor, this.order);
    if (id < 0) {
      // It waits for its turn after a preemption, and now there is a way without.
      if (bounds && preempted === 0 && !store.isExpanded(~id)) this.turn.push(~id);
      this.sleep?.met(~id, asleep, store.isExpanded(~id));
      return ~id;
    }
    this.sleep?.stored(id, parent, asleep);
    if (bounds) (preempted === 0 ? this.turn : this.later).push(id);
    else if (this.options.order === 'dfs') this.stack.push(id);
    return id;
  }

  /** Nobody can step: everybody is done, and then nothing may be left over; or they wait for each other. */
  private end(id: number): void {
    const { machine } = this.subject;
    if (machine.done) {
      this.finalStates.push(id);
      if (this.judgesLater) this.judging.addEnd(id);
      else this.endWith(this.judging.brokenAtEnd(id));
      return;
    }
    // What a step breaks says more than that nobody can go on.
    if (this.isBrokenSomewhere()) return;
    this.states.load(this.store.data, id * this.store.words);
    const { schedule, who } = this.judging.way(id);
    this.endWith(this.judge.deadlock(schedule, machine, who));
  }

  /** Whether the event that is looked for has just been made. */
  private isFound(id: number, actor: number): boolean {
    const { kind, length } = this.subject.machine.columns;
    for (let i = 0; i < length; i += 1) {
      if (kind[i] !== this.options.find) continue;
      const way = this.judging.way(id);
      const schedule = [...way.schedule, chosen(way.who, actor)];
      const because = `${kindName(kind[i]!)} can be reached`;
      return this.endWith({ kind: 'found', invariant: null, because, schedule, ...this.judge.log(schedule) });
    }
    return false;
  }

  /** The search ends if there is a counterexample. Returns whether there is. */
  private endWith(found: FullCounterexample | undefined): boolean {
    if (found === undefined) return false;
    this.found = found;
    this.ended = 'counterexample';
    return true;
  }
}
