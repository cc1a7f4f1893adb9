import type { Panel, View } from '../panel.ts';
import { curves, number } from '../panel.ts';
import { machines } from '../query.ts';
import { machineMarks } from './machine-marks.ts';

/** What a protected guest costs its host: blocks broken and made whole again, and who has which page. */
export function pkvmView(): View {
  return {
    name: 'pkvm',
    title: 'pKVM',
    description:
      'Pages between host, hypervisor and protected guests, and the host’s blocks. Rates are per machine and virtual second. Empty unless machines of kind pkvm run.',
    about: 'machines',
    marks: machineMarks(),
    headline: headline(),
    rows: [
      { title: 'The host’s stage-2', panels: blocks() },
      { title: 'Pages', panels: pages() },
      { title: 'Changes of hands', panels: hands() },
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
      description: 'Guests that the hypervisors know now. “–” without machines of kind pkvm.',
      queries: [{ query: machines.total('s2lab_pkvm_guests'), legend: 'guests' }],
    }),
    number({
      id: 2,
      title: 'Host blocks broken',
      unit: 'short',
      width: 6,
      decimals: 1,
      description: 'Blocks of a host’s stage-2 replaced by a table, per machine and virtual second: what the guests’ pages cost the host.',
      queries: [{ query: machines.perMachineSecond('s2lab_pkvm_host_blocks_broken_total'), legend: 'broken' }],
    }),
    number({
      id: 3,
      title: 'Host blocks coalesced',
      unit: 'short',
      width: 6,
      decimals: 1,
      description:
        'Tables of a host’s stage-2 replaced by a block again, or dropped for the next abort to map it, per machine and virtual second. 0 where the machine does not coalesce.',
      queries: [{ query: machines.perMachineSecond('s2lab_pkvm_host_blocks_coalesced_total'), legend: 'coalesced' }],
    }),
    number({
      id: 4,
      title: 'Host aborts',
      unit: 'short',
      width: 6,
      bad: { yellow: 1, red: 1000 },
      description: 'Accesses of hosts to memory that they do not own, since the process started. A workload may do so on purpose.',
      queries: [{ query: machines.total('s2lab_pkvm_host_aborts_total'), legend: 'aborts' }],
    }),
  ];
}

function blocks(): Panel[] {
  return [
    curves({
      id: 101,
      title: 'Host blocks broken and coalesced',
      unit: 'short',
      width: 12,
      description:
        'Per machine and virtual second. Where the first stays above the second, the host’s stage-2 turns into pages, and its walks become longer.',
      queries: [
        { query: machines.perMachineSecond('s2lab_pkvm_host_blocks_broken_total', ['policy']), legend: '{{policy}}, broken' },
        { query: machines.perMachineSecond('s2lab_pkvm_host_blocks_coalesced_total', ['policy']), legend: '{{policy}}, coalesced' },
      ],
    }),
    curves({
      id: 102,
      title: 'Host aborts by policy',
      unit: 'short',
      width: 12,
      description: 'Aborts injected into hosts that touched memory of a guest or of the hypervisor, per machine and virtual second.',
      queries: [{ query: machines.perMachineSecond('s2lab_pkvm_host_aborts_total', ['policy']), legend: '{{policy}}' }],
    }),
  ];
}

function pages(): Panel[] {
  return [
    curves({
      id: 201,
      title: 'Memory by component and state',
      unit: 'bytes',
      width: 12,
      description:
        'Memory by who has it: host, hyp (the hypervisor) or guest; owned, sharedOwned (lent by its owner) or sharedBorrowed. What is borrowed counts at its owner as well.',
      queries: [{ query: machines.total('s2lab_pkvm_memory_bytes', ['component', 'state']), legend: '{{component}}, {{state}}' }],
    }),
    curves({
      id: 202,
      title: 'Share of memory that guests own',
      unit: 'percentunit',
      width: 6,
      description: 'Memory that guests own, of all that somebody has.',
      queries: [{ query: machines.share('s2lab_pkvm_memory_bytes', 'component', 'guest', ['policy']), legend: '{{policy}}' }],
    }),
    curves({
      id: 203,
      title: 'Guests by policy',
      unit: 'short',
      width: 6,
      description: 'Guests that the hypervisors know now.',
      queries: [{ query: machines.total('s2lab_pkvm_guests', ['policy']), legend: '{{policy}}' }],
    }),
  ];
}

function hands(): Panel[] {
  return [
    curves({
      id: 301,
      title: 'Donations',
      unit: 'short',
      width: 8,
      description: 'Ranges of pages that changed hands, per machine and virtual second.',
      queries: [{ query: machines.perMachineSecond('s2lab_pkvm_donations_total', [], ['from', 'to']), legend: '{{from}} to {{to}}' }],
    }),
    curves({
      id: 302,
      title: 'Shares and their ends',
      unit: 'short',
      width: 8,
      description: 'Ranges of pages lent to another component, and loans that ended, per machine and virtual second.',
      queries: [
        { query: machines.perMachineSecond('s2lab_pkvm_shares_total', [], ['from', 'to']), legend: '{{from}} lends to {{to}}' },
        { query: machines.perMachineSecond('s2lab_pkvm_unshares_total', [], ['from', 'to']), legend: '{{from}} has back from {{to}}' },
      ],
    }),
    curves({
      id: 303,
      title: 'Reclaims by the host',
      unit: 'short',
      width: 8,
      description:
        'Ranges of pages that the host took back, per machine and virtual second: from guests that ended, or by force from guests that live on and find the page poisoned.',
      queries: [{ query: machines.perMachineSecond('s2lab_pkvm_reclaims_total', [], ['guest']), legend: 'the guest {{guest}}' }],
    }),
  ];
}
