import { bytes, duration, short } from '../../numbers.ts';

interface TopMachine {
  readonly machine: number;
  readonly policy: string;
  readonly phase: string;
  readonly pendingFrees: number;
  readonly pendingPeak: number;
  readonly oldestPendingNs: number;
  readonly tables: number;
  readonly tableBytes: number;
}

const COLUMNS: readonly { readonly heading: string; text(machine: TopMachine): string }[] = [
  { heading: 'machine', text: ({ machine }) => `#${machine}` },
  { heading: 'policy', text: ({ policy }) => policy },
  { heading: 'pending frees', text: ({ pendingFrees }) => short(pendingFrees) },
  { heading: 'peak', text: ({ pendingPeak }) => short(pendingPeak) },
  { heading: 'oldest', text: ({ pendingFrees, oldestPendingNs }) => (pendingFrees > 0 ? duration(oldestPendingNs) : '–') },
  { heading: 'tables', text: ({ tables, tableBytes }) => `${short(tables)} (${bytes(tableBytes)})` },
];

/** Machines listed. */
const LISTED = 10;
/** Milliseconds between two questions. */
const PERIOD_MS = 2_000;

/** The machines with the most pending frees, as the API tells them: no metric names a machine. */
export class TopMachines {
  readonly element = document.createElement('section');
  private readonly body = document.createElement('tbody');
  private readonly heading = document.createElement('h2');
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    this.element.className = 'panel top';
    const table = document.createElement('table');
    const head = table.createTHead().insertRow();
    COLUMNS.forEach(({ heading }, i) => {
      const cell = document.createElement('th');
      cell.scope = 'col';
      cell.textContent = heading;
      cell.classList.toggle('number', i > 1);
      head.append(cell);
    });
    table.append(this.body);
    this.heading.textContent = 'Machines with the most pending frees';
    this.element.append(this.heading, table);
  }

  /** Asks at a steady pace from now on. */
  begin(): void {
    if (this.timer !== undefined) return;
    void this.ask();
    this.timer = setInterval(() => void this.ask(), PERIOD_MS);
  }

  /** Asks no more. */
  end(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async ask(): Promise<void> {
    const response = await fetch(`api/machines?by=pendingFrees&limit=${LISTED}`).catch(() => undefined);
    if (response?.ok !== true) return; // the bar says that the lab does not answer
    const { total, machines } = (await response.json()) as { total: number; machines: TopMachine[] };
    this.heading.textContent = `Machines with the most pending frees (${machines.length} of ${total})`;
    this.body.replaceChildren(
      ...machines.map((machine) => {
        const row = document.createElement('tr');
        COLUMNS.forEach(({ text }, i) => {
          const cell = row.insertCell();
          cell.textContent = text(machine);
          cell.classList.toggle('number', i > 1);
        });
        return row;
      }),
    );
  }
}
