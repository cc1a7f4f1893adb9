import type { LabSample, MachineSample } from '../sample.ts';
import { FIELD } from '../sample.ts';

/** Samples that the page keeps: three minutes. */
const KEPT = 720;

/** How series are made: one a policy, or one a machine. */
export type Grouping = 'policy' | 'machine';

/** A sample whose numbers are added up by group. */
export interface GroupedSample {
  /** Wall time, seconds. */
  readonly t: number;
  readonly groups: ReadonlyMap<string, readonly number[]>;
}

/** A phase that began on the first machine, which stands for all: one more a machine would fill the charts with lines. */
export interface PhaseMark {
  /** Wall time, seconds. */
  readonly t: number;
  readonly phase: number;
}

/** What the page knows of the lab’s last minutes. */
export class LabHistory {
  private samples: LabSample[] = [];
  private grouped: Record<Grouping, GroupedSample[]> = { policy: [], machine: [] };
  private marks: PhaseMark[] = [];
  private phase = 0;

  /** Forgets everything: another run begins. */
  clear(): void {
    this.samples = [];
    this.grouped = { policy: [], machine: [] };
    this.marks = [];
    this.phase = 0;
  }

  push(sample: LabSample): void {
    this.samples.push(sample);
    this.grouped.policy.push(group(sample, (machine) => machine.policy));
    this.grouped.machine.push(group(sample, (machine) => `${machine.policy} #${machine.id}`));
    this.markPhases(sample);
    if (this.samples.length <= KEPT) return;
    this.samples.shift();
    this.grouped.policy.shift();
    this.grouped.machine.shift();
    const oldest = this.grouped.policy[0]!.t;
    this.marks = this.marks.filter((mark) => mark.t >= oldest);
  }

  latest(): LabSample | undefined {
    return this.samples.at(-1);
  }

  /** All samples kept, added up by `grouping`, oldest first. */
  by(grouping: Grouping): readonly GroupedSample[] {
    return this.grouped[grouping];
  }

  phaseMarks(): readonly PhaseMark[] {
    return this.marks;
  }

  private markPhases(sample: LabSample): void {
    const phase = sample.machines[0]?.n[FIELD.phase] ?? 0;
    if (phase === 0 || phase === this.phase) return;
    this.phase = phase;
    this.marks.push({ t: sample.t / 1000, phase });
  }
}

function group(sample: LabSample, nameOf: (machine: MachineSample) => string): GroupedSample {
  const groups = new Map<string, number[]>();
  for (const machine of sample.machines) {
    const sums = groups.get(nameOf(machine));
    if (sums === undefined) groups.set(nameOf(machine), [...machine.n]);
    else
      machine.n.forEach((value, i) => {
        sums[i]! += value;
      });
  }
  return { t: sample.t / 1000, groups };
}
