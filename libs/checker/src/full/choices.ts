import { isLocalStep } from './local-steps.ts';
import type { Subject } from './subject.ts';

/** Most local steps in a row: more would never end. */
const LOCAL_MAX = 10_000;

/** Lets `actor` make its next step, and with `reduce` then everybody those that concern nobody else. */
export function advance(subject: Subject, actor: number, reduce: boolean): void {
  subject.step(actor);
  if (reduce) settle(subject);
  subject.clearDead();
}

/** The engine's own step, which leaves registers as it leaves them. */
export function goOn(subject: Subject, actor: number): void {
  subject.step(actor);
  subject.dropDead();
}

/** Lets everybody make the steps that concern nobody else. */
export function settle(subject: Subject): void {
  const { walkers } = subject.machine;
  const until = subject.steps + LOCAL_MAX;
  for (let quiet = 0; quiet < walkers.length;) {
    quiet = 0;
    for (let actor = 0; actor < walkers.length; actor += 1) {
      if (subject.isReady(actor) && isLocalStep(subject, walkers[actor]!)) {
        do subject.step(actor);
        while (subject.isReady(actor) && isLocalStep(subject, walkers[actor]!));
      } else quiet += 1;
    }
    if (subject.steps > until) throw new Error(`more than ${LOCAL_MAX} steps that concern nobody else`);
  }
}

/** A choice by the names of a way: actors are called something else there, their stores never are. */
export function chosen(who: readonly number[], choice: number): number {
  return who[choice] ?? choice;
}
