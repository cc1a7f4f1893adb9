import { COMMAND, DEFAULT_COSTS } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size, StatedCost } from './experiment.ts';
import { costOverrides } from './experiment.ts';
import type { Figure } from './figure.ts';
import { BLOCK, MEMORY_IPA, memslot } from './guest-memory.ts';

/** Seconds to unmap a memslot: 4K pages at 1 and 128 GiB with one flush a page, at 128 GiB by range; 2M blocks at 128 GiB. */
const PUBLISHED = { perPage1: 0.54, perPage128: 64.65, range128: 14.39, blocksPerPage: 0.28, blocksRange: 0.1 } as const;
const TOLERANCE = 0.2;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** Size of the memslot of most published figures. */
const PUBLISHED_BYTES = 128 * GIB;

/**
 * What unmapping takes whatever the size, 35 ms: what the times of 4K pages at 1 and at 128 GiB leave. A memslot goes when nobody reads it any
 * more, which the engine does not model: it is added.
 */
const BESIDE_NS = (1e9 * (PUBLISHED.perPage1 - PUBLISHED.perPage128 / 128)) / (1 - 1 / 128);

const COSTS: readonly StatedCost[] = [
  { cost: 'visitNs', ns: DEFAULT_COSTS.visitNs, fitted: true, why: '4K pages by range: 0.43 us a page; the default' },
  { cost: 'dsbAfterTlbiNs', ns: DEFAULT_COSTS.dsbAfterTlbiNs, fitted: true, why: '4K pages, a flush a page: 1.5 us more; the default' },
];

/** Virtual ns that the tables of a memslot take to be unmapped, whose memory is mapped by pages, or by 2M blocks. */
export function unmapNs(bytes: number, mapped: 'pages' | 'blocks', invalidation: 'range' | 'page'): number {
  const figures = measurePhases(
    // Every page is mapped at once by splitting eagerly, instead of by a fault each.
    {
      vcpus: 1,
      tlbRange: invalidation === 'range',
      eagerSplitBytes: mapped === 'pages' ? BLOCK : 0,
      costs: { ...DEFAULT_COSTS, ...costOverrides(COSTS) },
    },
    policyByName('rwlock'),
    [
      { name: 'create', vmm: [memslot(bytes, { thp: 1 })] },
      {
        name: 'populate',
        vcpus: (_, n, command) => {
          command.kind = COMMAND.access;
          command.access = ACCESS.write;
          command.ipa = MEMORY_IPA + n * BLOCK;
          return n * BLOCK < bytes;
        },
      },
      { name: 'split', vmm: mapped === 'pages' ? [{ kind: COMMAND.dirtyLogOn, memslot: 0 }] : [] },
      { name: 'unmap', vmm: [{ kind: COMMAND.unmapRange, ipa: MEMORY_IPA, bytes }] },
    ],
  );
  return figures.get('unmap')!.ns;
}

/** Virtual ns by size. */
type Line = (bytes: number) => number;

/** Virtual ns to unmap a memslot of any size, when the tables of one of `bytes` take `ns`: that is linear, which a row and a test hold. */
function unmapped(bytes: number, ns: number): Line {
  return (size) => BESIDE_NS + (ns * size) / bytes;
}

function run(size: Size): readonly Figure[] {
  const bytes = size === 'small' ? 256 * MIB : GIB;
  const [byPage, byRange] = (['page', 'range'] as const).map((how) => unmapped(bytes, unmapNs(bytes, 'pages', how))) as [Line, Line];
  const small = 64 * MIB;
  // Blocks are few: all of them are unmapped, but in the small form.
  const blockBytes = size === 'small' ? 4 * GIB : PUBLISHED_BYTES;
  const blocks = (how: 'range' | 'page') => unmapped(blockBytes, unmapNs(blockBytes, 'blocks', how))(PUBLISHED_BYTES);
  return [
    {
      name: '4K pages, a flush a page: 128 GiB / 128 times 1 GiB',
      published: PUBLISHED.perPage128 / PUBLISHED.perPage1 / 128,
      simulated: byPage(PUBLISHED_BYTES) / byPage(GIB) / 128,
      tolerance: TOLERANCE,
      fitted: true,
    },
    {
      name: '4K pages, 128 GiB: a flush a page / by range',
      published: PUBLISHED.perPage128 / PUBLISHED.range128,
      simulated: byPage(PUBLISHED_BYTES) / byRange(PUBLISHED_BYTES),
      tolerance: TOLERANCE,
      fitted: true,
    },
    {
      name: '4K pages, by range: tables of the largest / smallest size, a byte',
      published: 1,
      simulated: (byRange(bytes) - BESIDE_NS) / unmapNs(small, 'pages', 'range') / (bytes / small),
      tolerance: TOLERANCE,
    },
    {
      name: '2M blocks, 128 GiB: a flush a block / by range',
      published: PUBLISHED.blocksPerPage / PUBLISHED.blocksRange,
      simulated: blocks('page') / blocks('range'),
      tolerance: TOLERANCE,
    },
  ];
}

/** Ananta: a whole memslot unmapped with one invalidation a page, and by range. */
export const memslotUnmapExperiment: Experiment = {
  name: 'memslot-unmap',
  title: 'A memslot unmapped with a TLB flush for every page against flushes by range',
  source: 'Ananta, 20230811045127.3308641-1: 4K pages and 2M blocks, 1 to 128 GiB',
  method:
    'FEAT_TLBIRANGE off against on. 2M blocks: 128 GiB, as there. 4K pages: 1 GiB, and 128 times its time for 128 GiB; time is linear in size. Added: ' +
    '35 ms that do not grow with the size, fitted to 4K pages at 1 and at 128 GiB: little for 128 GiB of pages, a third of the 0.1 s of 2M blocks.',
  costs: COSTS,
  run,
};
