import type { Ipa } from '@s2lab/arch';
import { hexAddress, isTable, isValid, rootPageOf, slotOf, spanBytes } from '@s2lab/arch';
import { FRAME } from '@s2lab/engine';
import type { Stage2, World } from '@s2lab/engine';
import type { DescriptorKind, DescriptorWords } from './descriptor-words.ts';
import { describeDescriptor } from './descriptor-words.ts';
import type { MachineView } from './machine-view.ts';

/** Consecutive slots of one table that say the same: one descriptor, or a run of leaves with contiguous output and equal attributes. */
export interface SlotRun {
  readonly table: number;
  readonly slot: number;
  /** Slots in the run. */
  readonly count: number;
  readonly level: number;
  readonly ipa: number;
  /** Input bytes that the run covers. */
  readonly bytes: number;
  readonly kind: DescriptorKind;
  /** The first descriptor of the run. */
  readonly descriptor: DescriptorWords;
  /** Table that hangs below; null for what is no table descriptor, or none of the machine's tables. */
  readonly child: TableNode | null;
}

/** One table page with what hangs below it. Empty slots are left out. */
export interface TableNode {
  /** VMID of the stage-2 it belongs to; for a table that hangs nowhere, that of the first one. */
  readonly vmid: number;
  readonly table: number;
  /** First input address that it translates. */
  readonly ipa: number;
  readonly level: number;
  readonly references: number;
  readonly state: 'live' | 'freed' | 'never allocated';
  readonly slots: readonly SlotRun[];
}

const STATES = { [FRAME.live]: 'live', [FRAME.freed]: 'freed', [FRAME.never]: 'never allocated' } as const;

function everyTable(): boolean {
  return true;
}

/** The trees from the root pages down; empty when there is no stage-2. With `ipa`, only the descriptors on the way to it. */
export function tableTrees(view: MachineView, ipa?: Ipa): TableNode[] {
  return view.stage2s.flatMap((stage2) => treesOfStage2(view, stage2, ipa));
}

function treesOfStage2(
  view: MachineView,
  stage2: Stage2,
  ipa: Ipa | undefined,
  isOpen: (table: number) => boolean = everyTable,
): TableNode[] {
  const { shape, root, rootPages } = stage2;
  if (root < 0) return [];
  const rootSpan = spanBytes(shape, shape.startLevel) * shape.entries;
  const trees: TableNode[] = [];
  for (let page = 0; page < rootPages; page += 1) {
    if (ipa !== undefined && rootPageOf(shape, ipa) !== page) continue;
    trees.push(nodeOf(view, stage2, root + page, shape.startLevel, page * rootSpan, ipa, isOpen));
  }
  return trees;
}

/**
 * The trees from the root pages down, as far as they are opened: a table that `isOpen` does not name has no slots here. Retired sub-trees
 * follow, each with the address it was retired from.
 */
export function openTrees(view: MachineView, isOpen: (table: number) => boolean): TableNode[] {
  const trees = view.stage2s.flatMap((stage2) => treesOfStage2(view, stage2, undefined, isOpen));
  for (const { table, level, ipa } of view.pending.list()) {
    const stage2 = view.stage2s.find((one) => hasRetired(one, table)) ?? view.stage2s[0];
    if (stage2 === undefined) continue;
    trees.push(
      isOpen(table) ? nodeOf(view, stage2, table, level + 1, ipa, undefined, isOpen) : closedNode(view, stage2, table, level + 1, ipa),
    );
  }
  return trees;
}

function hasRetired({ retired, retiredHead, retiredCount }: Stage2, table: number): boolean {
  for (let i = 0; i < retiredCount; i += 1) if (retired[(retiredHead + 3 * i) % retired.length] === table) return true;
  return false;
}

/**
 * The tree below one table page, linked or not. Input addresses count from 0 when its place is not known.
 * Undefined when the machine never had such a table.
 */
export function treeOf(view: MachineView, table: number): TableNode | undefined {
  const { world } = view;
  if (world === undefined || table >= world.pages.used || world.pages.state[table] === FRAME.never) return undefined;
  const level = world.pages.level[table]!;
  const place = placeOf(view, table);
  const stage2 = world.stage2s[place?.vmid ?? 0] ?? view.stage2s[0]!;
  return nodeOf(view, stage2, table, place?.level ?? Math.max(level, world.shape.startLevel), place?.ipa ?? 0, undefined);
}

function placeOf(view: MachineView, table: number): { readonly vmid: number; readonly level: number; readonly ipa: number } | undefined {
  const search = (node: TableNode): { vmid: number; level: number; ipa: number } | undefined => {
    if (node.table === table) return { vmid: node.vmid, level: node.level, ipa: node.ipa };
    for (const { child } of node.slots) {
      const found = child === null ? undefined : search(child);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  for (const root of tableTrees(view)) {
    const found = search(root);
    if (found !== undefined) return found;
  }
  return undefined;
}

function closedNode(view: MachineView, stage2: Stage2, table: number, level: number, ipa: number): TableNode {
  const world = view.world!;
  return { vmid: stage2.vmid, table, ipa, level, references: world.pages.references[table]!, state: stateOf(world, table), slots: [] };
}

function stateOf({ pages }: World, table: number): TableNode['state'] {
  return STATES[(pages.state[table] ?? FRAME.never) as keyof typeof STATES];
}

function nodeOf(
  view: MachineView,
  stage2: Stage2,
  table: number,
  level: number,
  ipa: number,
  only: Ipa | undefined,
  isOpen: (table: number) => boolean = everyTable,
): TableNode {
  const world = view.world!;
  const { pages, shape } = world;
  const from = only === undefined ? 0 : slotOf(shape, only, level);
  const to = only === undefined ? shape.entries : from + 1;
  const slots: SlotRun[] = [];
  for (let slot = from; slot < to;) {
    const count = runFrom(world, table, level, slot, to);
    const d = pages.indexOf(table, slot);
    const lo = pages.descriptors[d]!;
    const hi = pages.descriptors[d + 1]!;
    if ((lo | hi) !== 0 || only !== undefined) {
      const span = spanBytes(shape, level);
      const child = isTable(lo, level) ? view.childOf(world, lo, hi) : -1;
      const descriptor = describeDescriptor(shape, stage2.features, lo, hi, level);
      const first = ipa + slot * span;
      slots.push({
        table,
        slot,
        count,
        level,
        ipa: first,
        bytes: count * span,
        kind: descriptor.kind,
        descriptor,
        child:
          child < 0 || level >= 3
            ? null
            : isOpen(child)
              ? nodeOf(view, stage2, child, level + 1, first, only, isOpen)
              : closedNode(view, stage2, child, level + 1, first),
      });
    }
    slot += count;
  }
  return { vmid: stage2.vmid, table, ipa, level, references: pages.references[table]!, state: stateOf(world, table), slots };
}

/** Slots from `slot` on that go on as it does: equal when invalid, each one span further when leaves; tables stand alone. */
function runFrom(world: World, table: number, level: number, slot: number, to: number): number {
  const { pages, shape } = world;
  const words = pages.descriptors;
  const d = pages.indexOf(table, slot);
  const lo = words[d]!;
  const hi = words[d + 1]!;
  if (isTable(lo, level)) return 1;
  const step = isValid(lo) ? spanBytes(shape, level) : 0;
  let count = 1;
  while (slot + count < to) {
    const low = (lo >>> 0) + step * count;
    const next = d + 2 * count;
    if (words[next]! >>> 0 !== low % 2 ** 32 || words[next + 1] !== hi + Math.floor(low / 2 ** 32)) break;
    count += 1;
  }
  return count;
}

/** A tree as indented lines, at most `most` of them; the last one then says how many are left out. */
export function treeLines(trees: readonly TableNode[], most: number): string[] {
  const lines: string[] = [];
  let left = 0;
  const put = (line: string): void => {
    if (lines.length < most) lines.push(line);
    else left += 1;
  };
  const node = (tree: TableNode, indent: string): void => {
    const state = tree.state === 'live' ? '' : `, ${tree.state.toUpperCase()}`;
    put(`${indent}table ${tree.table}: level ${tree.level} from IPA ${hexAddress(tree.ipa)}, ${tree.references} references${state}`);
    for (const run of tree.slots) {
      put(`${indent}  ${runText(run)}`);
      if (run.child !== null) node(run.child, `${indent}    `);
    }
  };
  const several = trees.some(({ vmid }) => vmid !== trees[0]!.vmid);
  for (const [i, tree] of trees.entries()) {
    if (several && tree.vmid !== trees[i - 1]?.vmid) put(`VMID ${tree.vmid}`);
    node(tree, '');
  }
  if (left > 0) lines.push(`… ${left} more lines`);
  return lines;
}

function runText(run: SlotRun): string {
  const slots = run.count === 1 ? `[${run.slot}]` : `[${run.slot}…${run.slot + run.count - 1}]`;
  const what = run.count === 1 ? run.descriptor.text : `${run.count} × ${run.descriptor.text}, contiguous`;
  const lost = run.kind === 'table' && run.child === null ? ' (none of this machine’s tables)' : '';
  return `${slots} IPA ${hexAddress(run.ipa)} ${what}${lost}`;
}
