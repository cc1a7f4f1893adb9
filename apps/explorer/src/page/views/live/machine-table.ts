import type { GroupedSample } from '../../lab-history.ts';
import type { MachineSample, SampleField } from '../../../sample.ts';
import { FIELD } from '../../../sample.ts';
import { bytes, duration, phaseName, short } from '../../numbers.ts';

/** A column: its heading and the text of a machine, given its numbers now and a second before. */
interface Column {
  readonly heading: string;
  readonly numeric: boolean;
  text(machine: MachineSample, rate: (field: SampleField) => number): string;
}

const COLUMNS: readonly Column[] = [
  { heading: 'machine', numeric: false, text: (machine) => `#${machine.id}` },
  { heading: 'kind', numeric: false, text: (machine) => machine.kind },
  { heading: 'policy', numeric: false, text: (machine) => machine.policy },
  { heading: 'phase', numeric: false, text: ({ n }) => phaseText(n[FIELD.phase]!, n[FIELD.pass]!, n[FIELD.running]!) },
  { heading: 'virtual time', numeric: true, text: ({ n }) => duration(n[FIELD.virtualNs]!) },
  { heading: 'events/s', numeric: true, text: (_machine, rate) => short(Math.round(rate('events'))) },
  { heading: 'collapses', numeric: true, text: ({ n }) => short(n[FIELD.collapses]!) },
  { heading: 'splits', numeric: true, text: ({ n }) => short(n[FIELD.splits]!) },
  { heading: 'pending frees', numeric: true, text: ({ n }) => short(n[FIELD.pendingFrees]!) },
  { heading: 'oldest pending', numeric: true, text: ({ n }) => (n[FIELD.pendingFrees]! > 0 ? duration(n[FIELD.oldestPendingNs]!) : '–') },
  { heading: 'tables', numeric: true, text: ({ n }) => `${short(n[FIELD.tables]!)} (${bytes(n[FIELD.tableBytes]!)})` },
  { heading: 'TLB hits', numeric: true, text: ({ n }) => ratio(n[FIELD.tlbHits]!, n[FIELD.tlbMisses]!) },
  { heading: 'retries', numeric: true, text: ({ n }) => short(n[FIELD.retries]!) },
  { heading: 'lock waits', numeric: true, text: ({ n }) => short(n[FIELD.lockWaits]!) },
  { heading: 'violations', numeric: true, text: ({ n }) => short(n[FIELD.violations]!) },
];

/** Rates in the table are taken over this many samples: a second. */
const RATE_SPAN = 4;

/** The machines, one a row. */
export class MachineTable {
  readonly element = document.createElement('section');
  private readonly body = document.createElement('tbody');

  constructor() {
    this.element.className = 'panel';
    const heading = document.createElement('h2');
    heading.textContent = 'Machines';
    heading.id = 'machines-heading';
    const scroller = document.createElement('div');
    scroller.className = 'scroller';
    scroller.tabIndex = 0;
    scroller.setAttribute('role', 'region');
    scroller.setAttribute('aria-labelledby', heading.id);
    const table = document.createElement('table');
    const head = table.createTHead().insertRow();
    for (const column of COLUMNS) {
      const cell = document.createElement('th');
      cell.scope = 'col';
      cell.textContent = column.heading;
      cell.classList.toggle('number', column.numeric);
      head.append(cell);
    }
    table.append(this.body);
    scroller.append(table);
    this.element.append(heading, scroller);
  }

  /** @param samples by machine, for the rates */
  show(machines: readonly MachineSample[], samples: readonly GroupedSample[]): void {
    const now = samples.at(-1);
    const before = samples.at(-1 - RATE_SPAN) ?? samples[0];
    while (this.body.rows.length < machines.length) this.addRow();
    while (this.body.rows.length > machines.length) this.body.deleteRow(-1);
    machines.forEach((machine, i) => {
      const then = before?.groups.get(`${machine.policy} #${machine.id}`);
      const seconds = now !== undefined && before !== undefined ? now.t - before.t : 0;
      const rate = (field: SampleField): number =>
        then === undefined || seconds === 0 ? 0 : (machine.n[FIELD[field]]! - then[FIELD[field]]!) / seconds;
      const row = this.body.rows[i]!;
      row.classList.toggle('bad', machine.n[FIELD.violations]! > 0);
      COLUMNS.forEach((column, c) => {
        const text = column.text(machine, rate);
        const cell = row.cells[c]!;
        if (cell.textContent !== text) cell.textContent = text;
      });
    });
  }

  private addRow(): void {
    const row = this.body.insertRow();
    for (const column of COLUMNS) row.insertCell().classList.toggle('number', column.numeric);
  }
}

function phaseText(phase: number, pass: number, running: number): string {
  if (running === 0) return 'stopped';
  if (phase === 0) return '–';
  return pass > 0 ? `${phaseName(phase)} ${pass}` : phaseName(phase);
}

function ratio(hits: number, misses: number): string {
  return hits + misses === 0 ? '–' : `${((100 * hits) / (hits + misses)).toFixed(1)} %`;
}
