import type { MachineConfig, ReclaimPolicy } from '@s2lab/engine';
import { BufferedMachine, clearDeadRegisters, COMMAND, emptyRegisters, Machine, machineConfig, PC, step } from '@s2lab/engine';
import type { FrameOrigin } from '@s2lab/events';
import { EventColumns } from '@s2lab/events';
import type { Request } from './script.ts';
import { Script } from './script.ts';

/** A machine with something to do at once: everything before is done by one actor after the other. */
export interface Setting {
  readonly config: Partial<MachineConfig>;
  /** What is done first, in this order: actor and request. */
  readonly prologue: readonly (readonly [actor: number, request: Request])[];
  /** What is then done by all at once: requests of each vCPU, then of the VMM thread. */
  readonly requests: readonly (readonly Request[])[];
  /** What the VMM thread does last, once all are done; absent = it destroys the stage-2. */
  readonly epilogue?: readonly Request[];
  /** What a machine with a defect does otherwise. */
  readonly prepare?: (machine: Machine) => void;
}

/** Steps after which an actor that is alone is taken for one that never ends. */
const ALONE_MAX = 100_000;
/** Room for the events of a prologue, of one path through a search, and of an epilogue. */
const EVENTS = 1 << 15;
/** Choices are bits of a number. */
const CHOICES_MAX = 31;
const DESTROYED: readonly Request[] = [{ kind: COMMAND.destroyVm }];

/** The machine under exploration: its steps in any order. Virtual time is the number of steps. */
export class Subject {
  readonly machine: Machine;
  readonly script: Script;
  /** Steps made since the machine was built. */
  steps = 0;
  /** Actors that have made a step since somebody last set this to 0: one bit each. */
  moved = 0;
  /** What may happen next: a step of each actor; then, of each actor, one of the stores that it holds back becomes visible. */
  readonly choices: number;
  /** The machine, where its stores are seen late. */
  private readonly buffered: BufferedMachine | undefined;
  private readonly lanes: number;
  private readonly scratch = emptyRegisters();
  private readonly epilogue: readonly Request[];

  /** Builds the machine and plays the prologue. */
  constructor(setting: Setting, policy: ReclaimPolicy) {
    this.script = new Script(setting.requests);
    this.epilogue = setting.epilogue ?? DESTROYED;
    const vcpus = setting.requests.length - 1;
    const config = machineConfig({ ...setting.config, vcpus });
    const columns = new EventColumns(EVENTS);
    this.buffered = config.memory === 'sc' ? undefined : new BufferedMachine(config, policy, this.script, columns);
    this.machine = this.buffered ?? new Machine(config, policy, this.script, columns);
    const { machine } = this;
    setting.prepare?.(machine);
    this.lanes = machine.buffers?.lanes ?? 0;
    this.choices = machine.world.actors * (1 + this.lanes);
    if (this.choices > CHOICES_MAX)
      throw new RangeError(`${machine.world.actors} actors are too many for ${machine.config.memory}: take fewer walkers or collapsers`);
    this.alone(machine.vmmActor, () => machine.walkers[machine.vmmActor]!.pc === PC.idle);
    for (const [actor, request] of setting.prologue) this.play(actor, request);
  }

  /** Whether the choice is a store that becomes visible, and no step of an actor. */
  isDrain(choice: number): boolean {
    return choice >= this.machine.world.actors;
  }

  /** Whose step or store the choice is. */
  actorOf(choice: number): number {
    const { actors } = this.machine.world;
    return choice < actors ? choice : Math.floor((choice - actors) / this.lanes);
  }

  /** Whether the actor can make a step now, or its store become visible. */
  isReady(choice: number): boolean {
    const { machine } = this;
    const actor = this.actorOf(choice);
    if (this.isDrain(choice)) return machine.buffers!.canDrain(actor, this.laneOf(choice));
    const walker = machine.walkers[actor]!;
    return walker.blocked === 0 && !walker.isFinished;
  }

  /** Whether nothing can happen any more though not everybody is done. */
  get isStuck(): boolean {
    for (let choice = 0; choice < this.choices; choice += 1) if (this.isReady(choice)) return false;
    return !this.machine.done;
  }

  private laneOf(choice: number): number {
    return (choice - this.machine.world.actors) % this.lanes;
  }

  /** Lets the actor make its next step, or its store become visible. */
  step(actor: number): void {
    this.steps += 1;
    if (this.isDrain(actor)) {
      this.machine.beginStep(this.steps);
      this.buffered!.drain(this.actorOf(actor), this.laneOf(actor));
      return;
    }
    this.moved |= 1 << actor;
    this.machine.beginStep(this.steps);
    step(this.machine, this.machine.walkers[actor]!);
  }

  /** Clears registers that cannot matter any more of those who moved: what follows must not depend on how a state was come to. */
  clearDead(): void {
    const { machine, moved, scratch } = this;
    for (const walker of machine.walkers) {
      if ((moved & (1 << walker.actor)) === 0) continue;
      clearDeadRegisters(walker, !machine.policyOf(walker).capabilities.collapsesInParallel, scratch);
    }
    this.dropDead();
  }

  /** Drops what vCPUs have cached that will never access memory again. */
  dropDead(): void {
    const { world, walkers } = this.machine;
    for (let vcpu = 0; vcpu < world.vcpus; vcpu += 1) {
      if ((this.moved & (1 << vcpu)) === 0 || !walkers[vcpu]!.isFinished) continue;
      for (const stage2 of world.stage2s) if (stage2 !== undefined) stage2.tlb.dropAll(vcpu, vcpu + 1);
    }
  }

  /** Lets one actor carry out a request alone, with the reclaim worker behind it. */
  play(actor: number, request: Request): void {
    const walker = this.machine.walkers[actor]!;
    if (walker.isFinished) {
      walker.pc = PC.idle;
      this.machine.finished -= 1;
    }
    this.script.first(request);
    this.step(actor);
    this.alone(actor, () => walker.pc === PC.idle);
  }

  /** Once all are done: the epilogue, and the end of the machine. */
  end(): void {
    const { machine } = this;
    for (const request of this.epilogue) this.play(machine.vmmActor, request);
    this.step(machine.vmmActor);
    machine.stop(0);
  }

  /** Where the log of the machine comes from. */
  origin(workload: string): FrameOrigin {
    const { policy, config } = this.machine;
    return { run: 'check', machine: 0, policy: policy.name, machineKind: config.kind, workload };
  }

  private alone(actor: number, over: () => boolean): void {
    const { reclaimActor } = this.machine;
    for (let taken = 0; taken < ALONE_MAX; taken += 1) {
      for (const each of this.machine.walkers) this.machine.fence(each);
      if (this.isReady(reclaimActor)) this.step(reclaimActor);
      else if (over()) return;
      else if (this.isReady(actor)) this.step(actor);
      else throw new Error(`actor ${actor} waits for ever: ${this.machine.describeWaiting()}`);
    }
    throw new Error(`actor ${actor} does not end its request alone`);
  }
}
