import type { Damage, Gap } from '@s2lab/events';

/** One event of a proof, in words. */
export interface WitnessLine {
  /** Sequence number of the event in its machine; -1 when it is not an event of the log (a gap, a missing end). */
  readonly seq: number;
  readonly text: string;
}

/** One broken rule, with its proof. */
export interface Violation {
  /** `I1` … `I17`. */
  readonly invariant: string;
  readonly run: string;
  readonly machine: number;
  /** Event at which it was found. */
  readonly seq: number;
  /** Why, in one sentence. */
  readonly because: string;
  /** The fewest events that prove it, oldest first; the last is the event at `seq`. */
  readonly witness: readonly WitnessLine[];
  /** The command that prints the events around `seq`. */
  readonly show: string;
}

/** Events before the violation that the command of `show` prints. */
const SHOWN_BEFORE = 20;

/** The command that prints the events of `machine` in `log` up to event `seq`, and some before it. */
export function showCommand(log: string, machine: number, seq: number): string {
  const name = /^[\w@%+=:,./-]+$/.test(log) ? log : `'${log.replaceAll("'", "'\\''")}'`;
  return `npx s2lab replay ${name} --machine ${machine} --from ${Math.max(0, seq - SHOWN_BEFORE)} --to ${seq + 1}`;
}

/** Sequence numbers [from, to) that never arrived. */
export interface MissingEvents {
  readonly run: string;
  readonly machine: number;
  readonly from: number;
  readonly to: number;
}

/** How one machine fared. */
export interface MachineVerdict {
  readonly run: string;
  readonly machine: number;
  readonly policy: string;
  readonly events: number;
  readonly violations: number;
  /** Whether `machine-stopped` was seen; end-of-run rules are judged only then. */
  readonly stopped: boolean;
  /** Table pages live at the end of what was read. */
  readonly liveTables: number;
}

/**
 * What the verifier found: the documented shape of `s2lab verify --json`.
 * `holds` = everything read obeys the rules; `violated` = at least one violation; `unreadable` = part of the log (other than a torn
 * tail) or all of it could not be read, and what was read obeys the rules.
 */
export interface Verdict {
  readonly verdict: 'holds' | 'violated' | 'unreadable';
  /** Events folded, without duplicates. */
  readonly events: number;
  /** The first violations found, at most `maxViolations`. */
  readonly violations: readonly Violation[];
  /** Exact number of violations by invariant, for those that occurred. */
  readonly counts: Readonly<Record<string, number>>;
  /** What was cut off at a torn tail, or null. */
  readonly cut: string | null;
  readonly gaps: readonly MissingEvents[];
  /** Events that arrived more than once and were dropped. */
  readonly duplicates: number;
  /** Damage other than a torn tail. */
  readonly damage: readonly Damage[];
  readonly machines: readonly MachineVerdict[];
}

/** The sequence numbers a gap lacks. */
export function missingEvents(gap: Gap): MissingEvents {
  return { run: gap.origin.run, machine: gap.origin.machine, from: gap.expected, to: gap.found };
}

/** A readable report of a verdict: a headline, what was cut or lost, counts, then each violation with its proof. Ends without a newline. */
export function formatVerdict(verdict: Verdict): string {
  const lines: string[] = [];
  const machines = verdict.machines.length;
  const scope = `${count(verdict.events, 'event')} of ${count(machines, 'machine')}`;
  if (verdict.verdict === 'holds') lines.push(`holds: ${scope}, no violation`);
  else if (verdict.verdict === 'violated') lines.push(`VIOLATED: ${count(total(verdict.counts), 'violation')} in ${scope}`);
  else
    lines.push(
      `UNREADABLE: ${verdict.damage.length === 0 ? 'the log holds no events' : `part of the log could not be read; ${scope} hold`}`,
    );
  if (verdict.cut !== null) lines.push(`cut: ${verdict.cut}`);
  for (const damage of verdict.damage) lines.push(`${damage.damage}: ${damage.where}: ${damage.because}`);
  for (const gap of verdict.gaps)
    lines.push(`lost: machine ${gap.machine} of run ${gap.run}: events ${gap.from} to ${gap.to - 1} never arrived`);
  if (verdict.duplicates > 0) lines.push(`dropped: ${count(verdict.duplicates, 'duplicate event')}`);
  const found = Object.entries(verdict.counts);
  if (found.length > 0) lines.push(`by invariant: ${found.map(([id, n]) => `${id} ${n}`).join(', ')}`);
  for (const violation of verdict.violations) {
    lines.push('', `${violation.invariant} at event ${violation.seq} of machine ${violation.machine}: ${violation.because}`);
    for (const line of violation.witness) lines.push(`  ${line.seq < 0 ? '      -' : String(line.seq).padStart(7)}  ${line.text}`);
    lines.push(`  show: ${violation.show}`);
  }
  const hidden = total(verdict.counts) - verdict.violations.length;
  if (hidden > 0) lines.push('', `${count(hidden, 'more violation')} not shown`);
  return lines.join('\n');
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
