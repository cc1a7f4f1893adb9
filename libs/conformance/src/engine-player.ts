import type { Command, MachineConfig, ReclaimPolicy, Walker, Workload } from '@s2lab/engine';
import { COMMAND, HOOK, Machine, PC, step } from '@s2lab/engine';
import type { EventRows } from '@s2lab/events';
import { EventColumns, K } from '@s2lab/events';
import { observedItem } from './item-text.ts';

/** Steps without an event after which a walker counts as lost: far more than the longest branch of the program. */
const SILENT_STEPS_MAX = 1_000_000;
const ROWS = 64;

/** What becomes of a command: fields of Command by name. */
export type CommandFields = Partial<Command>;

/** Item of the event in row `i`, undefined for one that recordings do not have. */
export type Observer = (rows: EventRows, i: number, walker: Walker) => string | undefined;

/** Which kinds of event a recording has besides those that all have. */
export interface Compared {
  locks: boolean;
  reads: boolean;
}

/**
 * A machine whose actors run only when they are told to, one event of interest at a time: the recording is the schedule. Nothing here
 * has a time; grace periods end when the recording says that the callback runs.
 */
export class EnginePlayer implements Workload {
  readonly machine: Machine;
  readonly compared: Compared = { locks: false, reads: false };
  private readonly columns = new EventColumns(ROWS);
  private readonly queues: string[][];
  private readonly asked: (CommandFields | undefined)[];

  private readonly observe: Observer;

  /** @param observe what an event is compared as; by default as recordings of the page-table library and the fault path have it */
  constructor(config: MachineConfig, policy: ReclaimPolicy, observe?: Observer) {
    this.observe = observe ?? ((rows, i, walker) => observedItem(rows, i, walker, this.machine.world.shape));
    this.machine = new Machine(config, { ...policy, mayReclaim: () => HOOK.done }, this, this.columns);
    this.queues = this.machine.walkers.map(() => []);
    this.asked = this.machine.walkers.map(() => undefined);
  }

  /** Workload: hands the command over that `begin` was given. */
  next(actor: number, _nowNs: number, _lastResult: number, command: Command): void {
    Object.assign(command, this.asked[actor] ?? { kind: COMMAND.done });
    this.asked[actor] = undefined;
  }

  /** Gives an idle actor something to do; it does it as `nextItem` is asked. */
  begin(actor: number, command: CommandFields): void {
    this.asked[actor] = command;
    // The recorded hardware walks the live tables: it caches nothing between accesses.
    if (command.kind === COMMAND.access) this.machine.stage2(this.machine.walkers[actor]!).tlb.dropAll(0, this.machine.config.vcpus);
  }

  /** Lets `actor` run to its next event of interest; undefined when it has nothing more to do, or waits. */
  nextItem(actor: number): string | undefined {
    const queue = this.queues[actor]!;
    const walker = this.machine.walkers[actor]!;
    walker.blocked = 0;
    for (let silent = 0; queue.length === 0; silent += 1) {
      if (this.isIdle(actor) || walker.blocked !== 0) return undefined;
      if (silent > SILENT_STEPS_MAX) return `(nothing in ${SILENT_STEPS_MAX} steps)`;
      this.machine.beginStep(0);
      step(this.machine, walker);
      this.collect(walker, queue);
    }
    return queue.shift();
  }

  /** Whether `actor` has done what it was asked to. */
  isIdle(actor: number): boolean {
    const { pc } = this.machine.walkers[actor]!;
    if (actor === this.machine.reclaimActor) return pc === PC.reclaimIdle && this.machine.world.retiredCount === 0;
    return (pc === PC.idle && this.asked[actor] === undefined) || pc === PC.finished;
  }

  private collect(walker: Walker, queue: string[]): void {
    for (let i = 0; i < this.columns.length; i += 1) {
      const kind = this.columns.kind[i];
      if (!this.compared.locks && (kind === K.lockAcquired || kind === K.lockReleased)) continue;
      if (!this.compared.reads && kind === K.descriptorRead) continue;
      const item = this.observe(this.columns, i, walker);
      if (item !== undefined) queue.push(item);
    }
    this.columns.clear();
  }
}
