import type { DataQuery } from '@grafana/data';

/** Which part of which machine a panel asks for. All texts may hold variables. */
export interface Stage2Query extends DataQuery {
  /** Number of the machine. */
  readonly machine: string;
  /** VMID of the stage-2; empty = the machine's first. */
  readonly vmid?: string;
  /** First input address and exclusive end, `0x…` or decimal; empty = all of the address space. */
  readonly from?: string;
  readonly to?: string;
  /** Most runs; beyond that neighbours are merged. Empty = the fleet's default. */
  readonly maxRuns?: string;
}

/** Settings of the data source. */
export interface Stage2Settings {
  /** Address of the explorer's page, for links to it; empty = none. */
  readonly explorerUrl?: string;
}

/** What a query asks for when nothing was chosen. */
export const DEFAULT_QUERY: Partial<Stage2Query> = { machine: '0' };
