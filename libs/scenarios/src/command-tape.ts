import type { Command } from '@s2lab/engine';

type Field = keyof Command;

/** A recorded command: its kind and the fields that are not 0. */
export type TapeCommand = { readonly [F in Field]?: number } & { readonly kind: number };

/**
 * A long list of recorded commands in columns: a column exists only if some command uses it, so a trace of faults takes about
 * 40 bytes a command. Each command has an actor, an epoch and a time; within an actor, order of adding is order of execution.
 */
export class CommandTape {
  length = 0;
  /** Highest actor + 1. */
  actors = 0;
  /** Highest epoch + 1. */
  epochs = 0;
  private capacity = 0;
  private readonly columns = new Map<Field, Float64Array>();
  private actorOf = new Uint16Array(0);
  private epochOf = new Uint32Array(0);
  private timeOf = new Float64Array(0);

  /**
   * Appends a command.
   * @param epoch commands of an epoch begin when all of the epochs before are complete; must not fall
   * @param atNs earliest virtual time
   */
  add(actor: number, epoch: number, atNs: number, command: TapeCommand): void {
    if (this.length === this.capacity) this.grow();
    const i = this.length;
    this.actorOf[i] = actor;
    this.epochOf[i] = epoch;
    this.timeOf[i] = atNs;
    for (const field in command) {
      const value = command[field as Field]!;
      if (value !== 0) this.column(field as Field)[i] = value;
    }
    this.length = i + 1;
    this.actors = Math.max(this.actors, actor + 1);
    this.epochs = Math.max(this.epochs, epoch + 1);
  }

  /** Actor of command `i`. */
  actor(i: number): number {
    return this.actorOf[i]!;
  }

  /** Epoch of command `i`. */
  epoch(i: number): number {
    return this.epochOf[i]!;
  }

  /** Earliest virtual time of command `i`, ns. */
  atNs(i: number): number {
    return this.timeOf[i]!;
  }

  /** Value of one field of command `i`. */
  field(i: number, name: keyof Command): number {
    return this.columns.get(name)?.[i] ?? 0;
  }

  /** Copies command `i` into `command`, whose fields are 0. */
  read(i: number, command: Command): void {
    for (const [field, values] of this.columns) command[field] = values[i]!;
  }

  private column(field: Field): Float64Array {
    let values = this.columns.get(field);
    if (values === undefined) {
      values = new Float64Array(this.capacity);
      this.columns.set(field, values);
    }
    return values;
  }

  private grow(): void {
    this.capacity = Math.max(64, 2 * this.capacity);
    for (const [field, values] of this.columns) this.columns.set(field, copyInto(new Float64Array(this.capacity), values));
    this.actorOf = copyInto(new Uint16Array(this.capacity), this.actorOf);
    this.epochOf = copyInto(new Uint32Array(this.capacity), this.epochOf);
    this.timeOf = copyInto(new Float64Array(this.capacity), this.timeOf);
  }
}

function copyInto<T extends { set(values: T): void }>(target: T, values: T): T {
  target.set(values);
  return target;
}
