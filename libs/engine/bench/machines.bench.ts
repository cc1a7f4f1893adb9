/*
 * Many machines of 8 vCPUs in one process: what one costs in memory, and what an event costs beside 999 others. Each is measured in a process of
 * its own, as part of a fleet that takes turns frame by frame; CPU time, the least of some rounds.
 */
import { spawnSync } from 'node:child_process';
import type { Command, Workload } from '@s2lab/engine';
import { COMMAND, machineConfig, Prng } from '@s2lab/engine';
import { ACCESS, FRAME_ROWS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { FleetRun } from '@s2lab/scheduler';

const VCPUS = 8;
const VMM = VCPUS;
const MANY = 1000;
const ROUNDS = 2;
const PAGE = 4096;
/** Guest memory: pages of 2 MiB, or 512 of 4 KiB. */
const BLOCK = 2 ** 21;
const BLOCKS = 4;
/** Events of a turn: a frame. */
const TURN_EVENTS = FRAME_ROWS;
const MEMORY_TARGET = 32;

/** Guests write to pages by chance while the host takes blocks back: faults, walks, unlinked tables, without end. */
class Churn implements Workload {
  private readonly prng: Prng;
  private begun = false;

  constructor(seed: number) {
    this.prng = new Prng(seed);
  }

  next(actor: number, _nowNs: number, _lastResult: number, command: Command): void {
    if (actor !== VMM) this.guest(command);
    else if (this.begun) this.host(command);
    else this.boot(command);
  }

  private boot(command: Command): void {
    this.begun = true;
    Object.assign(command, { kind: COMMAND.memslotCreate, bytes: BLOCKS * BLOCK, pa: 2 ** 34, hva: 2 ** 40, vmaShift: 12 });
  }

  private guest(command: Command): void {
    command.kind = this.begun ? COMMAND.access : COMMAND.delay;
    command.durationNs = 1000;
    command.ipa = PAGE * this.prng.below((BLOCKS * BLOCK) / PAGE);
    command.access = ACCESS.write;
  }

  private host(command: Command): void {
    const waits = this.prng.below(2) === 0;
    command.kind = waits ? COMMAND.delay : COMMAND.unmapRange;
    command.durationNs = 1_000_000;
    command.ipa = BLOCK * this.prng.below(BLOCKS);
    command.bytes = BLOCK;
  }
}

/** Machines from number `first` on. */
function fleetOf(machines: number, first = 0): FleetRun {
  const config = machineConfig({ vcpus: VCPUS, ipaBits: 40 });
  const policy = policyByName('rcu');
  return new FleetRun(
    Array.from({ length: machines }, (_, i) => ({
      origin: { run: 'bench', machine: first + i, policy: policy.name, machineKind: 'kvm' as const, workload: 'churn' },
      config,
      policy,
      workload: new Churn(first + i),
    })),
  );
}

/** Gives each machine one turn: a full frame of events. */
function turns(fleet: FleetRun, machines: number): void {
  for (let turn = 0; turn < machines; turn += 1) fleet.nextFrame(Infinity);
}

/**
 * CPU time of an event, ns, in the second turn of each of 1,000 machines: `together` in one fleet, or one after the other, each in a fleet of its
 * own. The events are the same.
 */
function eventNs(together: number): number {
  let spent = 0;
  for (let first = 0; first < MANY; first += together) {
    const fleet = fleetOf(together, first);
    turns(fleet, together);
    const before = process.cpuUsage();
    turns(fleet, together);
    const { user, system } = process.cpuUsage(before);
    spent += (user + system) * 1000;
  }
  return spent / MANY / TURN_EVENTS;
}

/** Bytes on and off the heap, after a collection. Wants --expose-gc. */
function bytesInUse(): number {
  // What a collection lets go of off the heap is given back behind its back: the next one waits for that.
  for (let i = 0; i < 3; i += 1) gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** KiB that a machine costs, all of it but the store of its table pages. */
function machineKiB(): number {
  // Compiled code and what else there is once must not count.
  turns(fleetOf(4), 4 * 20);
  const before = bytesInUse();
  const fleet = fleetOf(MANY);
  turns(fleet, MANY);
  const spent = bytesInUse() - before;
  let tables = 0;
  for (let machine = 0; machine < MANY; machine += 1) tables += fleet.worldOf(machine).pages.descriptors.byteLength;
  return (spent - tables) / MANY / 1024;
}

function measured(part: string): number {
  const child = spawnSync(process.execPath, ['--expose-gc', import.meta.filename, part], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(`the bench of ${part} ended with ${child.status}: ${child.stderr}`);
  return Number(child.stdout);
}

function report(name: string, value: number, unit: string, target?: number): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better: 'lower' }));
}

const [part] = process.argv.slice(2);
if (part === 'memory') console.log(machineKiB());
else if (part !== undefined) console.log(eventNs(Number(part)));
else {
  report('machine of 8 vCPUs, of 1,000, without its table pages', measured('memory'), 'KiB', MEMORY_TARGET);
  let one = Infinity;
  let many = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    one = Math.min(one, measured('1'));
    many = Math.min(many, measured(String(MANY)));
  }
  report('an event of one machine', one, 'CPU ns');
  report('an event of 1,000 machines', many, 'CPU ns');
  report('an event of 1,000 machines, against one', many / one, '×', 1.1);
}
