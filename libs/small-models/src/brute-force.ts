import type { Model } from './model.ts';

/** What a program can do, by following every schedule without any of the searches' machinery; for tests. */
export interface Possible {
  /** States at which it may end, told by `key`. */
  readonly ends: ReadonlySet<string>;
  readonly states: number;
  readonly assertionFails: boolean;
  readonly deadlocks: boolean;
  /** Classes of executions that differ in the order of steps that do not conflict; without meaning when something goes wrong. */
  readonly classes: number;
}

interface Access {
  readonly reads: number;
  readonly writes: number;
}

/** Follows every schedule of `model` from its current state. `key` tells final states apart. */
export function everySchedule(model: Model, key: (state: Uint8Array) => string): Possible {
  const count = model.fields.processes.length;
  const ends = new Set<string>();
  const seen = new Set<string>();
  const known = new Map<string, number>();
  let assertionFails = false;
  let deadlocks = false;
  const look = (state: Uint8Array, p: number): { access: Access; after: Uint8Array } | undefined => {
    model.state.set(state);
    model.reads = 0;
    model.writes = 0;
    if (!model.enabled(p)) return undefined;
    if (!model.step(p)) assertionFails = true;
    return { access: { reads: model.reads, writes: model.writes }, after: model.state.slice() };
  };
  // An execution is counted at its least order by process number: `sleep` holds who could have come earlier.
  const classes = (state: Uint8Array, sleep: number): number => {
    const name = `${state.join()} ${sleep}`;
    const before = known.get(name);
    if (before !== undefined) return before;
    seen.add(state.join());
    const next = Array.from({ length: count }, (_, p) => look(state, p));
    if (next.every((step) => step === undefined)) {
      model.state.set(state);
      if (next.some((_, p) => !model.done(p))) deadlocks = true;
      ends.add(key(state));
      known.set(name, 1);
      return 1;
    }
    let sum = 0;
    let asleep = sleep;
    for (const [p, step] of next.entries()) {
      if (step === undefined || (asleep & (1 << p)) !== 0) continue;
      let stay = 0;
      for (const [q, other] of next.entries()) {
        if ((asleep & (1 << q)) !== 0 && other !== undefined && !collide(other.access, step.access)) stay |= 1 << q;
      }
      sum += classes(step.after, stay);
      asleep |= 1 << p;
    }
    known.set(name, sum);
    return sum;
  };
  const number = classes(model.state.slice(), 0);
  return { ends, states: seen.size, assertionFails, deadlocks, classes: number };
}

function collide(a: Access, b: Access): boolean {
  return (a.writes & (b.reads | b.writes)) !== 0 || (a.reads & b.writes) !== 0;
}

/** Names the class of an execution: classes that differ only in which of identical processes is which have one name. */
export function orderlessClass(
  steps: readonly (Access & { readonly process: number })[],
  identical: readonly (readonly number[])[],
): string {
  const renamings = identical.reduce<Map<number, number>[]>(
    (before, group) =>
      before.flatMap((names) =>
        permutations(group).map((order) => new Map([...names, ...group.map((p, n): [number, number] => [p, order[n]!])])),
      ),
    [new Map()],
  );
  return renamings.map((names) => leastOrder(steps, (p) => names.get(p) ?? p)).toSorted()[0]!;
}

/** Of the orders of steps that are one class, the least by the names of the processes. */
function leastOrder(steps: readonly (Access & { readonly process: number })[], name: (process: number) => number): string {
  const left = [...steps];
  const order: number[] = [];
  while (left.length > 0) {
    const isFree = (n: number): boolean =>
      left.slice(0, n).every((before) => before.process !== left[n]!.process && !collide(before, left[n]!));
    const free = [...left.keys()].filter(isFree);
    const next = free.toSorted((a, b) => name(left[a]!.process) - name(left[b]!.process))[0]!;
    order.push(name(left.splice(next, 1)[0]!.process));
  }
  return order.join();
}

function permutations(list: readonly number[]): number[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((each) => permutations(list.filter((other) => other !== each)).map((rest) => [each, ...rest]));
}

/** Names a state such that two that differ only in the order of identical processes have one name. */
export function orderlessKey(model: Model): (state: Uint8Array) => string {
  const { shared, processes } = model.fields;
  const own = processes[0]!.fields.length;
  return (state) => {
    const groups = processes.map((_, p) => state.slice(shared.length + own * p, shared.length + own * (p + 1)).join());
    for (const identical of model.identical) {
      const sorted = identical.map((p) => groups[p]!).sort();
      for (const [n, p] of identical.entries()) groups[p] = sorted[n]!;
    }
    return [state.slice(0, shared.length).join(), ...groups].join(' ');
  };
}
