import { hex64, hexAddress, isTable, LO_ACCESSED, PROT } from '@s2lab/arch';
import { K, OP, PROT_SHIFT, WALK_FLAG } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import type { MemslotShadow } from '../shadow/memory-map.ts';
import { MemoryMap } from '../shadow/memory-map.ts';
import { isLeaf } from '../shadow/tables.ts';
import { firstHole, firstLeaf, firstWritable, found } from '../shadow/translate.ts';
import type { World } from '../shadow/world.ts';
import type { WitnessLine } from '../verdict.ts';
import { descriptorWords, remembered, slotWords } from '../words.ts';
import { isLogging } from './i12-write-protection.ts';
import { askedProt, attributesDiffer, mayChange, permits } from './i10-attributes.ts';
import { judgeRemovals, removed } from './i10-removals.ts';

const LEAF = found();
/** `machineKind` of a machine whose VMID 0 is the host's stage-2. */
const WITH_HOST = 'pkvm';
const HOST = 0;
/** Most regions of memory of a machine. @source Linux HYP_MEMBLOCK_REGIONS */
const REGIONS_MAX = 128;

/** Memory of a pKVM machine. */
interface Region {
  readonly pa: number;
  readonly bytes: number;
}

/** I10: every translation is the one that was asked for. */
export const memoryMap: Rule = {
  id: 'I10',
  name: 'mappings equal the memory map',
  prose:
    'Every block or page that a walker makes reachable maps its address where the memslot and the request of its walk say, with the permissions, ' +
    'memory type and software bits that were asked for; while it stays, only those change that a walk was to change; an access of the ' +
    'guest goes there; an unmapped or annotated range holds no mapping when its walk or operation ends, and nothing outside it is lost; a mapped range has no hole, a write-protected one nothing ' +
    'writable, a relaxed or rejuvenated page what it was to get; a deleted memslot holds none when the operation that deleted it ends. pKVM maps its host as it is: ' +
    'memory with all permissions, MMIO to read and write.',
  source:
    'Linux hyp/pgtable.c stage2_map_walker_phys_addr(), kvm_pgtable_stage2_unmap(), stage2_set_prot_attr(), stage2_attr_walker(); mmu.c kvm_s2_fault_map(), kvm_s2_fault_compute_prot()',
  state:
    'memslots; per open walk: operation, range, physical address and permissions; per actor: its operation, the access of its fault; the shadow tables',
  attach(site) {
    const { on } = site;
    const map = site.keep(() => new MemoryMap());
    const regions = site.keep((): Region[] => []);
    on.before([K.memoryRegionAdded], (e) => {
      if (regions.length < REGIONS_MAX) regions.push({ pa: e.pa, bytes: e.bytes });
    });
    on.before([K.memslotCreated], (e) => map.create(e.arg, e.ipa, e.bytes, e.pa, e.seq));
    on.before([K.memslotDeleted], (e) => map.delete(e.arg, e.seq, e.actor));
    const ranges = judgeRemovals(site);
    on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
      if ((e.newLo & 1) !== 0) {
        if ((e.wasLo & 1) === 0) ranges.lastMade = e.seq;
        made(site, map, regions, e);
      } else if ((e.wasLo & 1) !== 0) removed(site, e);
    });
    on.before([K.descriptorHardwareUpdated], (e) => {
      if ((e.wasLo ^ LO_ACCESSED) !== e.newLo || e.wasHi !== e.newHi) attributesChanged(site, e);
    });
    on.before([K.walkEnded], (e) => walkEnded(site, e));
    on.before([K.guestAccessed], (e) => accessed(site, map, e));
    on.idle((e) => {
      if (map.dying > 0) buried(site, map, e);
    });
    on.after([K.memslotDeleted], (e) => {
      if (site.world.actors.idle(e.actor)) buried(site, map, e);
    });
  },
};

function made(site: RuleSite, map: MemoryMap, regions: readonly Region[], e: EventCursor): void {
  const { world } = site;
  const { tables } = world;
  const { place: p, wasLo, wasHi } = e;
  if (p < 0) return;
  const level = tables.level[p] === -1 ? e.level : tables.level[p]!;
  if (isTable(e.newLo, level)) return;
  // A changed address is I3's matter and is judged here as a new mapping.
  if (isLeaf(wasLo, level) && world.output(wasLo, wasHi) === world.output(e.newLo, e.newHi)) {
    if (!mayChange(world, e) && tables.reachable(p)) attributesChanged(site, e);
    return;
  }
  if (!tables.reachable(p)) return;
  const ipa = world.slotIpa(p, e.slot);
  const target = world.output(e.newLo, e.newHi);
  const span = world.span(level);
  requested(site, e, ipa, span, target);
  if (map.known) {
    const slot = map.around(ipa, span);
    if (slot === undefined || slot.pa + (ipa - slot.ipa) !== target) misplaced(site, e, slot, ipa, span, target);
  }
  const host = isHosts(site, e);
  if (host && target !== ipa) notIdentical(site, e, ipa, target);
  // What takes the place of a table is I11's matter.
  const prot = replacesTable(world, e, level)
    ? -1
    : host && world.actors.top(e.actor) < 0
      ? hostProt(regions, ipa)
      : askedProt(world, e, ipa);
  if (prot !== -1 && attributesDiffer(world, e, prot)) notAsAsked(site, e);
}

/** Whether a descriptor event is of pKVM's map of its host. */
function isHosts({ origin }: RuleSite, e: EventCursor): boolean {
  return e.stage2 === HOST && origin.machineKind === WITH_HOST;
}

/** What pKVM maps its host without being asked: memory with all permissions, MMIO to read and write. @source host_stage2_idmap() */
function hostProt(regions: readonly Region[], ipa: number): number {
  for (let i = 0; i < regions.length; i++)
    if (ipa >= regions[i]!.pa && ipa < regions[i]!.pa + regions[i]!.bytes) return PROT.r | PROT.w | PROT.x;
  return PROT.r | PROT.w;
}

function notIdentical({ report }: RuleSite, e: EventCursor, ipa: number, target: number): void {
  report(e, () => ({
    because: `the host’s ${hexAddress(ipa)} was mapped to ${hexAddress(target)}, but its map is the identity`,
    witness: [],
  }));
}

function replacesTable({ locked }: World, e: EventCursor, level: number): boolean {
  const at = locked.count === 0 ? -1 : locked.find(e.table, e.slot);
  return isTable(at < 0 ? e.wasLo : locked.beforeLo[at]!, level);
}

function attributesChanged({ world, report }: RuleSite, e: EventCursor): void {
  const { actors } = world;
  const top = actors.top(e.actor);
  report(e, () => ({
    because: `${descriptorWords(e.wasLo, e.wasHi, e.level)} became ${hex64(e.newLo, e.newHi)}: that is not a change that was asked for`,
    witness: top < 0 ? [] : [rangeWords(world, e, top)],
  }));
}

function notAsAsked({ world, report }: RuleSite, e: EventCursor): void {
  const { actors } = world;
  const top = actors.top(e.actor);
  report(e, () => ({
    because: `the permissions or attributes of ${descriptorWords(e.newLo, e.newHi, e.level)} are not those that were asked for`,
    witness: top < 0 ? [] : [rangeWords(world, e, top)],
  }));
}

function misplaced(site: RuleSite, e: EventCursor, slot: MemslotShadow | undefined, ipa: number, span: number, target: number): void {
  site.report(e, () => ({
    because:
      slot === undefined
        ? `[${hexAddress(ipa)}, +${hexAddress(span)}) is not inside a memslot, yet it was mapped to ${hexAddress(target)}`
        : `${hexAddress(ipa)} was mapped to ${hexAddress(target)} but memslot ${slot.id} puts it at ${hexAddress(slot.pa + (ipa - slot.ipa))}`,
    witness: slot === undefined ? [] : [{ seq: slot.createdAt, text: `memslot ${slot.id} was created at ${hexAddress(slot.ipa)}` }],
  }));
}

/** What the walk that writes was asked to do must be what it writes. */
function requested(site: RuleSite, e: EventCursor, ipa: number, span: number, target: number): void {
  const { actors } = site.world;
  const top = actors.top(e.actor);
  if (top < 0) return;
  const op = actors.walkOp[top]!;
  const asked = actors.walkIpa[top]!;
  const from = site.world.pageDown(asked);
  const to = site.world.pageUp(asked + actors.walkBytes[top]!);
  const expected = site.world.pageDown(actors.walkPa[top]!) + (ipa - from);
  const maps = op === OP.map || op === OP.recover;
  if (!maps || ipa < from || ipa + span > to || expected !== target) notRequested(site, e, top, ipa, span, target);
}

function notRequested({ world, report }: RuleSite, e: EventCursor, top: number, ipa: number, span: number, target: number): void {
  const { actors } = world;
  const maps = actors.walkOp[top] === OP.map || actors.walkOp[top] === OP.recover;
  const from = world.pageDown(actors.walkIpa[top]!);
  const expected = world.pageDown(actors.walkPa[top]!) + (ipa - from);
  report(e, () => ({
    because: !maps
      ? 'a walk that maps nothing made a new mapping'
      : expected === target
        ? `the mapping of [${hexAddress(ipa)}, +${hexAddress(span)}) reaches outside the range that the walk was asked to map`
        : `${hexAddress(ipa)} was mapped to ${hexAddress(target)} but the walk was asked to map it to ${hexAddress(expected)}`,
    witness: [rangeWords(world, e, top)],
  }));
}

function rangeWords(world: World, e: EventCursor, top: number): WitnessLine {
  const { actors } = world;
  const from = world.pageDown(actors.walkIpa[top]!);
  const to = world.pageUp(actors.walkIpa[top]! + actors.walkBytes[top]!);
  return remembered(actors.walkSince[top]!, world, e.actor, `began a walk over [${hexAddress(from)}, ${hexAddress(to)})`);
}

function walkEnded(site: RuleSite, e: EventCursor): void {
  const { world } = site;
  const { actors } = world;
  const top = actors.top(e.actor);
  // What the walk stored last may be seen only at its barrier, which comes after.
  if (!world.readsWhatIsStored) return;
  // Someone else in the tables may have changed the range again: then nothing can be said.
  if (top < 0 || (e.arg | 0) !== 0 || actors.walkAlone[top] !== 1) return;
  const op = actors.walkOp[top]!;
  const asked = actors.walkIpa[top]!;
  const from = world.pageDown(asked);
  const to = world.pageUp(asked + actors.walkBytes[top]!);
  const empties = op === OP.unmap || op === OP.annotate;
  const fills = op === OP.map && (actors.walkFlags[top]! & WALK_FLAG.ignoreEagain) === 0;
  if (empties ? firstLeaf(world, e.stage2, from, to, LEAF) : fills && firstHole(world, e.stage2, from, to, LEAF))
    notDone(site, e, top, empties);
  else if (
    op === OP.wrprotect
      ? !isLogging(world, e.actor) && firstWritable(world, e.stage2, from, to, LEAF)
      : isUnchanged(world, e, op, top, from)
  )
    leftAsItWas(site, e, top);
}

function notDone({ world, report }: RuleSite, e: EventCursor, top: number, empties: boolean): void {
  const from = world.pageDown(world.actors.walkIpa[top]!);
  report(e, () => ({
    because: empties
      ? `the walk ended well but ${hexAddress(LEAF.ipa)} is still mapped by ${descriptorWords(LEAF.lo, LEAF.hi, LEAF.level)} in ${slotWords(LEAF.table, LEAF.slot, LEAF.level)}`
      : `the walk ended well but ${hexAddress(Math.max(LEAF.ipa, from))} is not mapped: ${slotWords(LEAF.table, LEAF.slot, LEAF.level)} is ${descriptorWords(LEAF.lo, LEAF.hi, LEAF.level)}`,
    witness: [rangeWords(world, e, top)],
  }));
}

/** Whether the one leaf that the walk was to change is not as it was asked to be. */
function isUnchanged(world: World, e: EventCursor, op: number, top: number, from: number): boolean {
  if ((op !== OP.relax && op !== OP.mkyoung) || !firstLeaf(world, e.stage2, from, from + world.pageBytes, LEAF)) return false;
  const prot = world.actors.walkFlags[top]! >>> PROT_SHIFT;
  return op === OP.mkyoung ? (LEAF.lo & LO_ACCESSED) === 0 : !permits(prot, LEAF.lo, LEAF.hi);
}

function leftAsItWas({ world, report }: RuleSite, e: EventCursor, top: number): void {
  report(e, () => ({
    because: `the walk ended well but ${hexAddress(LEAF.ipa)} is mapped by ${descriptorWords(LEAF.lo, LEAF.hi, LEAF.level)} in ${slotWords(LEAF.table, LEAF.slot, LEAF.level)}, which is not what it was to become`,
    witness: [rangeWords(world, e, top)],
  }));
}

function accessed(site: RuleSite, map: MemoryMap, e: EventCursor): void {
  if (!map.known) return;
  const { ipa, pa } = e;
  const slot = map.around(ipa, 1);
  if (slot === undefined || slot.pa + (ipa - slot.ipa) !== pa) strayed(site, e, slot);
}

function strayed({ report }: RuleSite, e: EventCursor, slot: MemslotShadow | undefined): void {
  const { ipa, pa } = e;
  report(e, () => ({
    because:
      slot === undefined
        ? `the guest reached ${hexAddress(pa)} by ${hexAddress(ipa)}, which is in no memslot`
        : `the guest reached ${hexAddress(pa)} by ${hexAddress(ipa)}, but memslot ${slot.id} puts it at ${hexAddress(slot.pa + (ipa - slot.ipa))}`,
    witness: slot === undefined ? [] : [{ seq: slot.createdAt, text: `memslot ${slot.id} was created at ${hexAddress(slot.ipa)}` }],
  }));
}

function buried({ world, report }: RuleSite, map: MemoryMap, e: EventCursor): void {
  for (let slot = map.bury(e.actor); slot !== undefined; slot = map.bury(e.actor)) {
    const { id, ipa, bytes, deletedAt } = slot;
    for (const { id: stage2 } of world.stage2s) {
      if (!firstLeaf(world, stage2, ipa, ipa + bytes, LEAF)) continue;
      report(e, () => ({
        because: `memslot ${id} was deleted but ${hexAddress(LEAF.ipa)} is still mapped by ${descriptorWords(LEAF.lo, LEAF.hi, LEAF.level)} in ${slotWords(LEAF.table, LEAF.slot, LEAF.level)}`,
        witness: [{ seq: deletedAt, text: `memslot ${id} was deleted` }],
      }));
    }
  }
}
