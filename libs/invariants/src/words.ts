import { hex64, hexAddress, isLocked, isTable, isValid } from '@s2lab/arch';
import {
  ACCESS,
  codeName,
  decodeEvent,
  DSB,
  FAULT,
  HINT,
  INJECTED,
  INVALIDATION,
  kindName,
  LOCK,
  LOCK_MODE,
  OP,
  OPERATION,
  REGISTER,
  STORE_ORDER,
  TLBI,
} from '@s2lab/events';
import type { KindName } from '@s2lab/events';
import type { EventCursor } from './shadow/event-cursor.ts';
import type { World } from './shadow/world.ts';

/** An actor in words. */
export function actorName(actor: number, vcpus: number): string {
  if (actor < vcpus) return `vCPU ${actor}`;
  if (actor === vcpus) return 'the VMM thread';
  return actor === vcpus + 1 ? 'the reclaim worker' : `actor ${actor}`;
}

/** A descriptor in words: what it is and its bits. */
export function descriptorWords(lo: number, hi: number, level: number): string {
  if ((lo | hi) === 0) return 'empty';
  const bits = hex64(lo, hi);
  if (isLocked(lo, hi)) return `locked (${bits})`;
  if (!isValid(lo)) return `an annotation (${bits})`;
  return `${isTable(lo, level) ? 'a table' : level === 3 ? 'a page' : 'a block'} (${bits})`;
}

/** A slot in words. */
export function slotWords(table: number, slot: number, level: number): string {
  return `slot ${slot} of table ${table} (level ${level})`;
}

/** The event under the cursor in words. */
export function eventWords(e: EventCursor, vcpus: number): string {
  const who = actorName(e.actor, vcpus);
  const where = slotWords(e.table, e.slot, e.level);
  const from = descriptorWords(e.oldLo, e.oldHi, e.level);
  const to = descriptorWords(e.newLo, e.newHi, e.level);
  switch (kindName(e.kind)) {
    case 'descriptor-read':
      return `${who} read ${where}: ${from}`;
    case 'descriptor-stored':
      return `${who} stored ${to} over ${from} in ${where}`;
    case 'descriptor-released':
      return `${who} released ${to} over ${from} in ${where}`;
    case 'descriptor-swapped':
      return `${who} swapped ${from} for ${to} in ${where}`;
    case 'descriptor-swap-failed':
      return `${who} failed to swap in ${to}: ${where} held ${from}`;
    case 'descriptor-hardware-updated':
      return `the hardware walker of ${who} changed ${from} to ${to} in ${where}`;
    case 'table-allocated':
      return `${who} allocated table ${e.table}`;
    case 'table-reused':
      return `${who} allocated table ${e.table} again`;
    case 'table-linked':
      return `${who} linked table ${e.table} below ${slotWords(e.arg, e.slot, e.level)}`;
    case 'table-unlinked':
      return `${who} unlinked table ${e.table} from ${slotWords(e.arg, e.slot, e.level)}`;
    case 'table-retired':
      return `${who} retired table ${e.table}`;
    case 'table-freed':
      return `${who} freed table ${e.table}`;
    case 'reference-got':
      return `${who} took a reference on table ${e.table}: ${e.arg | 0}`;
    case 'reference-put':
      return `${who} dropped a reference on table ${e.table}: ${e.arg | 0}`;
    case 'reference-read':
      return `${who} read the reference count of table ${e.table}: ${e.arg | 0}`;
    case 'walker-reference-got':
      return `${who} took a reference on table ${e.table} for itself: held ${e.arg | 0} times`;
    case 'walker-reference-put':
      return `${who} dropped ${e.aux === 1 ? 'the link’s' : 'its own'} reference on table ${e.table}: held ${e.arg | 0} times`;
    case 'walk-began':
      return `${who} began to ${codeName(OP, e.arg)} [${hexAddress(e.ipa)}, +${hexAddress(e.bytes)})`;
    case 'walk-ended':
      return `${who} ended its walk with ${e.arg | 0}`;
    case 'operation-began':
      return `${who} began ${codeName(OPERATION, e.arg)}`;
    case 'operation-ended':
      return `${who} ended ${codeName(OPERATION, e.arg)} with ${e.aux | 0}`;
    case 'fault-taken':
      return `${who} took a ${codeName(FAULT, e.arg)} fault at ${hexAddress(e.ipa)}`;
    case 'fault-handled':
      return `the fault of ${who} at ${hexAddress(e.ipa)} was handled with ${e.arg | 0}`;
    case 'lock-acquired':
      return `${who} took the ${codeName(LOCK, e.arg)} lock to ${codeName(LOCK_MODE, e.aux)}`;
    case 'lock-released':
      return `${who} released the ${codeName(LOCK, e.arg)} lock (${codeName(LOCK_MODE, e.aux)})`;
    case 'tlbi-issued':
      return `${who} issued ${codeName(TLBI, e.arg)} at ${hexAddress(e.ipa)}`;
    case 'dsb-completed':
      return `${who} completed a DSB ${codeName(DSB, e.arg)}`;
    case 'guest-accessed':
      return `${who} accessed ${hexAddress(e.ipa)} (${codeName(ACCESS, e.arg)}) at ${hexAddress(e.pa)}`;
    case 'fault-injected':
      return `the scenario injected ${codeName(INJECTED, e.arg)}`;
    default:
      return importedWords(e, who);
  }
}

/** Events of imported traces of plain memory. */
function importedWords(e: EventCursor, who: string): string {
  const address = hex64(e.oldLo, e.oldHi);
  const value = hex64(e.newLo, e.newHi);
  switch (kindName(e.kind)) {
    case 'memory-initialised':
      return `${who} handed in zeroed memory [${address}, +${value})`;
    case 'memory-freed':
      return `${who} gave back memory [${address}, +${value})`;
    case 'memory-written':
      return `${who} wrote ${value} to ${address} (${codeName(STORE_ORDER, e.arg)})`;
    case 'memory-filled':
      return `${who} filled [${address}, +${hexAddress(e.ipa)}) with ${value}`;
    case 'register-written':
      return `${who} wrote ${value} to ${codeName(REGISTER, e.arg)}_el2`;
    case 'hint-given':
      return `${who} gave the hint ${codeName(HINT, e.arg)} for ${address}: ${value}`;
    case 'address-locked':
      return `${who} took the lock at ${address}`;
    case 'address-unlocked':
      return `${who} released the lock at ${address}`;
    case 'invalidation-issued':
      return `${who} issued TLBI ${codeName(INVALIDATION, e.arg)} with ${value}`;
    default:
      return fieldWords(e, who);
  }
}

/** What an actor did, for kinds whose columns are best told one by one. */
const TOLD: Readonly<Partial<Record<KindName, (e: EventCursor, who: string) => string>>> = {
  'machine-started': (e) => `the machine started with ${e.arg} vCPUs`,
  'machine-stopped': (e) => `the machine stopped (${e.arg === 0 ? 'its workload is complete' : 'interrupted'})`,
  'stage2-created': (e) => `stage-2 ${e.stage2} was created with ${e.arg} root page(s) from table ${e.table} on, at level ${e.level}`,
  'stage2-destroyed': (e) => `stage-2 ${e.stage2} with root ${e.table} was destroyed`,
  'memslot-created': (e) => `memslot ${e.arg} was created: [${hexAddress(e.ipa)}, +${hexAddress(e.bytes)}) is ${hexAddress(e.pa)}`,
  'memslot-deleted': (e, who) => `${who} deleted memslot ${e.arg}`,
  'dirty-log-started': (e, who) => `${who} began to log memslot ${e.arg}`,
  'dirty-log-stopped': (e, who) => `${who} ended logging of memslot ${e.arg}`,
  'dirty-log-cleared': (e, who) => `${who} cleared the dirty bits of [${hexAddress(e.ipa)}, +${hexAddress(e.bytes)}) in memslot ${e.arg}`,
  'page-dirtied': (e, who) => `${who} set the dirty bit of the page at ${hexAddress(e.ipa)} in memslot ${e.arg}`,
  'reclaim-began': (e, who) => `${who} began to tear down the sub-tree of table ${e.table}`,
  'reclaim-ended': (e, who) => `${who} ended the teardown of the sub-tree of table ${e.table}`,
  'lock-contended': (e, who) => `${who} waits for the ${codeName(LOCK, e.arg)} lock to ${codeName(LOCK_MODE, e.aux)}`,
  'read-section-entered': (_e, who) => `${who} entered a read-side section`,
  'read-section-left': (_e, who) => `${who} left its read-side section`,
  'grace-period-began': (e) => `grace period ${e.arg} began`,
  'grace-period-ended': (e) => `grace period ${e.arg} ended`,
  'isb-completed': (_e, who) => `${who} completed an ISB`,
  'hardware-descriptor-read': (e, who) =>
    `the hardware walker of ${who} read ${slotWords(e.table, e.slot, e.level)}: ${descriptorWords(e.oldLo, e.oldHi, e.level)}`,
  'tlb-filled': (e, who) => `${who} cached ${descriptorWords(e.newLo, e.newHi, e.level)} for ${hexAddress(e.ipa)} at level ${e.level}`,
  'walk-cache-filled': (e, who) => `${who} cached that ${hexAddress(e.ipa)} leads to table ${e.arg} at level ${e.level}`,
  'tlb-evicted': (e, who) => `${who} dropped what it had cached for ${hexAddress(e.ipa)} at level ${e.level}`,
  'guest-aborted': (e, who) => `the access of ${who} to ${hexAddress(e.ipa)} was aborted`,
  'cache-exhausted': (_e, who) => `${who} found its cache of table pages empty`,
  'walker-reference-refused': (e, who) => `${who} was refused a reference on table ${e.table}: nobody held it`,
  'hazard-published': (e, who) => `${who} published table ${e.table} in its hazard pointer of level ${e.level}`,
  'hazard-cleared': (e, who) => `${who} cleared its hazard pointer of level ${e.level}`,
  'epoch-announced': (e, who) => `${who} announced epoch ${e.arg}: a read-side section began`,
  'epoch-withdrawn': (e, who) => `${who} withdrew epoch ${e.arg}: its read-side section ended`,
  'epoch-advanced': (e, who) => `${who} advanced the epoch to ${e.arg}`,
};

function fieldWords(e: EventCursor, who: string): string {
  const name = kindName(e.kind);
  const told = name === undefined ? undefined : TOLD[name];
  if (told !== undefined) return told(e, who);
  if (name === undefined) return `an event of unknown kind ${e.kind} by ${who}`;
  const event: Record<string, unknown> = { ...decodeEvent(e.rows, e.row, e.seq, 0) };
  const fields = Object.entries(event).filter(([key]) => !['kind', 'seq', 'machine', 'at', 'actor', 'walk', 'stage2'].includes(key));
  return `${who}: ${name.replaceAll('-', ' ')}${fields.map(([key, value]) => ` ${key}=${typeof value === 'number' && value > 0xffff ? hexAddress(value) : String(value)}`).join('')}`;
}

/** An event that is not under the cursor any more, told from what a rule kept of it. */
export function remembered(seq: number, world: World, actor: number, what: string): { seq: number; text: string } {
  return { seq, text: `${actorName(actor, world.vcpus)} ${what}` };
}
