import type { Command, MachineConfig, Workload } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import type { CommandTape } from './command-tape.ts';

/** How often an actor that waits for another looks again, virtual ns: short, so that the walkers of a block start together. */
const POLL_NS = 200;

/** A recording that cannot be used. The message is one line: file, line, what was expected, what was found. */
export class RecordingError extends Error {
  /** Line in the file, from 1; 0 = the file as a whole. */
  readonly line: number;

  constructor(source: string, line: number, problem: string) {
    super(line === 0 ? `${source}: ${problem}` : `${source}:${line}: ${problem}`);
    this.name = 'RecordingError';
    this.line = line;
  }
}

/** What a recording says about the machine it was made on; the rest is up to whoever replays it. */
export type RecordedMachine = Partial<MachineConfig> & Pick<MachineConfig, 'vcpus' | 'pageShift' | 'ipaBits'>;

/** A workload read from a file: plain data, played any number of times. */
export interface Recording {
  readonly format: 'script' | 'trace';
  /** Name for people: that of the file. */
  readonly name: string;
  readonly machine: RecordedMachine;
  readonly tape: CommandTape;
  /** Lines that were read, by operation or event; those in `skipped` gave no command. */
  readonly lines: Readonly<Record<string, number>>;
  /** Lines that give no command, by reason. */
  readonly skipped: Readonly<Record<string, number>>;
}

/**
 * Plays a recording. Epochs are barriers over all actors; within an epoch actors go on independently, none before a command's time.
 */
export class RecordedWorkload implements Workload {
  private readonly tape: CommandTape;
  /** Commands of actor a: order[first[a]] … order[first[a + 1] - 1]. */
  private readonly order: Uint32Array;
  private readonly first: Uint32Array;
  private readonly cursor: Uint32Array;
  private readonly running: Uint8Array;
  /** Commands of each epoch that are not complete. */
  private readonly left: Uint32Array;
  private epoch = 0;

  constructor(recording: Recording) {
    const { tape } = recording;
    this.tape = tape;
    this.first = new Uint32Array(tape.actors + 1);
    this.left = new Uint32Array(tape.epochs);
    for (let i = 0; i < tape.length; i += 1) {
      this.first[tape.actor(i) + 1]! += 1;
      this.left[tape.epoch(i)]! += 1;
    }
    for (let a = 0; a < tape.actors; a += 1) this.first[a + 1]! += this.first[a]!;
    this.cursor = this.first.slice(0, tape.actors);
    this.order = new Uint32Array(tape.length);
    for (let i = 0; i < tape.length; i += 1) this.order[this.cursor[tape.actor(i)]!++] = i;
    this.cursor.set(this.first.subarray(0, tape.actors));
    this.running = new Uint8Array(tape.actors);
    this.skipCompleteEpochs();
  }

  next(actor: number, nowNs: number, _lastResult: number, command: Command): void {
    if (actor >= this.tape.actors) {
      command.kind = COMMAND.done;
      return;
    }
    if (this.running[actor] === 1) this.complete(actor);
    const at = this.cursor[actor]!;
    if (at === this.first[actor + 1]!) {
      command.kind = COMMAND.done;
      return;
    }
    const i = this.order[at]!;
    const early = this.tape.atNs(i) - nowNs;
    if (early > 0 || this.tape.epoch(i) > this.epoch) {
      command.kind = COMMAND.delay;
      command.durationNs = Math.max(POLL_NS, early);
      return;
    }
    this.tape.read(i, command);
    this.running[actor] = 1;
  }

  private complete(actor: number): void {
    this.running[actor] = 0;
    const done = this.order[this.cursor[actor]!]!;
    this.cursor[actor]! += 1;
    this.left[this.tape.epoch(done)]! -= 1;
    this.skipCompleteEpochs();
  }

  private skipCompleteEpochs(): void {
    while (this.epoch < this.left.length && this.left[this.epoch] === 0) this.epoch += 1;
  }
}
