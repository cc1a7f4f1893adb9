/*
 * What a snapshot of a machine, and going back to it, cost: against how much changed since the last one at one size of machine, and against the size
 * of the machine when the same changed. Guests have written to all their memory; a change is a page that the host takes back and the guest
 * writes to again, far from the others, so that each is one of its own. CPU time, the least of some rounds.
 */
import { COMMAND, MachineSnapshots } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import type { Script } from './measured-machine.ts';
import { MeasuredMachine } from './measured-machine.ts';

const PAGE = 4096;
/** Guest memory between two changes: what one table page of the last level maps, and half as much again. */
const STRIDE = 768;
const ROUNDS = 40;
const SMALL = 2 ** 16;
const LARGE = 2 ** 20;
const FEW = 8;
const MANY = 512;

function report(name: string, value: number, unit: string, target?: number, note?: string): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better: 'lower', note }));
}

/** The VMM unmaps each of `pages`, then the vCPU writes to it. */
function rewrite(pages: readonly number[]): Script[] {
  return [
    list(1, pages, (page) => ({ kind: COMMAND.unmapRange, ipa: page * PAGE, bytes: PAGE })),
    list(0, pages, (page) => ({ kind: COMMAND.access, ipa: page * PAGE, access: ACCESS.write })),
  ];
}

function list(who: number, pages: readonly number[], command: (page: number) => object): Script {
  let next = 0;
  return (actor, into) => {
    if (actor !== who || next === pages.length) return false;
    Object.assign(into, command(pages[next]!));
    next += 1;
    return true;
  };
}

class SizedMachine {
  private readonly pages: number;
  private readonly bench = new MeasuredMachine('rcu', { vcpus: 1, ipaBits: 40 });
  private readonly snapshots: MachineSnapshots;

  constructor(pages: number) {
    this.pages = pages;
    const slot = { kind: COMMAND.memslotCreate, memslot: 0, ipa: 0, bytes: pages * PAGE, pa: 2 ** 34, hva: 2 ** 40, vmaShift: 12 };
    this.bench.work(list(1, [0], () => slot));
    this.bench.work(
      list(
        0,
        Array.from({ length: pages }, (_, page) => page),
        (page) => ({ kind: COMMAND.access, ipa: page * PAGE, access: ACCESS.write }),
      ),
    );
    this.bench.work(list(1, [0], () => ({ kind: COMMAND.dirtyLogOn, memslot: 0 })));
    this.snapshots = new MachineSnapshots(this.bench.machine);
    this.snapshots.take();
  }

  /** Microseconds of CPU time of a snapshot after `changes` changes, and of going back to the one before. */
  cost(changes: number): { take: number; restore: number } {
    let take = Infinity;
    let restore = Infinity;
    for (let round = 0; round < ROUNDS; round += 1) {
      const pages = Array.from({ length: changes }, (_, i) => (STRIDE * (i + round * changes)) % this.pages);
      const before = this.snapshots.take();
      for (const script of rewrite(pages)) this.bench.work(script);
      take = Math.min(
        take,
        micros(() => this.snapshots.take()),
      );
      restore = Math.min(
        restore,
        micros(() => this.snapshots.restore(before)),
      );
    }
    return { take, restore };
  }
}

function micros(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const small = new SizedMachine(SMALL);
const large = new SizedMachine(LARGE);
small.cost(MANY);
const smallFew = small.cost(FEW);
const few = large.cost(FEW);
const many = large.cost(MANY);
for (const part of ['take', 'restore'] as const) {
  report(`snapshot, ${part}, 2^20 pages, ${FEW} of them changed`, few[part], 'µs');
  report(`snapshot, ${part}, 2^20 pages, ${MANY} of them changed`, many[part], 'µs');
  report(`snapshot, ${part}, ${MANY / FEW} times the changes`, many[part] / few[part], '×', MANY / FEW);
  report(`snapshot, ${part}, ${LARGE / SMALL} times the machine, the same changes`, few[part] / smallFew[part], '×', 2);
}
