import { isTable, LAST_LEVEL } from '@s2lab/arch';
import type { Machine, Tlb, Walker } from '@s2lab/engine';
import { copyLiveRegisters, emptyRegisters, FRAME, GROUP, PC, Walker as Copy } from '@s2lab/engine';
import { OP } from '@s2lab/events';

/** Where a walker keeps the tables above the present one, and the descriptors it read there: four registers a level. */
const STACK = 50;
const LEVELS = 4;
/** From the break of a descriptor that linked a table to the moment at which the policy has its sub-tree. */
const RETIRES = new Set<number>([PC.mapBreakPut, PC.mapClean, PC.mapInvalidate, PC.mapGet, PC.mapMake, PC.mapRetire, PC.mapRetireFirst]);
/** Program counters at which a walker leaves the table that it stands in. */
const LEAVES = new Set<number>([PC.walkAscend, PC.walkUnwind, PC.walkRestart]);

/**
 * Whether nobody but `actor` can come to `table` any more: no descriptor of a live table leads there, nobody else stands in it or has read a
 * link to it, and no vCPU has cached one. What `actor` does with such a page concerns nobody until the page is freed.
 */
export function isPrivate(machine: Machine, table: number, actor: number): boolean {
  if (isLinked(machine, table)) return false;
  for (const stage2 of machine.world.stage2s) if (stage2 !== undefined && isCached(stage2.tlb, table)) return false;
  for (const walker of machine.walkers) if (walker.actor !== actor && holds(machine, walker, table)) return false;
  return true;
}

/**
 * Whether nobody will look at what `table`, which no other leads to, maps: it was unlinked, no vCPU has cached a link to it, who stands in it leaves it, and who has it in hand puts it
 * into the hands of the reclaim policy.
 */
export function isOutOfSight(machine: Machine, table: number): boolean {
  if (isLinked(machine, table)) return false;
  for (const stage2 of machine.world.stage2s) if (stage2 !== undefined && isCached(stage2.tlb, table)) return false;
  return machine.walkers.every((walker) => handsOver(walker, table) || !holds(machine, walker, table));
}

/** Whether a walker has `table` in hand only to retire its sub-tree, having put a block in its place; or to put it, its sub-tree torn down. */
function handsOver({ pc, op, level, table: at, child, flushReturn }: Walker, table: number): boolean {
  if (pc === PC.freeRootCount || pc === PC.freeRootPut) return at === table;
  if (op !== OP.map || level === LAST_LEVEL || child === table) return false;
  return RETIRES.has(pc) || (pc >> 5 === GROUP.flush && flushReturn >> 5 === GROUP.map);
}

function isCached({ walkTag, walkNext }: Tlb, table: number): boolean {
  for (let e = 0; e < walkTag.length; e += 1) if (walkTag[e] !== 0 && walkNext[e] === table) return true;
  return false;
}

function isLinked({ world }: Machine, table: number): boolean {
  const { pages, shape } = world;
  for (let frame = 0; frame < pages.used; frame += 1) {
    if (pages.state[frame] !== FRAME.live) continue;
    const level = pages.level[frame]!;
    for (let slot = 0; slot < shape.entries; slot += 1) {
      const i = pages.indexOf(frame, slot);
      const lo = pages.descriptors[i]!;
      if (isTable(lo, level) && pages.frameOf(lo, pages.descriptors[i + 1]!) === table) return true;
    }
  }
  return false;
}

const scratch = emptyRegisters();
const copy = new Copy(0, scratch.r, scratch.a);

/** Whether a walker that is under way has `table` in its registers, those that still matter. */
function holds({ world }: Machine, present: Walker, table: number): boolean {
  const { pc } = present;
  if (pc === PC.idle || pc === PC.finished || pc === PC.reclaimIdle || pc === PC.reclaimAsk || pc === PC.guestAccess) return false;
  copyLiveRegisters(present, 0, 0, true, scratch);
  const walker = copy;
  const { r } = walker;
  if (walker.hardwareTable === table) return true;
  if (pc === PC.guestRead || pc === PC.guestAccessFlag) return false;
  if ((walker.table === table && !LEAVES.has(pc)) || walker.child === table) return true;
  const { pages } = world;
  const leads = (lo: number, hi: number): boolean => (lo & 3) === 3 && pages.frameOf(lo, hi) === table;
  if (leads(walker.oldLo, walker.oldHi) || leads(walker.newLo, walker.newHi)) return true;
  for (let level = 0; level < LEVELS; level += 1) {
    const at = STACK + 4 * level;
    if (r[at] === table || leads(r[at + 2]!, r[at + 3]!)) return true;
  }
  return false;
}
