import { hexAddress } from '@s2lab/arch';
import type { SlotRun, TableNode } from '@s2lab/timeline';
import type { LogSession } from './log-session.ts';
import { make, panel } from './make-element.ts';

/** A row of the tree: of a table, of a run of slots, or a remark. */
interface Row {
  readonly element: HTMLElement;
  readonly node?: TableNode;
  readonly run?: SlotRun;
}

/** Runs of one table that are listed; a page full of scattered pages has more. */
const RUNS_MAX = 96;

/** Rows that are seen without scrolling. */
const ROWS_SEEN = 18;

/** The tables as a tree, with every descriptor decoded. A table opens by a click; the way to what this step wrote is open by itself. */
export class TreePanel {
  readonly element: HTMLElement;
  private readonly session: LogSession;
  private readonly list = make('div', 'tree');
  /** Tables that the reader has closed although this step wrote below them. */
  private readonly closed = new Set<number>();
  /** The rows that are shown, by what they say: what says the same after a step stays. */
  private rows = new Map<string, Row>();
  private drawn = '';

  constructor(session: LogSession) {
    this.session = session;
    this.element = panel('Tables').element;
    this.list.setAttribute('role', 'tree');
    this.list.tabIndex = 0;
    this.element.append(this.list);
    session.listen((news) => {
      if (news === 'machine') this.closed.clear();
      if (news === 'moment' || news === 'choice') this.show();
    });
  }

  private show(): void {
    const { moment } = this.session;
    if (moment === undefined) return;
    const retired = moment.pending.map(({ table }) => table);
    const wanted = JSON.stringify([moment.tree, retired, moment.stage2s.length, [...this.closed]]);
    if (wanted !== this.drawn) {
      this.drawn = wanted;
      const rows = new Map<string, Row>();
      moment.tree.forEach((tree, i) => {
        const root = moment.stage2s.length > 1 ? `root of VMID ${tree.vmid}` : 'root';
        this.table(tree, 0, i > 0 && retired.includes(tree.table) ? 'retired: its free is pending' : root, rows);
      });
      if (rows.size === 0) rows.set('', { element: make('p', 'empty', 'no tables') });
      this.replace(rows);
    }
    this.mark();
  }

  /** Puts rows in the place of those that are shown, without touching the ones that stay. */
  private replace(rows: Map<string, Row>): void {
    for (const [says, { element }] of this.rows) if (!rows.has(says)) element.remove();
    this.rows = rows;
    let at = this.list.firstElementChild;
    for (const { element } of rows.values()) {
      if (element === at) at = at.nextElementSibling;
      else this.list.insertBefore(element, at);
    }
  }

  /** Marks what this event is about, what it changed, and the slot that is chosen. */
  private mark(): void {
    const { session } = this;
    const { change, table } = session.moment!;
    let changed: HTMLElement | undefined;
    for (const { element, node, run } of this.rows.values()) {
      if (node !== undefined) element.classList.toggle('touched', table === node.table);
      if (run === undefined) continue;
      const writes = holds(run, change);
      element.classList.toggle('changed', writes);
      element.classList.toggle('chosen', holds(run, session.slot));
      if (writes) changed ??= element;
    }
    // Asking for places lays out the page: not now, between two pictures.
    if (changed !== undefined && this.rows.size > ROWS_SEEN) requestAnimationFrame(() => revealIn(this.list, changed));
  }

  /** Adds what says `says`: the row that is shown already, or a new one. */
  private add(rows: Map<string, Row>, says: string, build: () => Row): void {
    rows.set(says, this.rows.get(says) ?? build());
  }

  private table(node: TableNode, depth: number, role: string, rows: Map<string, Row>): void {
    const open = this.isOpen(node);
    const facts = `level ${node.level} from ${hexAddress(node.ipa)}, ${node.references} references${role === '' ? '' : `, ${role}`}`;
    this.add(rows, `${depth} table ${node.table} ${node.state} ${open} ${facts}`, () => {
      const head = make('button', 'row table');
      head.type = 'button';
      head.style.paddingInlineStart = indent(depth);
      head.setAttribute('role', 'treeitem');
      head.setAttribute('aria-expanded', String(open));
      head.append(make('span', 'twist', open ? '▾' : '▸'), make('b', '', `table ${node.table}`), make('span', 'muted', facts));
      if (node.state !== 'live') head.append(make('b', 'bad', node.state));
      head.addEventListener('click', () => this.toggle(node.table, open));
      return { element: head, node };
    });
    if (!open) return;
    for (const run of node.slots.slice(0, RUNS_MAX)) {
      this.slot(run, depth + 1, rows);
      if (run.child !== null) this.table(run.child, depth + 2, '', rows);
    }
    const more = node.slots.length - RUNS_MAX;
    const remark = node.slots.length === 0 ? 'all invalid' : more > 0 ? `… ${more} more` : '';
    if (remark === '') return;
    this.add(rows, `${depth} remark ${node.table} ${remark}`, () => {
      const element = make('p', 'row muted', remark);
      element.style.paddingInlineStart = indent(depth + 1);
      return { element };
    });
  }

  private slot(run: SlotRun, depth: number, rows: Map<string, Row>): void {
    const { session } = this;
    const slots = run.count === 1 ? `[${run.slot}]` : `[${run.slot}…${run.slot + run.count - 1}]`;
    this.add(rows, `${depth} slot ${run.table} ${slots} ${run.ipa} ${run.kind} ${run.descriptor.bits} ${run.descriptor.text}`, () => {
      const row = make('button', `row slot ${run.kind}`);
      row.type = 'button';
      row.style.paddingInlineStart = indent(depth);
      row.setAttribute('role', 'treeitem');
      row.append(
        make('i', `swatch ${run.kind}`),
        make('code', '', slots),
        make('span', 'muted', hexAddress(run.ipa)),
        make('span', '', run.count === 1 ? run.descriptor.text : `${run.count} × ${run.descriptor.text}, contiguous`),
      );
      row.title = run.descriptor.bits;
      row.addEventListener('click', () => {
        const change = session.moment?.change;
        session.chooseSlot({ table: run.table, slot: holds(run, change) ? change!.slot : run.slot });
      });
      return { element: row, run };
    });
  }

  private isOpen(node: TableNode): boolean {
    return (this.session.open.has(node.table) || node.slots.length > 0) && !this.closed.has(node.table);
  }

  private toggle(table: number, wasOpen: boolean): void {
    const { open } = this.session;
    if (wasOpen) {
      open.delete(table);
      this.closed.add(table);
      this.show();
      return;
    }
    this.closed.delete(table);
    open.add(table);
    this.session.refresh();
  }
}

/** Whether a slot is one of a run. */
function holds(run: SlotRun, slot: { readonly table: number; readonly slot: number } | null | undefined): boolean {
  return slot !== null && slot !== undefined && slot.table === run.table && slot.slot >= run.slot && slot.slot < run.slot + run.count;
}

function indent(depth: number): string {
  return `${8 + 16 * depth}px`;
}

/** Scrolls `list`, and nothing around it, so far that `row` is seen. */
function revealIn(list: HTMLElement, row: HTMLElement): void {
  const top = row.offsetTop - list.offsetTop;
  if (top < list.scrollTop || top + row.offsetHeight > list.scrollTop + list.clientHeight)
    list.scrollTop = Math.max(0, top - list.clientHeight / 2);
}
