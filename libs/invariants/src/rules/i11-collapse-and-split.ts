import { HI_SOFTWARE, HI_XN, hexAddress, isTable, isValid, LAST_LEVEL, LO_MEMATTR, LO_READ, LO_SHARE, LO_WRITE } from '@s2lab/arch';
import { K, OP } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { DirtyBitmap } from '../shadow/dirty-log.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { isLeaf } from '../shadow/tables.ts';
import type { World } from '../shadow/world.ts';
import type { WitnessLine } from '../verdict.ts';
import { firstBlock, found } from '../shadow/translate.ts';
import { descriptorWords, remembered, slotWords } from '../words.ts';
import { askedProt, attributesDiffer } from './i10-attributes.ts';

const LEAF = found();

/** What a split must keep besides the address: permissions, memory type, software bits. The access flag may be set. */
const SPLIT_LO = LO_READ | LO_WRITE | LO_MEMATTR | LO_SHARE;
const SPLIT_HI = HI_XN | HI_SOFTWARE;

const MEMATTR_SHIFT = 2;
/**
 * Memory types that an eager split does not keep: Device-nGnRE and Normal Non-cacheable. It makes the pages by the permissions of the block, and
 * those do not say its type, so that they come out as Normal memory: a recorded quirk of the kernel, harmless since only memslots of
 * Normal memory are split so.
 * @source Linux hyp/pgtable.c stage2_split_walker(), kvm_pgtable_stage2_pte_prot()
 */
const FORGOTTEN_TYPES = [1, 5];

/** I11: tables become blocks and blocks become tables without anyone noticing. */
export const collapseAndSplit: Rule = {
  id: 'I11',
  name: 'collapse and split change nothing',
  prose:
    'A block that takes the place of a table maps every page of a memslot that was mapped below it to the same address; its permissions and ' +
    'attributes are those that were asked for; while the memslot is logged, it makes at most the one page of its fault writable that was not ' +
    'and whose dirty bit is clear. A table that takes the place of a block holds, when it is linked, only what the block mapped: same addresses, ' +
    'permissions, memory type and software bits; if the walk is a split (eager), all of it, but the type of what is not Normal cacheable memory, and no block is left when it ends.',
  source:
    'Linux hyp/pgtable.c stage2_map_walk_table_pre(), stage2_split_walker(), kvm_pgtable_stage2_create_unlinked(); mmu.c kvm_s2_fault_map(), kvm_s2_resolve_vma_size() (pages only while logging)',
  state: 'what locked slots held before; the shadow tables, also those not linked yet; dirty bitmaps',
  attach(site) {
    site.on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
      if ((e.newLo & 1) === 0 || e.place < 0) return;
      const { tables, locked } = site.world;
      const level = tables.level[e.place] === -1 ? e.level : tables.level[e.place]!;
      if (level === LAST_LEVEL) return;
      const at = locked.count === 0 ? -1 : locked.find(e.table, e.slot);
      const lo = at < 0 ? e.wasLo : locked.beforeLo[at]!;
      const hi = at < 0 ? e.wasHi : locked.beforeHi[at]!;
      if (!isValid(lo) || isTable(lo, level) === isTable(e.newLo, level)) return;
      if (isTable(lo, level)) collapse(site, e, level, tables.place(site.world.childFrame(lo, hi)));
      else split(site, e, level, lo, hi);
    });
    site.on.before([K.walkEnded], (e) => splitEnded(site, e));
  },
};

function collapse(site: RuleSite, e: EventCursor, level: number, child: number): void {
  // Tables that are freed by now are I5's and I8's matter: nothing is known of what they held.
  if (child < 0) return;
  const { world } = site;
  const target = world.output(e.newLo, e.newHi);
  const wrong =
    // Without memslots the request of the walk is the only map (I10): it may ask for other addresses.
    (world.dirtyLogs.known ? difference(world, child, level + 1, target, e.newLo, e.newHi, 0, 0, false) : undefined) ??
    otherThanAsked(world, e) ??
    newlyWritable(world, e, level, child);
  if (wrong === undefined) return;
  site.report(e, () => ({
    because: `the block that replaces table ${world.tables.frameOf[child]} is not what the table was: ${wrong}`,
    witness: broken(world, e, level),
  }));
}

function split(site: RuleSite, e: EventCursor, level: number, lo: number, hi: number): void {
  const { world } = site;
  const top = world.actors.top(e.actor);
  const filled = top >= 0 && world.actors.walkOp[top] === OP.split;
  const child = world.tables.place(world.childFrame(e.newLo, e.newHi));
  if (child < 0 || (!filled && world.tables.valid[child] === 0)) return;
  const maskLo = filled && FORGOTTEN_TYPES.includes((lo & LO_MEMATTR) >>> MEMATTR_SHIFT) ? SPLIT_LO & ~LO_MEMATTR : SPLIT_LO;
  const wrong = difference(world, child, level + 1, world.output(lo, hi), lo, hi, maskLo, SPLIT_HI, filled);
  if (wrong === undefined) return;
  site.report(e, () => ({
    because: `the table that replaces ${descriptorWords(lo, hi, level)} is not what the block was: ${wrong}`,
    witness: broken(world, e, level),
  }));
}

/** A split that ended well has left no block, if nobody else could make one meanwhile. */
function splitEnded({ world, report }: RuleSite, e: EventCursor): void {
  const { actors } = world;
  const top = actors.top(e.actor);
  if (top < 0 || actors.walkOp[top] !== OP.split || (e.arg | 0) !== 0 || actors.walkAlone[top] !== 1 || !world.readsWhatIsStored) return;
  const asked = actors.walkIpa[top]!;
  if (!firstBlock(world, e.stage2, world.pageDown(asked), world.pageUp(asked + actors.walkBytes[top]!), LEAF)) return;
  report(e, () => ({
    because: `the walk ended well but ${hexAddress(LEAF.ipa)} is still mapped by ${descriptorWords(LEAF.lo, LEAF.hi, LEAF.level)}`,
    witness: [remembered(actors.walkSince[top]!, world, e.actor, 'began the split')],
  }));
}

/** The first descriptor below `p` that does not continue a mapping to `pa` with the attributes in `lo` and `hi`, or, if `filled`, is none. */
function difference(
  world: World,
  p: number,
  level: number,
  pa: number,
  lo: number,
  hi: number,
  maskLo: number,
  maskHi: number,
  filled: boolean,
): string | undefined {
  const { tables } = world;
  const span = world.span(level);
  const words = tables.descriptors[p]!;
  for (let slot = 0; slot < tables.entries; slot++) {
    const atLo = words[2 * slot]!;
    const atHi = words[2 * slot + 1]!;
    const at = pa + slot * span;
    const child = level < LAST_LEVEL && isTable(atLo, level) ? tables.place(world.childFrame(atLo, atHi)) : -1;
    if (child >= 0) {
      const inside = difference(world, child, level + 1, at, lo, hi, maskLo, maskHi, filled);
      if (inside !== undefined) return inside;
      continue;
    }
    const leaf = isLeaf(atLo, level);
    if (!leaf && !filled) continue;
    if (!leaf || world.output(atLo, atHi) !== at) return `${contentWords(world, p, slot, level)} where ${hexAddress(at)} is mapped`;
    if (((atLo ^ lo) & maskLo) !== 0 || ((atHi ^ hi) & maskHi) !== 0)
      return `${contentWords(world, p, slot, level)}, with other attributes`;
  }
  return undefined;
}

function contentWords({ tables }: World, p: number, slot: number, level: number): string {
  const words = tables.descriptors[p]!;
  return `${slotWords(tables.frameOf[p]!, slot, level)} is ${descriptorWords(words[2 * slot]!, words[2 * slot + 1]!, level)}`;
}

/** Whether the attributes of the new block differ from those that were asked for. */
function otherThanAsked(world: World, e: EventCursor): string | undefined {
  const prot = askedProt(world, e, world.slotIpa(e.place, e.slot));
  return prot !== -1 && attributesDiffer(world, e, prot) ? 'its permissions or attributes are not those that were asked for' : undefined;
}

/** Whether the new block makes pages writable that must still be caught: more than the one of the fault, which logs it. */
function newlyWritable(world: World, e: EventCursor, level: number, child: number): string | undefined {
  const ipa = world.slotIpa(e.place, e.slot);
  const memslot = (e.newLo & LO_WRITE) === 0 ? undefined : world.dirtyLogs.at(ipa);
  if (memslot === undefined) return undefined;
  const pages = cleanPages(world, memslot, child, level + 1, ipa);
  return pages <= 1 ? undefined : `${pages} pages of logged memslot ${memslot.id} become writable although their dirty bits are clear`;
}

/** Pages below `p`, the table for addresses from `ipa` on, that are not writable and whose dirty bit is clear for good. */
function cleanPages(world: World, memslot: DirtyBitmap, p: number, level: number, ipa: number): number {
  const { tables, dirtyLogs, pageBytes } = world;
  const span = world.span(level);
  const words = tables.descriptors[p]!;
  let pages = 0;
  for (let slot = 0; slot < tables.entries; slot++) {
    const lo = words[2 * slot]!;
    const child = level < LAST_LEVEL && isTable(lo, level) ? tables.place(world.childFrame(lo, words[2 * slot + 1]!)) : -1;
    const base = ipa + slot * span;
    if (child >= 0) {
      pages += cleanPages(world, memslot, child, level + 1, base);
    } else if (!isLeaf(lo, level) || (lo & LO_WRITE) === 0) {
      const first = dirtyLogs.page(memslot, base);
      for (let page = first; page < first + span / pageBytes; page++)
        if (!memslot.has(page) && !dirtyLogs.unsettled(memslot, page)) pages += 1;
    }
  }
  return pages;
}

function broken(world: World, e: EventCursor, level: number): readonly WitnessLine[] {
  const { locked } = world;
  const at = locked.count === 0 ? -1 : locked.find(e.table, e.slot);
  return at < 0 ? [] : [remembered(locked.since[at]!, world, locked.actor[at]!, `broke ${slotWords(e.table, e.slot, level)}`)];
}
