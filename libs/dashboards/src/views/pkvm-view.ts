import type { Panel, View } from '../panel.ts';
import { curves, number } from '../panel.ts';
import type { Query } from '../query.ts';
import { machines } from '../query.ts';
import { machineMarks } from './machine-marks.ts';

/** What protected guests cost the host: blocks broken and coalesced, who has the pages, what changes hands. */
export function pkvmView(): View {
  return {
    name: 'pkvm',
    title: 'pKVM',
    description: 'Protected guests come and go: what that does to the blocks of the host’s stage-2, and who has which pages.',
    about: 'machines',
    marks: machineMarks(),
    headline: headline(),
    rows: [
      { title: 'Blocks of the host', panels: blocks() },
      { title: 'Pages', panels: pages() },
    ],
  };
}

function headline(): Panel[] {
  return [
    number({
      id: 1,
      title: 'Guests',
      unit: 'short',
      width: 6,
      description: 'Guests that the hypervisors know now.',
      queries: [{ query: machines.total('s2lab_guests'), legend: 'guests' }],
    }),
    number({
      id: 2,
      title: 'Pages out of the host’s reach',
      unit: 'short',
      width: 6,
      description: 'Pages that the host neither owns nor borrows: those of protected guests, and the hypervisor’s own.',
      queries: [{ query: pagesIn('host', 'none'), legend: 'pages' }],
    }),
    number({
      id: 3,
      title: 'Host aborts',
      unit: 'cps',
      width: 6,
      description: 'Accesses of the host to memory that it does not own, per second of wall time.',
      queries: [{ query: machines.perSecond('s2lab_host_aborts_total'), legend: 'aborts' }],
    }),
    number({
      id: 4,
      title: 'Blocks broken',
      unit: 'cps',
      width: 6,
      description: 'Blocks of the host’s stage-2 that a table took the place of, per second of wall time.',
      queries: [{ query: machines.perSecond('s2lab_host_blocks_broken_total'), legend: 'blocks' }],
    }),
  ];
}

function blocks(): Panel[] {
  return [
    curves({
      id: 101,
      title: 'Blocks broken and coalesced',
      unit: 'short',
      width: 12,
      description:
        'Blocks of the host’s stage-2 that a table took the place of, and tables that a block did, per machine and virtual second. Linux coalesces none: ' +
        'the second curve stays at 0, and what was broken stays broken.',
      queries: [
        { query: machines.perMachineSecond('s2lab_host_blocks_broken_total', ['policy']), legend: '{{policy}}, broken' },
        { query: machines.perMachineSecond('s2lab_host_blocks_coalesced_total', ['policy']), legend: '{{policy}}, coalesced' },
      ],
    }),
    curves({
      id: 102,
      title: 'Mapped by pages',
      unit: 'percentunit',
      width: 12,
      description: 'Share of the mapped memory, host’s and guests’, that pages map and not blocks.',
      queries: [{ query: machines.share('s2lab_mapped_memory_bytes', 'size', 'page', ['policy']), legend: '{{policy}}' }],
    }),
  ];
}

function pages(): Panel[] {
  return [
    curves({
      id: 201,
      title: 'Pages by state for the host',
      unit: 'short',
      width: 12,
      description: 'What the hypervisor notes of each page for the host, without those that are the host’s alone.',
      queries: [
        { query: pagesIn('host', 'none'), legend: 'out of reach' },
        { query: pagesIn('host', 'sharedOwned'), legend: 'lent' },
        { query: pagesIn('host', 'sharedBorrowed'), legend: 'borrowed' },
      ],
    }),
    curves({
      id: 202,
      title: 'Donated and reclaimed',
      unit: 'short',
      width: 12,
      description: 'Pages that change hands, per machine and virtual second.',
      queries: [
        { query: machines.perMachineSecond('s2lab_pages_donated_total', ['policy'], ['to']), legend: '{{policy}}, donated to {{to}}' },
        {
          query: machines.perMachineSecond('s2lab_pages_reclaimed_total', ['policy'], ['from']),
          legend: '{{policy}}, reclaimed from {{from}}',
        },
      ],
    }),
    curves({
      id: 203,
      title: 'Shared and unshared',
      unit: 'short',
      width: 24,
      description: 'Loans that begin and end, per machine and virtual second, by who lends.',
      queries: [
        { query: machines.perMachineSecond('s2lab_pages_shared_total', ['policy'], ['from']), legend: '{{policy}}, lent by {{from}}' },
        {
          query: machines.perMachineSecond('s2lab_pages_unshared_total', ['policy'], ['from']),
          legend: '{{policy}}, taken back by {{from}}',
        },
      ],
    }),
  ];
}

/** Pages that the hypervisor notes in `state` for `owner`. */
function pagesIn(owner: string, state: string): Query {
  return machines.total('s2lab_pages', [], { owner, state });
}
