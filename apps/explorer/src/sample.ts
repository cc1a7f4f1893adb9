/*
 * What travels from the lab to the page: one `about`, then samples. Shared by the server and the page; plain JSON.
 */

/** The numbers of one machine in a sample, in this order. Totals since the start unless said otherwise; the page makes rates of them. */
export const SAMPLE_FIELDS = [
  'events',
  'virtualNs',
  'collapses',
  'splits',
  'reclaims',
  'faultsTranslation',
  'faultsPermission',
  'faultsAccessFlag',
  'tlbis',
  'tlbHits',
  'tlbMisses',
  'retries',
  'lockWaits',
  'violations',
  /** Held at this moment: */
  'pendingFrees',
  'oldestPendingNs',
  'tables',
  'tableBytes',
  'phase',
  'pass',
  'running',
] as const;

/** Name of a number in a machine’s sample. */
export type SampleField = (typeof SAMPLE_FIELDS)[number];

/** Position of each field in a machine’s numbers. */
export const FIELD = Object.fromEntries(SAMPLE_FIELDS.map((name, i) => [name, i])) as Readonly<Record<SampleField, number>>;

/** One machine at one moment: what it is, and its numbers in the order of SAMPLE_FIELDS. */
export interface MachineSample {
  readonly id: number;
  readonly policy: string;
  readonly kind: string;
  readonly n: readonly number[];
}

/** A violation as the page shows it. */
export interface ViolationNote {
  readonly machine: number;
  readonly policy: string;
  readonly invariant: string;
  readonly seq: number;
  readonly because: string;
}

/** Recording of the log: where it goes and how it stands. */
export interface RecordingState {
  readonly state: 'off' | 'recording' | 'stopped' | 'complete';
  readonly path: string;
  readonly bytes: number;
  /** Why it stopped; empty otherwise. */
  readonly because: string;
}

/** The lab at one moment. */
export interface LabSample {
  /** Wall time, milliseconds since 1970. */
  readonly t: number;
  readonly machines: readonly MachineSample[];
  /** Events verified so far, all machines. */
  readonly verified: number;
  readonly violations: number;
  readonly latest: readonly ViolationNote[];
  readonly recording: RecordingState;
  /** Virtual seconds per wall second reached lately. */
  readonly speed: number;
  /** The simulation came to its end or was stopped. */
  readonly ended: boolean;
}

/** The run that goes on, and its pace. */
export interface LabAbout {
  readonly run: string;
  readonly scenario: string;
  readonly seed: number;
  /** Virtual seconds per wall second asked for; 0 = unlimited. */
  readonly speed: number;
  /** Virtual time stands still because somebody wants it so. */
  readonly paused: boolean;
  /** Milliseconds between samples. */
  readonly periodMs: number;
}
