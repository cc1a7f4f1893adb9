import type { Model } from './model.ts';
import type { Counterexample } from './state-search.ts';

/** One step of a counterexample in words. */
export interface StepText {
  /** Such as `walker 0`. */
  readonly process: string;
  /** Such as `W2 takes a reference`. */
  readonly does: string;
  /** Shared locations that it changed, such as `R[0]: 1 → 2`. */
  readonly changes: readonly string[];
}

/** A counterexample in words. */
export interface CounterexampleText {
  readonly kind: Counterexample['kind'];
  readonly because: string;
  readonly steps: readonly StepText[];
}

/** Tells a counterexample in words. `model` is in its first state. */
export function counterexampleText(model: Model, { kind, schedule }: Counterexample): CounterexampleText {
  const { shared } = model.fields;
  const steps = schedule.map((process): StepText => {
    const before = model.state.slice();
    const does = model.words(process);
    model.step(process);
    const changes = shared.flatMap(({ name }, at) =>
      before[at] === model.state[at] ? [] : [`${name}: ${before[at]} → ${model.state[at]}`],
    );
    return { process: nameOf(model, process), does, changes };
  });
  const last = steps.at(-1);
  if (kind === 'assertion' && last !== undefined) {
    return { kind, because: `${last.process} touches a page that is not the one it found: use after free, or a double free`, steps };
  }
  const waiting = model.fields.processes.flatMap((_, p) => (model.done(p) ? [] : [`${nameOf(model, p)} at "${model.words(p)}"`]));
  return { kind: 'deadlock', because: `nobody can step: ${waiting.join(', ')} ${waiting.length === 1 ? 'waits' : 'wait'} for ever`, steps };
}

function nameOf(model: Model, process: number): string {
  const { role, index } = model.fields.processes[process]!;
  return `${role} ${index}`;
}
