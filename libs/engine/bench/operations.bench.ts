/*
 * Operations of the page-table library on one core without contention, every event recorded in memory, beside the figures of the real C code
 * (its events were not recorded). One actor calls the library, as the C code's driver does: a GiB of 4K pages, policy rcu, teardown included.
 * CPU time of the process, the least of some rounds; a ratio of 1 would be the speed of the C code on the machine it ran on.
 */
import type { Script, Spent } from './measured-machine.ts';
import { MeasuredMachine } from './measured-machine.ts';
import type { Command } from '@s2lab/engine';
import { COMMAND, Prng } from '@s2lab/engine';
import { PROT, TWO_32 } from '@s2lab/arch';
import { WALK_FLAG } from '@s2lab/events';

const ROUNDS = 3;
const PAGE = 4096;
const BLOCK = 2 ** 21;
const PAGES = 2 ** 18;
const BYTES = PAGES * PAGE;
const VMM = 1;

/** Nanoseconds an operation of the real code. @source golden/README.md, Speed of the real code */
const C_NS = {
  'map, a page of one call for 1 GiB': 15.7,
  'unmap, a page of one call for 1 GiB': 8.9,
  'write-protect, a page of one call for 1 GiB': 1e9 / 168e6,
  'age, a page of one call for 1 GiB': 1e9 / 262e6,
  'sequential 4K fault': 46,
  'random 4K fault': 66,
  'collapse of a full table': 4400,
  'eager split of a 2M block': 7600,
  'random leaf look-up': 17,
} as const;
type Operation = keyof typeof C_NS;

const C_FAULT_WRITES = 30e6;
const FAULT_WRITES_TARGET = 1 / 4;

const RWX = PROT.r | PROT.w | PROT.x;

/** What is asked of the library, one request after the other; they are made by number, so that asking costs little. */
type Requests = (i: number, command: Command) => void;

/** What operations took in each round, ns of CPU time, and the descriptors they wrote. */
class Timings {
  private readonly least = new Map<Operation, { ns: number; events: number }>();
  /** Descriptors written in a second of random faults. */
  faultWrites = 0;

  note(operation: Operation, operations: number, { cpuNs, events }: Spent): void {
    const ns = cpuNs / operations;
    const before = this.least.get(operation);
    if (before === undefined || ns < before.ns) this.least.set(operation, { ns, events: events / operations });
  }

  report(): void {
    for (const [operation, { ns, events }] of this.least) {
      const perSecond = 1e9 / ns;
      const note = `${ns.toPrecision(3)} ns, ${events.toPrecision(3)} events each`;
      print(`${operation}`, perSecond, 'operations/s', undefined, note);
      print(`${operation}, against the C code`, C_NS[operation] / ns, '×');
    }
  }
}

function print(name: string, value: number, unit: string, target?: number, note?: string): void {
  console.log(JSON.stringify({ name, value: Number(value.toPrecision(3)), unit, better: 'higher', target, note }));
}

/** The VMM's requests, `count` of them; no vCPU does anything. */
function script(count: number, request: Requests): Script {
  let asked = 0;
  return (actor, command) => {
    if (actor !== VMM || asked === count) return false;
    request(asked, command);
    asked += 1;
    return true;
  };
}

function one(fields: Partial<Command>): Script {
  return script(1, (_, command) => Object.assign(command, fields));
}

/** Requests a page each, at the pages that `pageOf` names; table pages are at hand, as after a top-up. */
function pages(kind: number, pageOf: (i: number) => number): Script {
  return script(PAGES, (i, command) => {
    command.kind = kind;
    command.ipa = pageOf(i) * PAGE;
    command.pa = command.ipa + TWO_32;
    command.bytes = PAGE;
    command.prot = RWX;
    command.flags = WALK_FLAG.shared;
    command.cachePages = 4;
  });
}

function blocks(kind: number): Script {
  return script(BYTES / BLOCK, (i, command) => {
    command.kind = kind;
    command.ipa = i * BLOCK;
    command.pa = command.ipa + TWO_32;
    command.bytes = BLOCK;
    command.prot = RWX;
    command.flags = kind === COMMAND.map ? WALK_FLAG.shared : 0;
    command.cachePages = 4;
  });
}

/** Every page once, in an order of chance. */
function shuffled(): Int32Array {
  const prng = new Prng(7);
  const order = Int32Array.from({ length: PAGES }, (_, i) => i);
  for (let i = PAGES - 1; i > 0; i -= 1) {
    const j = prng.below(i + 1);
    const page = order[i]!;
    order[i] = order[j]!;
    order[j] = page;
  }
  return order;
}

const ORDER = shuffled();

/** How many descriptors of the GiB are written when all its pages are faulted in: twice each, and twice each link to a table. */
const FAULT_WRITES = 2 * (PAGES + PAGES / 512 + 1);

function round(timings: Timings): void {
  const bench = new MeasuredMachine('rcu', { vcpus: 1, ipaBits: 40 });
  const whole = { ipa: 0, bytes: BYTES };
  bench.work(() => false);
  const unmap = () => bench.work(one({ kind: COMMAND.unmap, ...whole }));
  timings.note('sequential 4K fault', PAGES, bench.work(pages(COMMAND.map, (i) => i)));
  unmap();
  const random = bench.work(pages(COMMAND.map, (i) => ORDER[i]!));
  timings.note('random 4K fault', PAGES, random);
  timings.faultWrites = Math.max(timings.faultWrites, (FAULT_WRITES * 1e9) / random.cpuNs);
  timings.note('random leaf look-up', PAGES, bench.work(pages(COMMAND.leaf, (i) => ORDER[i]!)));
  timings.note('write-protect, a page of one call for 1 GiB', PAGES, bench.work(one({ kind: COMMAND.wrprotect, ...whole })));
  timings.note('age, a page of one call for 1 GiB', PAGES, bench.work(one({ kind: COMMAND.age, ...whole, makeOld: 1 })));
  timings.note('collapse of a full table', BYTES / BLOCK, bench.work(blocks(COMMAND.map)));
  timings.note('eager split of a 2M block', BYTES / BLOCK, bench.work(blocks(COMMAND.split)));
  unmap();
  const pageByPage = new MeasuredMachine('rcu', { vcpus: 1, ipaBits: 40, forcePages: 'all' });
  pageByPage.work(() => false);
  const map = { kind: COMMAND.map, ...whole, pa: TWO_32, prot: RWX, cachePages: 1024 };
  timings.note('map, a page of one call for 1 GiB', PAGES, pageByPage.work(one(map)));
  timings.note('unmap, a page of one call for 1 GiB', PAGES, pageByPage.work(one({ kind: COMMAND.unmap, ...whole })));
}

const timings = new Timings();
for (let i = 0; i < ROUNDS; i += 1) round(timings);
timings.report();
const ratio = timings.faultWrites / C_FAULT_WRITES;
print('random 4K faults, descriptor writes, recorded', timings.faultWrites, 'writes/s');
print('random 4K faults, descriptor writes, against the C code', ratio, '×', FAULT_WRITES_TARGET);
