/** A step in a graph of states: whose it is, and where it leads. */
export interface Edge {
  readonly actor: number;
  readonly to: number;
}

/** A graph of states, complete: from each state, one step for each actor that can make one. */
export interface StateGraph {
  readonly states: number;
  readonly actors: number;
  edges(state: number): readonly Edge[];
}

/** An execution that never ends though nobody is kept from stepping: steps of `loop` again and again, from `state` on. */
export interface Loop {
  readonly state: number;
  readonly loop: readonly number[];
}

/** A state on the way of the search, and which of its steps is next. */
interface Visit {
  readonly state: number;
  readonly edges: readonly Edge[];
  next: number;
}

/**
 * Looks for executions that are fair and never end: a set of states, each reachable from each, in which every actor either makes a step or is
 * in some state not able to. One that is always able and never has the turn would make the schedule unfair, and shows nothing.
 * @source R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Computing 1(2), 1972
 */
export class Livelocks {
  ended: 'none' | 'livelock' | undefined;
  found: Loop | undefined;
  private readonly graph: StateGraph;
  /** Order in which each state was met, from 1; 0 = not yet. */
  private readonly order: Int32Array;
  private readonly low: Int32Array;
  private readonly onStack: Uint8Array;
  private readonly stack: number[] = [];
  private readonly path: Visit[] = [];
  private met = 0;

  constructor(graph: StateGraph) {
    this.graph = graph;
    this.order = new Int32Array(graph.states);
    this.low = new Int32Array(graph.states);
    this.onStack = new Uint8Array(graph.states);
    this.visit(0);
  }

  /** Looks at most at `steps` steps more. Returns whether there is more to do. */
  advance(steps: number): boolean {
    for (let n = 0; n < steps && this.ended === undefined; n += 1) this.step();
    return this.ended === undefined;
  }

  private visit(state: number): void {
    this.met += 1;
    this.order[state] = this.met;
    this.low[state] = this.met;
    this.onStack[state] = 1;
    this.stack.push(state);
    this.path.push({ state, edges: this.graph.edges(state), next: 0 });
  }

  private step(): void {
    const visit = this.path.at(-1);
    if (visit === undefined) {
      this.ended = 'none';
      return;
    }
    const edge = visit.edges[visit.next];
    visit.next += 1;
    if (edge === undefined) this.leave(visit.state);
    else if (this.order[edge.to] === 0) this.visit(edge.to);
    else if (this.onStack[edge.to] === 1) this.low[visit.state] = Math.min(this.low[visit.state]!, this.order[edge.to]!);
  }

  private leave(state: number): void {
    this.path.pop();
    const above = this.path.at(-1);
    if (above !== undefined) this.low[above.state] = Math.min(this.low[above.state]!, this.low[state]!);
    if (this.low[state] !== this.order[state]) return;
    const component = new Set<number>();
    for (;;) {
      const member = this.stack.pop()!;
      this.onStack[member] = 0;
      component.add(member);
      if (member === state) break;
    }
    const loop = this.fairLoop(state, component);
    if (loop === undefined) return;
    this.found = { state, loop };
    this.ended = 'livelock';
  }

  /** A way round from `state` by which each actor that is always able to step does so; undefined where there is none. */
  private fairLoop(state: number, component: ReadonlySet<number>): readonly number[] | undefined {
    const inside = (from: number): readonly Edge[] => this.graph.edges(from).filter(({ to }) => component.has(to));
    if (component.size === 1 && inside(state).length === 0) return undefined;
    const loop: number[] = [];
    let at = state;
    for (let actor = 0; actor < this.graph.actors; actor += 1) {
      const rests = [...component].some((member) => !this.graph.edges(member).some((edge) => edge.actor === actor));
      if (rests) continue;
      const way = shortest(at, inside, (edge) => edge.actor === actor);
      if (way === undefined) return undefined;
      for (const edge of way) loop.push(edge.actor);
      at = way.at(-1)!.to;
    }
    if (at === state && loop.length > 0) return loop;
    const back = shortest(at, inside, (edge) => edge.to === state)!;
    return [...loop, ...back.map(({ actor }) => actor)];
  }
}

/** The shortest way from a state that ends in a step that is wanted. */
function shortest(from: number, edges: (state: number) => readonly Edge[], wanted: (edge: Edge) => boolean): readonly Edge[] | undefined {
  const cameBy = new Map<number, { readonly before: number; readonly edge: Edge }>();
  const queue = [from];
  const met = new Set(queue);
  for (let head = 0; head < queue.length; head += 1) {
    const state = queue[head]!;
    for (const edge of edges(state)) {
      if (wanted(edge)) {
        const way = [edge];
        for (let at = state; at !== from; at = cameBy.get(at)!.before) way.unshift(cameBy.get(at)!.edge);
        return way;
      }
      if (met.has(edge.to)) continue;
      met.add(edge.to);
      cameBy.set(edge.to, { before: state, edge });
      queue.push(edge.to);
    }
  }
  return undefined;
}
