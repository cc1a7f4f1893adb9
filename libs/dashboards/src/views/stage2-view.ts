import { machineMarks } from './machine-marks.ts';
import type { Panel, View } from '../panel.ts';
import { curves, number } from '../panel.ts';
import { machines } from '../query.ts';

/** What happens in the tables and TLBs: faults, walks, invalidations, caches of table pages. */
export function stage2View(): View {
  return {
    name: 'stage2',
    title: 'Stage-2',
    description: 'Faults, walks, invalidations and table pages of the machines. Rates are per machine and virtual second.',
    about: 'machines',
    marks: machineMarks(),
    headline: headline(),
    rows: [
      { title: 'Faults and walks', panels: walks() },
      { title: 'TLB', panels: tlb() },
      { title: 'Table pages', panels: tables() },
      { title: 'Guest', panels: guest() },
    ],
  };
}

function headline(): Panel[] {
  return [
    number({
      id: 1,
      title: 'Faults',
      unit: 'short',
      width: 6,
      description: 'Stage-2 faults taken per machine and virtual second.',
      queries: [{ query: machines.perMachineSecond('s2lab_faults_total'), legend: 'faults' }],
    }),
    number({
      id: 2,
      title: 'TLB hits',
      unit: 'percentunit',
      width: 6,
      decimals: 1,
      description: 'Share of the guest accesses that a cached translation served.',
      queries: [{ query: machines.share('s2lab_guest_accesses_total', 'tlb', 'hit'), legend: 'hits' }],
    }),
    number({
      id: 3,
      title: 'Mapped memory',
      unit: 'bytes',
      width: 6,
      description: 'Guest memory that valid leaf descriptors map, summed over machines.',
      queries: [{ query: machines.total('s2lab_mapped_memory_bytes'), legend: 'mapped' }],
    }),
    number({
      id: 4,
      title: 'Table caches found empty',
      unit: 'short',
      width: 6,
      bad: { yellow: 1, red: 100 },
      description: 'Walks that found their cache of table pages empty and ended with -ENOMEM, since the process started.',
      queries: [{ query: machines.total('s2lab_cache_exhausted_total'), legend: 'empty' }],
    }),
  ];
}

function walks(): Panel[] {
  return [
    curves({
      id: 101,
      title: 'Faults by kind',
      unit: 'short',
      width: 8,
      stacked: true,
      description: 'Faults taken per machine and virtual second. Collapse and write protection show as permission and translation faults.',
      queries: [{ query: machines.perMachineSecond('s2lab_faults_total', [], ['fault']), legend: '{{fault}}' }],
    }),
    curves({
      id: 102,
      title: 'Faults by kind and level',
      unit: 'short',
      width: 8,
      stacked: true,
      description:
        'The level is that of the descriptor at which the walk ended: a permission fault at level 2 asks for a split, a translation fault there for a block or a table.',
      queries: [{ query: machines.perMachineSecond('s2lab_faults_total', [], ['fault', 'level']), legend: '{{fault}}, level {{level}}' }],
    }),
    curves({
      id: 103,
      title: 'Faults by result',
      unit: 'short',
      width: 8,
      stacked: true,
      description:
        'What the fault handler returned, per machine and virtual second. eagain: another walker was first, the guest tries again.',
      queries: [{ query: machines.perMachineSecond('s2lab_fault_results_total', [], ['result']), legend: '{{result}}' }],
    }),
    curves({
      id: 104,
      title: 'Walks by operation',
      unit: 'short',
      width: 12,
      description: 'Software walks that ended, per machine and virtual second: map, unmap, wrprotect, relax, age and the rest.',
      queries: [{ query: machines.perMachineSecond('s2lab_walks_total', [], ['op']), legend: '{{op}}' }],
    }),
    curves({
      id: 105,
      title: 'Splits and collapses',
      unit: 'short',
      width: 12,
      description: 'Blocks replaced by a table and tables replaced by a block, per machine and virtual second.',
      queries: [
        { query: machines.perMachineSecond('s2lab_splits_total', ['policy']), legend: 'split under {{policy}}' },
        { query: machines.perMachineSecond('s2lab_collapses_total', ['policy']), legend: 'collapsed under {{policy}}' },
        { query: machines.perMachineSecond('s2lab_blocks_returned_total', ['policy']), legend: 'blocks back under {{policy}}' },
      ],
    }),
  ];
}

function tlb(): Panel[] {
  return [
    curves({
      id: 201,
      title: 'TLB invalidations by operation',
      unit: 'short',
      width: 8,
      stacked: true,
      description: 'TLBI instructions issued per machine and virtual second, by Arm’s name of the operation.',
      queries: [{ query: machines.perMachineSecond('s2lab_tlb_invalidations_total', [], ['op']), legend: '{{op}}' }],
    }),
    curves({
      id: 202,
      title: 'DSBs by domain',
      unit: 'short',
      width: 8,
      stacked: true,
      description:
        'Barriers completed per machine and virtual second: each waits until the TLBIs before it have taken effect in its domain.',
      queries: [{ query: machines.perMachineSecond('s2lab_barriers_total', [], ['domain']), legend: '{{domain}}' }],
    }),
    curves({
      id: 203,
      title: 'TLB hit ratio',
      unit: 'percentunit',
      width: 8,
      max: 1,
      description: 'Share of the guest accesses that a cached translation served. Invalidations that hit more than they must push it down.',
      queries: [{ query: machines.share('s2lab_guest_accesses_total', 'tlb', 'hit', ['policy']), legend: '{{policy}}' }],
    }),
  ];
}

function guest(): Panel[] {
  return [
    curves({
      id: 401,
      title: 'Pages dirtied',
      unit: 'short',
      width: 12,
      description: 'Dirty bits that the fault handler set, per machine and virtual second. 0 outside the phase of dirty logging.',
      queries: [{ query: machines.perMachineSecond('s2lab_pages_dirtied_total', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 402,
      title: 'Aborts injected into the guest',
      unit: 'short',
      width: 12,
      description:
        'Guest accesses to addresses without memory, per machine and virtual second. 0 unless a workload touches such addresses.',
      queries: [{ query: machines.perMachineSecond('s2lab_guest_aborts_total', ['policy']), legend: '{{policy}}' }],
    }),
  ];
}

function tables(): Panel[] {
  return [
    curves({
      id: 301,
      title: 'Mapped memory by size',
      unit: 'bytes',
      width: 8,
      stacked: true,
      description: 'Guest memory that valid descriptors map, by whether they are pages or blocks.',
      queries: [{ query: machines.total('s2lab_mapped_memory_bytes', ['size']), legend: '{{size}}' }],
    }),
    curves({
      id: 302,
      title: 'Table pages live and freed',
      unit: 'short',
      width: 8,
      description: 'Table pages allocated and not freed, and pages given back per machine and virtual second.',
      queries: [
        { query: machines.total('s2lab_tables_live', ['policy']), legend: 'live under {{policy}}' },
        { query: machines.perMachineSecond('s2lab_tables_freed_total', ['policy']), legend: 'freed under {{policy}}, per second' },
      ],
    }),
    curves({
      id: 303,
      title: 'Cache top-ups and -ENOMEM',
      unit: 'short',
      width: 8,
      description:
        'Refills of the caches of table pages, and walks that found theirs empty, per machine and virtual second. The second stays at 0 ' +
        'unless a scenario injects it.',
      queries: [
        { query: machines.perMachineSecond('s2lab_cache_top_ups_total'), legend: 'topped up' },
        { query: machines.perMachineSecond('s2lab_cache_exhausted_total'), legend: '-ENOMEM' },
      ],
    }),
  ];
}
