import type { Model, ProcessFields, StateFields } from './model.ts';

/** One step of a toy process. `await` waits until the location has the value; `expect` asserts that it has; `again` reads it and starts anew. */
export type ToyStep =
  | { readonly op: 'load' | 'add' | 'again'; readonly at: number }
  | { readonly op: 'store' | 'await' | 'expect'; readonly at: number; readonly value: number }
  | { readonly op: 'swap'; readonly at: number; readonly from: number; readonly to: number };

const MAX = 15;

/** A model for tests whose answers are known otherwise: each process makes its steps in order; only `again` goes back. */
export class ToyProgram implements Model {
  readonly fields: StateFields;
  readonly state: Uint8Array;
  reads = 0;
  writes = 0;
  readonly neverRead = 0;
  readonly identical: readonly (readonly number[])[];
  private readonly programs: readonly (readonly ToyStep[])[];
  private readonly locations: number;

  /** Neighbours with one and the same program (the same object) are identical. */
  constructor(locations: number, programs: readonly (readonly ToyStep[])[]) {
    this.programs = programs;
    this.locations = locations;
    const processes = programs.map((steps, index): ProcessFields => ({
      role: 'walker',
      index,
      fields: [
        { name: 'pc', max: steps.length, initial: 0 },
        { name: 'seen', max: MAX, initial: 0 },
      ],
    }));
    this.fields = { shared: Array.from({ length: locations }, (_, n) => ({ name: `x[${n}]`, max: MAX, initial: 0 })), processes };
    this.identical = [...Map.groupBy(programs.keys(), (p) => programs[p]!).values()].filter((group) => group.length > 1);
    this.state = new Uint8Array(locations + 2 * programs.length);
  }

  done(process: number): boolean {
    return this.pc(process) === this.programs[process]!.length;
  }

  enabled(process: number): boolean {
    const step = this.programs[process]![this.pc(process)];
    if (step?.op !== 'await') return step !== undefined;
    return this.load(step.at) === step.value;
  }

  step(process: number): boolean {
    const { state } = this;
    const own = this.locations + 2 * process;
    const step = this.programs[process]![state[own]!]!;
    state[own]! += 1;
    switch (step.op) {
      case 'load':
        state[own + 1] = this.load(step.at);
        return true;
      case 'again':
        this.load(step.at);
        state[own] = 0;
        return true;
      case 'add':
        this.store(step.at, (this.load(step.at) + 1) & MAX);
        return true;
      case 'store':
        this.store(step.at, step.value);
        return true;
      case 'swap':
        if (this.load(step.at) === step.from) this.store(step.at, step.to);
        else state[own + 1] = MAX;
        return true;
      case 'await':
      case 'expect':
        return this.load(step.at) === step.value;
    }
  }

  mayRead(process: number): number {
    return this.rest(process, ({ op }) => op !== 'store');
  }

  mayWrite(process: number): number {
    return this.rest(process, ({ op }) => op === 'store' || op === 'add' || op === 'swap');
  }

  words(process: number): string {
    return this.programs[process]![this.pc(process)]?.op ?? 'is done';
  }

  private pc(process: number): number {
    return this.state[this.locations + 2 * process]!;
  }

  private rest(process: number, touches: (step: ToyStep) => boolean): number {
    const steps = this.programs[process]!;
    const from = steps.at(-1)?.op === 'again' ? 0 : this.pc(process);
    return steps.slice(from).reduce((bits, step) => bits | (touches(step) ? 1 << step.at : 0), 0);
  }

  private load(location: number): number {
    this.reads |= 1 << location;
    return this.state[location]!;
  }

  private store(location: number, value: number): void {
    this.writes |= 1 << location;
    this.state[location] = value;
  }
}
