import {
  HI_SOFTWARE,
  HI_XN,
  leafAttributesHi,
  leafAttributesLo,
  LO_ACCESSED,
  LO_MEMATTR,
  LO_READ,
  LO_SHARE,
  LO_WRITE,
  PROT,
  xnField,
} from '@s2lab/arch';
import { ACCESS, OP, OPERATION, PROT_SHIFT } from '@s2lab/events';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { OPEN } from '../shadow/world.ts';
import type { World } from '../shadow/world.ts';

/** What of a leaf says neither where it leads nor how big it is. */
const ATTRIBUTES_LO = LO_READ | LO_WRITE | LO_MEMATTR | LO_SHARE | LO_ACCESSED;
const ATTRIBUTES_HI = HI_XN | HI_SOFTWARE;

/** Whether a new leaf has other attributes than `prot` asks for; PROT that does not exist asks for nothing. */
export function attributesDiffer(world: World, e: EventCursor, prot: number): boolean {
  const shadow = world.stage2(e.stage2);
  if (shadow === undefined) return false;
  const lo = leafAttributesLo(prot, world.shape, shadow.leaves);
  if (lo === -1) return false;
  // With LPA2 the shareability field belongs to the address.
  const mask = world.shape.lpa2 ? ATTRIBUTES_LO & ~LO_SHARE : ATTRIBUTES_LO;
  return ((e.newLo ^ lo) & mask) !== 0 || ((e.newHi ^ leafAttributesHi(prot)) & ATTRIBUTES_HI) !== 0;
}

/**
 * PROT that a new leaf must have: that of its walk, or, where the fault path's walks are not told, that of the fault. -1 = nobody knows.
 * @source Linux mmu.c kvm_s2_fault_compute_prot()
 */
export function askedProt(world: World, e: EventCursor, ipa: number): number {
  // A store that is seen late may be told when its walk is over.
  if (!world.readsWhatIsStored) return -1;
  const { actors } = world;
  const top = actors.top(e.actor);
  if (top >= 0) {
    const op = actors.walkOp[top]!;
    return op === OP.map || op === OP.recover ? actors.walkFlags[top]! >>> PROT_SHIFT : -1;
  }
  const { fault, operation } = OPEN;
  const open = actors.openOperations[e.actor]!;
  if ((open & operation) !== 0 && actors.operation[e.actor] === OPERATION.hostDonateGuest) return PROT.r | PROT.w | PROT.x;
  if ((open & fault) === 0) return -1;
  const memslot = world.dirtyLogs.around(ipa);
  if (memslot === undefined) return -1;
  const access = actors.access[e.actor]!;
  const writable = !memslot.readOnly && (!memslot.logging || (access & ACCESS.write) !== 0);
  return PROT.r | (writable ? PROT.w : 0) | ((access & ACCESS.execute) === 0 ? 0 : PROT.x);
}

/** Whether what the actor is about lets it change the attributes of a leaf from what the slot held to what the event writes. */
export function mayChange(world: World, e: EventCursor): boolean {
  if (!world.readsWhatIsStored) return true;
  const { actors } = world;
  const top = actors.top(e.actor);
  if (top >= 0) return walkMayChange(actors.walkOp[top]!, actors.walkFlags[top]! >>> PROT_SHIFT, e);
  if ((actors.openOperations[e.actor]! & OPEN.fault) !== 0) return relaxes(PROT.r | PROT.w | PROT.x, e) || setsAccessed(e);
  switch (actors.operation[e.actor]) {
    case OPERATION.dirtyLogOn:
    case OPERATION.dirtyLogClear:
    case OPERATION.wrprotectGuest:
      return only(e, LO_WRITE, 0, 0);
    case OPERATION.ageRange:
    case OPERATION.testAgeRange:
    case OPERATION.youngGuest:
      return only(e, LO_ACCESSED, 0, 0);
    case OPERATION.mkyoungGuest:
      return setsAccessed(e);
    default:
      return true;
  }
}

function walkMayChange(op: number, prot: number, e: EventCursor): boolean {
  switch (op) {
    case OP.wrprotect:
      return only(e, LO_WRITE, 0, 0);
    case OP.age:
      return only(e, LO_ACCESSED, 0, 0);
    case OP.mkyoung:
      return setsAccessed(e);
    case OP.relax:
      return relaxes(prot, e);
    case OP.map:
    case OP.recover:
      return only(e, 0, 0, HI_SOFTWARE);
    default:
      return only(e, 0, 0, 0);
  }
}

/** The event clears no other low bits than `clearLo`, sets no others than `setLo`, and changes no high ones but `hi`. */
function only(e: EventCursor, clearLo: number, setLo: number, hi: number): boolean {
  return (e.wasLo & ~e.newLo & ~clearLo) === 0 && (e.newLo & ~e.wasLo & ~setLo) === 0 && ((e.newHi ^ e.wasHi) & ~hi) === 0;
}

function setsAccessed(e: EventCursor): boolean {
  return only(e, 0, LO_ACCESSED, 0);
}

/** The event gives permissions of `prot`, and takes none but by the whole execute-never field. */
function relaxes(prot: number, e: EventCursor): boolean {
  const gives = ((prot & PROT.r) === 0 ? 0 : LO_READ) | ((prot & PROT.w) === 0 ? 0 : LO_WRITE);
  if (!only(e, 0, gives, HI_XN)) return false;
  return (e.newHi & HI_XN) === (e.wasHi & HI_XN) || ((prot & PROT.x) !== 0 && ((e.newHi ^ xnField(prot)) & HI_XN) === 0);
}

/** Whether a leaf has at least the permissions of `prot`, and its execute-never field if it asks for one. */
export function permits(prot: number, lo: number, hi: number): boolean {
  if (((prot & PROT.r) !== 0 && (lo & LO_READ) === 0) || ((prot & PROT.w) !== 0 && (lo & LO_WRITE) === 0)) return false;
  return (prot & PROT.x) === 0 || ((hi ^ xnField(prot)) & HI_XN) === 0;
}
