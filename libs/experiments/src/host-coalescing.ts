import type { CoalesceMode, Command } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS, K } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import type { CommandFields, Phase } from './bench-machine.ts';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size } from './experiment.ts';
import type { Figure } from './figure.ts';
import { BLOCK, PAGE } from './guest-memory.ts';
import type { PhaseFigures } from './phase-tally.ts';

/** Where the memory of the machine begins, and that of a guest as the guest sees it. */
const MEMORY_PA = 2 ** 30;
const GUEST_IPA = 2 ** 31;
const CORES = 4;
/** First page of the cache of table pages within the block that a guest's tables come from, and the pages of that cache. */
const CACHE_AT = 16;
const CACHE_PAGES = 48;
/** Pages of each block that the host touches while guests hold others, and afterwards. */
const TOUCHES = 16;
/** Coprime to the pages of a block: touches of the host are spread over it, and over other pages in each pass. */
const SPREAD = 37;

const DESIGNS: readonly (readonly [mode: CoalesceMode, hostPolicy: string])[] = [
  ['none', 'hyp-lock'],
  ['lazy', 'hyp-lock'],
  ['eager', 'hyp-lock'],
  ['eager', 'epoch'],
];

/** How the guests' pages lie in the host's blocks. */
export interface GuestShape {
  /** Blocks that each core's guest has pages in. */
  readonly blocks: number;
  /** Pages of each of them that it has. */
  readonly pages: number;
}

/** One life of a guest on every core, as its host sees it. Times are virtual. */
export interface HostCoalescing {
  /** A page donated, and a page taken back, on the average of all cores. */
  readonly giveNs: number;
  readonly takeBackNs: number;
  /** The one page whose return took longest: that long the core stays at EL2, and holds the locks for most of it. */
  readonly longestTakeBackNs: number;
  /** Host aborts for each block that guests had pages in: while they had them, and afterwards. */
  readonly abortsBeside: number;
  readonly abortsAfter: number;
  /** What the host's touches of a block took meanwhile, and afterwards, until it had done with all of its pages once. */
  readonly besideNs: number;
  readonly afterNs: number;
  /** Share of those blocks that are still mapped by pages when the host has touched all of them. */
  readonly residual: number;
  /** Descriptors that the hardware reads for an access of the host once all is mapped. */
  readonly readsPerAccess: number;
  /** Most sub-trees that waited to be freed. */
  readonly pendingPeak: number;
}

/** A guest on every core is given pages of the host's blocks and gives them back, while the host uses the rest. */
export function hostCoalescing(coalesce: CoalesceMode, hostPolicy: string, { blocks, pages }: GuestShape): HostCoalescing {
  const arenaBlocks = blocks + 1;
  const block = (core: number, n: number): number => MEMORY_PA + (core * arenaBlocks + n) * BLOCK;
  const tables = (core: number): number => block(core, blocks);
  const blockOf = (n: number): number => Math.floor(n / pages);
  const pageOf = (n: number): number => (n % pages) * (BLOCK / PAGE / pages);
  const guestPage = (n: number): number => GUEST_IPA + n * PAGE;
  const touch = (pa: number, command: Command): true => {
    command.kind = COMMAND.access;
    command.access = ACCESS.write;
    command.ipa = pa;
    return true;
  };
  // The guest's pages are multiples of a power of two when they do not fill the block: odd ones are the host's.
  const touchAll = (core: number, n: number, command: Command, first: number): boolean =>
    n < blocks * TOUCHES &&
    touch(block(core, Math.floor(n / TOUCHES)) + (((2 * ((n % TOUCHES) * SPREAD + first)) % (BLOCK / PAGE)) + 1) * PAGE, command);
  const request = (fields: CommandFields, command: Command): true => {
    Object.assign(command, fields);
    return true;
  };
  const phases: Phase[] = [
    { name: 'boot' },
    { name: 'own', vcpus: (core, n, command) => n < arenaBlocks && touch(block(core, n), command) },
    {
      name: 'start',
      vcpus: (core, n, command) => {
        if (n === 0) return request({ kind: COMMAND.guestInit, vmid: core + 1, protected: 1, ipaBits: 40, pa: tables(core) }, command);
        const cache = { kind: COMMAND.topUpMemcache, vmid: core + 1, pa: tables(core) + CACHE_AT * PAGE, bytes: CACHE_PAGES * PAGE };
        return n === 1 && request(cache, command);
      },
    },
    {
      name: 'give',
      vcpus: (core, n, command) => {
        const pa = block(core, blockOf(n)) + pageOf(n) * PAGE;
        return n < blocks * pages && request({ kind: COMMAND.hostDonateGuest, vmid: core + 1, pa, ipa: guestPage(n) }, command);
      },
    },
    { name: 'beside', vcpus: (core, n, command) => pages < BLOCK / PAGE && touchAll(core, n, command, 0) },
    {
      name: 'take back',
      vcpus: (core, n, command) => n < blocks * pages && request({ kind: COMMAND.hostReclaim, vmid: core + 1, ipa: guestPage(n) }, command),
    },
    { name: 'drain', vmm: [{ kind: COMMAND.waitGracePeriod }] },
    { name: 'after', vcpus: (core, n, command) => touchAll(core, n, command, 3) },
    { name: 'use', vcpus: (core, n, command) => touchAll(core, n, command, 3) },
  ];
  const bytes = (CORES * arenaBlocks + 2) * BLOCK;
  const tablesMax = bytes / BLOCK + 32;
  const figures = measurePhases(
    {
      kind: 'pkvm',
      vcpus: CORES,
      pkvm: { regions: [{ base: MEMORY_PA, bytes, nomap: false }], carvedPages: tablesMax, poolPages: tablesMax, coalesce },
    },
    policyByName('hyp-lock'),
    phases,
    policyByName(hostPolicy),
  );
  return figuresOf((phase) => figures.get(phase)!, blocks, pages);
}

function figuresOf(of: (phase: string) => PhaseFigures, blocksOfCore: number, pages: number): HostCoalescing {
  const blocks = CORES * blocksOfCore;
  const use = of('use');
  return {
    giveNs: of('give').ns / (blocksOfCore * pages),
    takeBackNs: of('take back').ns / (blocksOfCore * pages),
    longestTakeBackNs: of('take back').longestNs,
    abortsBeside: of('beside').counts[K.faultTaken]! / blocks,
    abortsAfter: of('after').counts[K.faultTaken]! / blocks,
    besideNs: of('beside').ns / blocksOfCore,
    afterNs: of('after').ns / blocksOfCore,
    residual: (use.linkedTables - of('start').linkedTables) / blocks,
    readsPerAccess: use.counts[K.hardwareDescriptorRead]! / (blocks * TOUCHES),
    pendingPeak: of('take back').pendingPeak,
  };
}

function run(size: Size): readonly Figure[] {
  const micros = (ns: number): number => Math.round(ns / 100) / 10;
  const scattered = { blocks: size === 'small' ? 4 : 16, pages: 1 };
  const dense = { blocks: size === 'small' ? 1 : 4, pages: BLOCK / PAGE };
  const all = DESIGNS.map(([mode, hostPolicy]) => ({
    name: mode === 'none' || mode === 'lazy' ? mode : `${mode}, ${hostPolicy}`,
    one: hostCoalescing(mode, hostPolicy, scattered),
    whole: hostCoalescing(mode, hostPolicy, dense),
  }));
  const figures = (what: string, of: (design: (typeof all)[number]) => number): Figure[] =>
    all.map((design) => ({ name: `${design.name}: ${what}`, simulated: of(design) }));
  return [
    ...figures('one page of a block: us to give it', ({ one }) => micros(one.giveNs)),
    ...figures('one page of a block: us to take it back', ({ one }) => micros(one.takeBackNs)),
    ...figures('one page of a block: longest, us', ({ one }) => micros(one.longestTakeBackNs)),
    ...figures('one page of a block: host aborts beside it', ({ one }) => one.abortsBeside),
    ...figures('one page of a block: host aborts afterwards', ({ one }) => one.abortsAfter),
    ...figures('one page of a block: us of the host beside it and afterwards', ({ one }) => micros(one.besideNs + one.afterNs)),
    ...figures('one page of a block: sub-trees pending at most', ({ one }) => one.pendingPeak),
    ...figures('all pages of a block: us to give one', ({ whole }) => micros(whole.giveNs)),
    ...figures('all pages of a block: us to take one back', ({ whole }) => micros(whole.takeBackNs)),
    ...figures('all pages of a block: longest, us', ({ whole }) => micros(whole.longestTakeBackNs)),
    ...figures('blocks of the host still mapped by pages, %', ({ one }) => 100 * one.residual),
    ...figures('descriptors read for an access of the host', ({ one }) => one.readsPerAccess),
  ];
}

/** The lab's own: what coalescing gains a pKVM host, and what it costs at EL2. */
export const hostCoalescingExperiment: Experiment = {
  name: 'host-coalescing',
  title: 'How the blocks of a pKVM host come back: never, by page count and the next abort, at once',
  source: 'the lab itself; nobody published it',
  method:
    '4 cores, each with one protected guest that is given pages of 2M blocks of the host and gives them back: one page of each block, or all 512. ' +
    'The host touches 16 pages of each block while guests have others, and 16 more afterwards. Guests under hyp-lock; the host under hyp-lock, or as named.',
  costs: [],
  run,
};
