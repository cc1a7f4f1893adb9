/*
 * Steps and events a second of a machine of 8 vCPUs that maps a million pages, recorded in memory. A walker step is one call of `step`: the walker's
 * program counter decides the actor's next shared-memory access and commits it (hardware walks are steps too); a branch that commits nothing
 * counts as well, and the note says how many those are. CPU time of the process.
 */
import { COMMAND, Prng } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import type { Script, Spent } from './measured-machine.ts';
import { MeasuredMachine } from './measured-machine.ts';

const VCPUS = 8;
const PAGE = 4096;

function report(name: string, value: number, unit: string, target?: number, note?: string): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(4)), unit, target, better: 'higher', note }));
}

/** The VMM's first requests, then those of a stretch. */
function once(...requests: readonly object[]): (command: object) => boolean {
  const left = [...requests];
  return (command) => {
    const request = left.shift();
    if (request !== undefined) Object.assign(command, request);
    return request !== undefined;
  };
}

/** Each vCPU accesses pages in an order of its own until all of them have had `count`. */
function accesses(count: number, access: number, pageOf: (vcpu: number, i: number) => number, vmm: (command: object) => boolean): Script {
  const done = new Int32Array(VCPUS);
  return (actor, command) => {
    if (actor === VCPUS) return vmm(command);
    const i = done[actor]!;
    if (i === count) return false;
    done[actor] = i + 1;
    command.kind = COMMAND.access;
    command.ipa = PAGE * pageOf(actor, i);
    command.access = access;
    return true;
  };
}

/** A life of a machine with `pages` pages: each part that is measured, by name. */
function live(pages: number): Map<string, Spent> {
  const bench = new MeasuredMachine('rcu', { vcpus: VCPUS, ipaBits: 40 });
  const prng = new Prng(1);
  const each = pages / VCPUS;
  const random = () => prng.below(pages);
  const bytes = pages * PAGE;
  const parts = new Map<string, Spent>();
  bench.work(
    accesses(
      0,
      ACCESS.read,
      random,
      once({ kind: COMMAND.memslotCreate, memslot: 0, ipa: 0, bytes, pa: 2 ** 34, hva: 2 ** 40, vmaShift: 12 }),
    ),
  );
  parts.set('parallel faults', bench.work(accesses(each, ACCESS.write, (vcpu, i) => vcpu * each + i, once())));
  parts.set(
    'random reads, the host ages',
    bench.work(accesses(each, ACCESS.read, random, once({ kind: COMMAND.ageRange, ipa: 0, bytes, makeOld: 1 }))),
  );
  bench.work(accesses(0, ACCESS.read, random, once({ kind: COMMAND.dirtyLogOn })));
  parts.set('random writes, logged', bench.work(accesses(each, ACCESS.write, random, once())));
  return parts;
}

live(2 ** 16);
const parts = live(2 ** 20);
const all = { events: 0, steps: 0, cpuNs: 0 };
for (const [name, { events, steps, cpuNs }] of parts) {
  all.events += events;
  all.steps += steps;
  all.cpuNs += cpuNs;
  report(
    `8 vCPUs, 2^20 pages: ${name}`,
    (events * 1e9) / cpuNs,
    'events/s',
    undefined,
    `${(steps / events).toFixed(2)} steps an event, ${(cpuNs / events).toFixed(0)} ns an event`,
  );
}
report('8 vCPUs, 2^20 pages: walker steps, recorded in memory', (all.steps * 1e9) / all.cpuNs, 'steps/s', 20e6);
report('8 vCPUs, 2^20 pages: events, recorded in memory', (all.events * 1e9) / all.cpuNs, 'events/s', 5e6);
