import { COMMAND } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import { policyByName } from '@s2lab/policies';
import { measurePhases } from './bench-machine.ts';
import type { Experiment, Size } from './experiment.ts';
import type { Figure } from './figure.ts';
import { BLOCK, MEMORY_IPA, memslot } from './guest-memory.ts';

/** Seconds to unmap a memslot: 4K pages at 1 and 128 GiB with one flush a page, at 128 GiB by range; 2M blocks at 128 GiB. */
const PUBLISHED = { perPage1: 0.54, perPage128: 64.65, range128: 14.39, blocksPerPage: 0.28, blocksRange: 0.1 } as const;
const TOLERANCE = 0.2;
const MIB = 2 ** 20;

/** Virtual ns to unmap a memslot whose memory is mapped by pages, or by 2M blocks. */
export function unmapNs(bytes: number, mapped: 'pages' | 'blocks', invalidation: 'range' | 'page'): number {
  const figures = measurePhases(
    // Every page is mapped at once by splitting eagerly, instead of by a fault each.
    { vcpus: 1, tlbRange: invalidation === 'range', eagerSplitBytes: mapped === 'pages' ? BLOCK : 0 },
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

function run(size: Size): readonly Figure[] {
  const small = 64 * MIB;
  const large = size === 'small' ? 4 * small : 1024 * MIB;
  const times = { small: unmapNs(small, 'pages', 'page'), large: unmapNs(large, 'pages', 'page'), range: unmapNs(large, 'pages', 'range') };
  return [
    {
      name: `4K pages, a flush a page: time for ${large / small} times the size / ${large / small} times the time`,
      published: PUBLISHED.perPage128 / PUBLISHED.perPage1 / 128,
      simulated: times.large / times.small / (large / small),
      tolerance: TOLERANCE,
    },
    {
      name: '4K pages: a flush a page / by range',
      published: PUBLISHED.perPage128 / PUBLISHED.range128,
      simulated: times.large / times.range,
      tolerance: TOLERANCE,
    },
    {
      name: '4K pages, by range: largest / smallest size, a byte',
      published: 1,
      simulated: times.range / unmapNs(small, 'pages', 'range') / (large / small),
      tolerance: TOLERANCE,
    },
    {
      name: '2M blocks: a flush a block / by range',
      published: PUBLISHED.blocksPerPage / PUBLISHED.blocksRange,
      simulated: unmapNs(large, 'blocks', 'page') / unmapNs(large, 'blocks', 'range'),
      tolerance: TOLERANCE,
    },
  ];
}

/** Ananta: a whole memslot unmapped with one invalidation a page, and by range. */
export const memslotUnmapExperiment: Experiment = {
  name: 'memslot-unmap',
  title: 'A memslot unmapped with a TLB flush for every page against flushes by range',
  source: 'Ananta, 20230811045127.3308641-1: 4K pages and 2M blocks, 1 to 128 GiB',
  method: 'FEAT_TLBIRANGE off against on. Up to 1 GiB here: time is linear in size, there and here, so the ratios do not depend on it.',
  costs: [],
  run,
};
