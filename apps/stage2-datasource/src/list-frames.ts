import type { DataFrame } from '@grafana/data';
import { FieldType } from '@grafana/data';

/** As much of a machine in the fleet's list as is shown. */
export interface ListedMachine {
  readonly run: string;
  readonly machine: number;
  readonly policy: string;
  readonly kind: string;
  readonly phase: string;
  readonly pendingFrees: number;
  readonly oldestPendingNs: number;
  readonly tables: number;
  readonly events: number;
}

/** As much of a violation in the verifier's verdict as is shown. */
export interface ListedViolation {
  readonly invariant: string;
  readonly run: string;
  readonly machine: number;
  readonly seq: number;
  readonly because: string;
}

/** Machines as a table. `event` is the last one of each: where the explorer is to look. */
export function machinesFrame(refId: string, machines: readonly ListedMachine[]): DataFrame {
  return frameOf(
    refId,
    machines.map(({ run, machine, policy, kind, phase, pendingFrees, oldestPendingNs, tables, events }) => ({
      machine,
      policy,
      kind,
      phase,
      pendingFrees,
      oldestPendingNs,
      tables,
      event: Math.max(0, events - 1),
      run,
    })),
    { machine: 0, policy: '', kind: '', phase: '', pendingFrees: 0, oldestPendingNs: 0, tables: 0, event: 0, run: '' },
  );
}

/** Violations as a table, the newest first. */
export function violationsFrame(refId: string, violations: readonly ListedViolation[]): DataFrame {
  return frameOf(
    refId,
    violations.toReversed().map(({ invariant, machine, seq, because, run }) => ({ invariant, because, machine, event: seq, run })),
    { invariant: '', because: '', machine: 0, event: 0, run: '' },
  );
}

/** @param sample a row: names and types of the columns, which a table without rows has too */
function frameOf<Row extends Readonly<Record<string, string | number>>>(refId: string, rows: readonly Row[], sample: Row): DataFrame {
  return {
    refId,
    length: rows.length,
    fields: Object.entries(sample).map(([name, value]) => ({
      name,
      type: typeof value === 'number' ? FieldType.number : FieldType.string,
      config: {},
      values: rows.map((row) => row[name]),
    })),
  };
}
