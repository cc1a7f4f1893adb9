import { hexAddress } from '@s2lab/arch';
import type { SlotRun, TableNode } from '@s2lab/timeline';
import type { LogSession } from './log-session.ts';
import { make, panel } from './make-element.ts';

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
    const rows: HTMLElement[] = [];
    moment.tree.forEach((tree, i) => {
      const retired = moment.pending.some(({ table }) => table === tree.table) && i > 0;
      const root = moment.stage2s.length > 1 ? `root of VMID ${tree.vmid}` : 'root';
      this.table(tree, 0, retired ? 'retired: its free is pending' : root, rows);
    });
    if (rows.length === 0) rows.push(make('p', 'empty', 'no tables'));
    this.list.replaceChildren(...rows);
    const changed = rows.find((row) => row.classList.contains('changed'));
    // Asking for places lays out the page: not now, between two pictures.
    if (changed !== undefined && rows.length > ROWS_SEEN) requestAnimationFrame(() => revealIn(this.list, changed));
  }

  private table(node: TableNode, depth: number, role: string, rows: HTMLElement[]): void {
    const open = this.isOpen(node);
    const head = make('button', 'row table');
    head.type = 'button';
    head.style.paddingInlineStart = `${8 + 16 * depth}px`;
    head.setAttribute('role', 'treeitem');
    head.setAttribute('aria-expanded', String(open));
    const about = this.session.moment?.table === node.table;
    head.classList.toggle('touched', about);
    head.append(
      make('span', 'twist', open ? '▾' : '▸'),
      make('b', '', `table ${node.table}`),
      make(
        'span',
        'muted',
        `level ${node.level} from ${hexAddress(node.ipa)}, ${node.references} references${role === '' ? '' : `, ${role}`}`,
      ),
    );
    if (node.state !== 'live') head.append(make('b', 'bad', node.state));
    head.addEventListener('click', () => this.toggle(node));
    rows.push(head);
    if (!open) return;
    for (const run of node.slots.slice(0, RUNS_MAX)) {
      if (run.child !== null) {
        this.slot(run, depth + 1, rows);
        this.table(run.child, depth + 2, '', rows);
      } else this.slot(run, depth + 1, rows);
    }
    if (node.slots.length > RUNS_MAX) {
      const more = make('p', 'row muted', `… ${node.slots.length - RUNS_MAX} more`);
      more.style.paddingInlineStart = `${8 + 16 * (depth + 1)}px`;
      rows.push(more);
    }
    if (node.slots.length === 0) {
      const none = make('p', 'row muted', 'all invalid');
      none.style.paddingInlineStart = `${8 + 16 * (depth + 1)}px`;
      rows.push(none);
    }
  }

  private slot(run: SlotRun, depth: number, rows: HTMLElement[]): void {
    const { session } = this;
    const row = make('button', `row slot ${run.kind}`);
    row.type = 'button';
    row.style.paddingInlineStart = `${8 + 16 * depth}px`;
    row.setAttribute('role', 'treeitem');
    const { change } = session.moment!;
    const within = (slot: { readonly table: number; readonly slot: number } | null | undefined): boolean =>
      slot !== null && slot !== undefined && slot.table === run.table && slot.slot >= run.slot && slot.slot < run.slot + run.count;
    row.classList.toggle('changed', within(change));
    row.classList.toggle('chosen', within(session.slot));
    const slots = run.count === 1 ? `[${run.slot}]` : `[${run.slot}…${run.slot + run.count - 1}]`;
    row.append(
      make('i', `swatch ${run.kind}`),
      make('code', '', slots),
      make('span', 'muted', hexAddress(run.ipa)),
      make('span', '', run.count === 1 ? run.descriptor.text : `${run.count} × ${run.descriptor.text}, contiguous`),
    );
    row.title = run.descriptor.bits;
    row.addEventListener('click', () => session.chooseSlot({ table: run.table, slot: within(change) ? change!.slot : run.slot }));
    rows.push(row);
  }

  private isOpen(node: TableNode): boolean {
    return (this.session.open.has(node.table) || node.slots.length > 0) && !this.closed.has(node.table);
  }

  private toggle(node: TableNode): void {
    const { open } = this.session;
    if (this.isOpen(node)) {
      open.delete(node.table);
      this.closed.add(node.table);
      this.show();
      return;
    }
    this.closed.delete(node.table);
    open.add(node.table);
    this.session.refresh();
  }
}

/** Scrolls `list`, and nothing around it, so far that `row` is seen. */
function revealIn(list: HTMLElement, row: HTMLElement): void {
  const top = row.offsetTop - list.offsetTop;
  if (top < list.scrollTop || top + row.offsetHeight > list.scrollTop + list.clientHeight)
    list.scrollTop = Math.max(0, top - list.clientHeight / 2);
}
