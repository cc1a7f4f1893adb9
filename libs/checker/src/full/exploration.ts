import type { ReclaimPolicy } from '@s2lab/engine';
import { CanonicalForm } from './canonical-form.ts';
import { advance, goOn, settle } from './choices.ts';
import type { FullReduction } from './reductions.ts';
import { Judge } from './judge.ts';
import { MachineStates } from './machine-states.ts';
import { SpentState } from './spent-state.ts';
import { StaleLinks } from './stale-links.ts';
import type { Setting } from './subject.ts';
import { Subject } from './subject.ts';

/** A machine as a search has it before itself: in its first state, with what tells its states apart. */
export class Exploration {
  readonly subject: Subject;
  readonly stale: StaleLinks;
  readonly form: CanonicalForm;
  readonly states: MachineStates;
  /** Whether steps that concern nobody else are taken at once. */
  readonly reduces: boolean;
  private readonly setting: Setting;
  private readonly policy: ReclaimPolicy;
  private readonly except: readonly string[];

  /**
   * @param except ids of rules that are not judged
   * @throws RangeError when the machine cannot be built
   */
  constructor(setting: Setting, policy: ReclaimPolicy, reduce: readonly FullReduction[], except: readonly string[]) {
    this.setting = setting;
    this.policy = policy;
    this.except = except;
    this.reduces = reduce.includes('local-steps');
    this.subject = new Subject(setting, policy);
    if (this.reduces) settle(this.subject);
    this.subject.clearDead();
    this.stale = new StaleLinks(this.subject.machine.world.actors);
    this.form = new CanonicalForm(this.subject, this.stale, {
      tables: reduce.includes('tables'),
      walkers: reduce.includes('walkers'),
      spent: reduce.includes('spent-state') ? new SpentState(this.subject, except, this.reduces) : undefined,
    });
    this.states = new MachineStates(this.subject, this.stale, this.form);
  }

  /** Who judges paths, in a machine of its own. */
  judge(workload: string): Judge {
    const { reduces, except } = this;
    const other = new Subject(this.setting, this.policy);
    if (reduces) settle(other);
    // Without reduction no choice depends on registers that are dead: played untouched, paths show that they are.
    if (reduces) other.clearDead();
    return new Judge(other, workload, except, (actor) => (reduces ? advance(other, actor, true) : goOn(other, actor)));
  }
}
