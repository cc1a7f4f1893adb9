import { type CapabilityName, type KafkaBroker, capability, startKafkaBroker } from '@s2lab/testkit';

/** What came of a drill: a row of docs/drills.md. */
export interface DrillOutcome {
  /** What was done to which part. */
  readonly drill: string;
  /** What was lost, counted; the drill fails when it is anything but nothing. */
  readonly lost: string;
  /** From which moment to which the recovery was measured. */
  readonly recovery: string;
  readonly recoveredMs: number;
  /** What else was seen. */
  readonly seen: string;
}

/** Things to be ended when a drill is over, however it ends: the last one first. */
export class Ending {
  private readonly steps: (() => Promise<unknown>)[] = [];

  /** Adds a step; returns what it is for. */
  after<T>(made: T, end: (made: T) => Promise<unknown>): T {
    this.steps.push(async () => end(made));
    return made;
  }

  async run(): Promise<void> {
    for (const step of this.steps.reverse()) await step();
  }
}

/** Runs a drill and prints its outcome as a line of JSON; the process fails when the drill does. */
export async function run(drill: (ending: Ending) => Promise<DrillOutcome>): Promise<void> {
  const ending = new Ending();
  try {
    console.log(JSON.stringify(await drill(ending)));
  } finally {
    await ending.run();
  }
}

/** The path of what `name` stands for. @throws Error with what to do when there is none */
export function need(name: CapabilityName): string {
  const found = capability(name);
  if (!found.available) throw new Error(`this drill needs ${name}: ${found.reason}`);
  return found.path;
}

/** A real broker for the drill. */
export async function broker(ending: Ending): Promise<KafkaBroker> {
  return ending.after(await startKafkaBroker({ jars: need('kafka'), java: need('java') }), async (started) => started.stop());
}

/** Fails the drill. @throws Error unless `holds` */
export function demand(holds: boolean, what: string): void {
  if (!holds) throw new Error(`the drill failed: ${what}`);
}

/** A number with a comma between thousands. */
export function count(n: number): string {
  return n.toLocaleString('en');
}
