import { isTable, LAST_LEVEL, slotOf } from '@s2lab/arch';
import type { Machine, Walker } from '@s2lab/engine';
import { COMMAND, GROUP, PC, TOUCHES } from '@s2lab/engine';
import { OP } from '@s2lab/events';
import type { Subject } from './subject.ts';
import { isMapSettled, mayHostWrite } from './vmm-thread.ts';

/*
 * Once a memslot is logged for good, all faults map pages: a table that hangs below a root hangs there to the end, since nobody wants a block in its place. Who reads the
 * link to it, comes in or goes, does so unseen; and a page's descriptor in it concerns only those who access that page.
 */

/** Operations of the host that leave tables where they are. */
const KEEPS_TABLES = new Set<number>([COMMAND.dirtyLogOn, COMMAND.ageRange]);
/** Walks for a fault that leave tables where they are. */
const CHANGES_LEAVES = new Set<number>([OP.relax, OP.mkyoung]);
/** Where a vCPU does not walk for its fault. */
const NO_WALK = new Set<number>([GROUP.idle, GROUP.guest, GROUP.fault, GROUP.lock]);
/** Steps at a descriptor of the last level. */
const AT_LEAF = new Set<number>([PC.walkRead, PC.walkReread, PC.mapBreak, PC.mapMake, PC.attributesSet]);

/** Whether the next step of `walker` touches only what lasts: links to tables that nobody takes away, or the descriptor of a page that nobody else accesses. */
export function touchesWhatLasts(subject: Subject, walker: Walker): boolean {
  const { machine } = subject;
  switch (walker.pc) {
    case PC.guestAccess:
      return (
        isHardwareWalk(machine, walker) && readsAlone(subject, walker, machine.stage2(walker).root, machine.stage2(walker).shape.startLevel)
      );
    case PC.guestRead:
      return readsAlone(subject, walker, walker.hardwareTable, walker.hardwareLevel);
    case PC.walkDescend:
    case PC.walkAscend:
    case PC.walkUnwind:
      return !touchesAnything(machine, walker) && lasts(subject, walker, walker.table);
    case PC.walkEnter:
    case PC.walkExit:
      return !touchesAnything(machine, walker) && asksNoMore(subject);
    case PC.walkRead:
    case PC.walkReread:
      if (isRoot(machine, walker, walker.table))
        return linked(machine, walker.table, walker.slot, walker.level) >= 0 && keepsTables(subject);
      break;
    default:
      break;
  }
  const leaf = AT_LEAF.has(walker.pc) && walker.level === LAST_LEVEL && walker.command === COMMAND.access;
  return leaf && isAlone(subject, walker) && lasts(subject, walker, walker.table);
}

/** Whether a guest's access begins with a hardware walk from the root: nothing that its vCPU has cached helps. */
function isHardwareWalk(machine: Machine, { actor, ipa, vmid }: Walker): boolean {
  const { tlb, root, shape } = machine.world.stage2(vmid);
  return root >= 0 && ipa < shape.ipaBytes && tlb.find(actor, ipa) < 0 && tlb.findStep(actor, ipa) < 0;
}

/**
 * Whether a hardware walk reads what lasts. What it caches of it may be flushed before or after: without it the vCPU reads the same again; and once the access went through,
 * which must be its last one, nobody goes by it. While logging is being switched on an access need not be logged (I12): it waits for the end of that.
 */
function readsAlone(subject: Subject, walker: Walker, table: number, level: number): boolean {
  const { machine, script } = subject;
  if (level === LAST_LEVEL) {
    const { isFinished } = machine.walkers[machine.vmmActor]!;
    return isFinished && script.isOver(walker.actor) && isAlone(subject, walker) && lasts(subject, walker, table);
  }
  const slot = slotOf(machine.world.shape, walker.ipa, level);
  return isRoot(machine, walker, table) && linked(machine, table, slot, level) >= 0 && keepsTables(subject);
}

/** Whether `table` hangs below a root and always will. */
function lasts(subject: Subject, walker: Walker, table: number): boolean {
  const { machine } = subject;
  const { root, rootPages, shape } = machine.stage2(walker);
  for (let page = root; page < root + rootPages; page += 1)
    for (let slot = 0; slot < shape.entries; slot += 1)
      if (linked(machine, page, slot, shape.startLevel) === table) return keepsTables(subject);
  return false;
}

/** The table that a descriptor links, or -1. */
function linked({ world }: Machine, table: number, slot: number, level: number): number {
  const { pages } = world;
  const i = pages.indexOf(table, slot);
  return isTable(pages.descriptors[i]!, level) ? pages.frameOf(pages.descriptors[i]!, pages.descriptors[i + 1]!) : -1;
}

function isRoot(machine: Machine, walker: Walker, table: number): boolean {
  const { root, rootPages } = machine.stage2(walker);
  return root >= 0 && table >= root && table < root + rootPages;
}

/** Whether nobody puts a block in the place of a table any more, or takes tables away. */
function keepsTables(subject: Subject): boolean {
  const { machine } = subject;
  if (machine.hypervisor !== undefined || machine.buffers !== undefined || !isMapSettled(subject)) return false;
  const vmm = machine.walkers[machine.vmmActor]!;
  if (!vmm.isFinished && vmm.pc !== PC.idle && !KEEPS_TABLES.has(vmm.command)) return false;
  const { memslots } = machine.stage2(vmm);
  if (memslots.length === 0 || !memslots.every(({ logsWrites }) => logsWrites)) return false;
  // A fault that chose a block before logging began finds the memory map changed, unless it walks already.
  return machine.walkers.every((walker) => walker.actor >= machine.config.vcpus || !mayReplace(machine, walker));
}

function mayReplace({ world }: Machine, { pc, op, start, end }: Walker): boolean {
  if (NO_WALK.has(pc >> 5) || CHANGES_LEAVES.has(op)) return false;
  return op !== OP.map || end - start > world.shape.pageBytes;
}

/** Whether nobody but `walker` looks at, or writes, the descriptor of the page that it accesses: other vCPUs access others, and the host is through. */
function isAlone(subject: Subject, walker: Walker): boolean {
  const { machine, script } = subject;
  if (mayHostWrite(subject)) return false;
  const { pageBytes } = machine.world.shape;
  const page = Math.floor(walker.ipa / pageBytes);
  const isThere = (ipa: number): boolean => Math.floor(ipa / pageBytes) === page;
  return machine.walkers.every(({ actor, ipa, isFinished, pc }) => {
    if (actor === walker.actor || actor >= machine.config.vcpus || isFinished) return true;
    return (pc === PC.idle || !isThere(ipa)) && !script.left(actor).some((request) => isThere(request.ipa ?? 0));
  });
}

function touchesAnything(machine: Machine, walker: Walker): boolean {
  const touches = machine.policyOf(walker).touches?.(machine, walker) ?? TOUCHES.anything;
  return (touches & TOUCHES.anything) !== 0;
}

/** Whether nothing is retired, and nothing will be: nobody asks any more who reads tables. */
export function asksNoMore(subject: Subject): boolean {
  const { stage2s } = subject.machine.world;
  return (
    stage2s.every((stage2) => stage2 === undefined || (stage2.retiredCount === 0 && stage2.gracePeriodOpen === 0)) && keepsTables(subject)
  );
}
