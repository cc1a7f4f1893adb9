import { hex64, hexAddress } from '@s2lab/arch';
import {
  ACCESS,
  codeName,
  COMPONENT,
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
  PAGE_STATE,
  PHASE,
  REGISTER,
  STORE_ORDER,
  TLBI,
} from '@s2lab/events';
import type { KindName } from '@s2lab/events';
import type { EventCursor } from './shadow/event-cursor.ts';
import { actorName, descriptorWords, slotWords } from './words.ts';

/** The event under the cursor in words. */
export function eventWords(e: EventCursor, vcpus: number): string {
  const who = actorName(e.actor, vcpus);
  const name = kindName(e.kind);
  return name === undefined ? `an event of unknown kind ${e.kind} by ${who}` : WORDS[name](e, who);
}

function slotOf(e: EventCursor): string {
  return slotWords(e.table, e.slot, e.level);
}

/** The descriptor of the `old` column. */
function before(e: EventCursor): string {
  return descriptorWords(e.oldLo, e.oldHi, e.level);
}

/** The descriptor of the `new` column. */
function after(e: EventCursor): string {
  return descriptorWords(e.newLo, e.newHi, e.level);
}

/** The physical memory that `new` (address) and `old` (bytes) say. */
function memory(e: EventCursor): string {
  return `[${hexAddress(e.pa)}, +${hexAddress(e.bytes)})`;
}

function component(e: EventCursor, code: number): string {
  return code === COMPONENT.host ? 'the host' : code === COMPONENT.hyp ? 'the hypervisor' : `guest ${e.stage2}`;
}

/** Where a guest has the page that changes hands. */
function guestPlace(e: EventCursor): string {
  return e.arg === COMPONENT.guest || e.aux === COMPONENT.guest ? `, at ${hexAddress(e.ipa)} of the guest` : '';
}

function pageState(state: number): string {
  switch (state) {
    case PAGE_STATE.owned:
      return 'its own';
    case PAGE_STATE.sharedOwned:
      return 'its own and shared';
    case PAGE_STATE.sharedBorrowed:
      return 'borrowed';
    default:
      return 'none of its pages';
  }
}

/** What happened, by kind: an event, and the name of its actor. A kind without words does not compile. */
const WORDS: Readonly<Record<KindName, (e: EventCursor, who: string) => string>> = {
  'descriptor-read': (e, who) => `${who} read ${slotOf(e)}: ${before(e)}`,
  'descriptor-stored': (e, who) => `${who} stored ${after(e)} over ${before(e)} in ${slotOf(e)}`,
  'descriptor-released': (e, who) => `${who} released ${after(e)} over ${before(e)} in ${slotOf(e)}`,
  'descriptor-swapped': (e, who) => `${who} swapped ${before(e)} for ${after(e)} in ${slotOf(e)}`,
  'descriptor-swap-failed': (e, who) => `${who} failed to swap in ${after(e)}: ${slotOf(e)} held ${before(e)}`,
  'descriptor-hardware-updated': (e, who) => `the hardware walker of ${who} changed ${before(e)} to ${after(e)} in ${slotOf(e)}`,
  'table-allocated': (e, who) => `${who} allocated table ${e.table}`,
  'table-reused': (e, who) => `${who} allocated table ${e.table} again`,
  'table-linked': (e, who) => `${who} linked table ${e.table} below ${slotWords(e.arg, e.slot, e.level)}`,
  'table-unlinked': (e, who) => `${who} unlinked table ${e.table} from ${slotWords(e.arg, e.slot, e.level)}`,
  'table-retired': (e, who) => `${who} retired table ${e.table}`,
  'table-freed': (e, who) => `${who} freed table ${e.table}`,
  'reference-got': (e, who) => `${who} took a reference on table ${e.table}: ${e.arg | 0}`,
  'reference-put': (e, who) => `${who} dropped a reference on table ${e.table}: ${e.arg | 0}`,
  'reference-read': (e, who) => `${who} read the reference count of table ${e.table}: ${e.arg | 0}`,
  'walker-reference-got': (e, who) => `${who} took a reference on table ${e.table} for itself: held ${e.arg | 0} times`,
  'walker-reference-put': (e, who) =>
    `${who} dropped ${e.aux === 1 ? 'the link’s' : 'its own'} reference on table ${e.table}: held ${e.arg | 0} times`,
  'walk-began': (e, who) => `${who} began to ${codeName(OP, e.arg)} [${hexAddress(e.ipa)}, +${hexAddress(e.bytes)})`,
  'walk-ended': (e, who) => `${who} ended its walk with ${e.arg | 0}`,
  'operation-began': (e, who) => `${who} began ${codeName(OPERATION, e.arg)}`,
  'operation-ended': (e, who) => `${who} ended ${codeName(OPERATION, e.arg)} with ${e.aux | 0}`,
  'fault-taken': (e, who) => `${who} took a ${codeName(FAULT, e.arg)} fault at ${hexAddress(e.ipa)}`,
  'fault-handled': (e, who) => `the fault of ${who} at ${hexAddress(e.ipa)} was handled with ${e.arg | 0}`,
  'lock-acquired': (e, who) => `${who} took the ${codeName(LOCK, e.arg)} lock to ${codeName(LOCK_MODE, e.aux)}`,
  'lock-released': (e, who) => `${who} released the ${codeName(LOCK, e.arg)} lock (${codeName(LOCK_MODE, e.aux)})`,
  'tlbi-issued': (e, who) => `${who} issued ${codeName(TLBI, e.arg)} at ${hexAddress(e.ipa)}`,
  'dsb-completed': (e, who) => `${who} completed a DSB ${codeName(DSB, e.arg)}`,
  'guest-accessed': (e, who) => `${who} accessed ${hexAddress(e.ipa)} (${codeName(ACCESS, e.arg)}) at ${hexAddress(e.pa)}`,
  'fault-injected': (e) => `the scenario injected ${codeName(INJECTED, e.arg)}`,
  'memory-initialised': (e, who) => `${who} handed in zeroed memory [${hex64(e.oldLo, e.oldHi)}, +${hex64(e.newLo, e.newHi)})`,
  'memory-freed': (e, who) => `${who} gave back memory [${hex64(e.oldLo, e.oldHi)}, +${hex64(e.newLo, e.newHi)})`,
  'memory-written': (e, who) => `${who} wrote ${hex64(e.newLo, e.newHi)} to ${hex64(e.oldLo, e.oldHi)} (${codeName(STORE_ORDER, e.arg)})`,
  'memory-filled': (e, who) => `${who} filled [${hex64(e.oldLo, e.oldHi)}, +${hexAddress(e.ipa)}) with ${hex64(e.newLo, e.newHi)}`,
  'register-written': (e, who) => `${who} wrote ${hex64(e.newLo, e.newHi)} to ${codeName(REGISTER, e.arg)}_el2`,
  'hint-given': (e, who) => `${who} gave the hint ${codeName(HINT, e.arg)} for ${hex64(e.oldLo, e.oldHi)}: ${hex64(e.newLo, e.newHi)}`,
  'address-locked': (e, who) => `${who} took the lock at ${hex64(e.oldLo, e.oldHi)}`,
  'address-unlocked': (e, who) => `${who} released the lock at ${hex64(e.oldLo, e.oldHi)}`,
  'invalidation-issued': (e, who) => `${who} issued TLBI ${codeName(INVALIDATION, e.arg)} with ${hex64(e.newLo, e.newHi)}`,
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
  'read-section-entered': (_, who) => `${who} entered a read-side section`,
  'read-section-left': (_, who) => `${who} left its read-side section`,
  'grace-period-began': (e) => `grace period ${e.arg} began`,
  'grace-period-ended': (e) => `grace period ${e.arg} ended`,
  'isb-completed': (_, who) => `${who} completed an ISB`,
  'hardware-descriptor-read': (e, who) =>
    `the hardware walker of ${who} read ${slotWords(e.table, e.slot, e.level)}: ${descriptorWords(e.oldLo, e.oldHi, e.level)}`,
  'tlb-filled': (e, who) => `${who} cached ${descriptorWords(e.newLo, e.newHi, e.level)} for ${hexAddress(e.ipa)} at level ${e.level}`,
  'walk-cache-filled': (e, who) => `${who} cached that ${hexAddress(e.ipa)} leads to table ${e.arg} at level ${e.level}`,
  'tlb-evicted': (e, who) => `${who} dropped what it had cached for ${hexAddress(e.ipa)} at level ${e.level}`,
  'guest-aborted': (e, who) => `the access of ${who} to ${hexAddress(e.ipa)} was aborted`,
  'cache-exhausted': (_, who) => `${who} found its cache of table pages empty`,
  'walker-reference-refused': (e, who) => `${who} was refused a reference on table ${e.table}: nobody held it`,
  'hazard-published': (e, who) => `${who} published table ${e.table} in its hazard pointer of level ${e.level}`,
  'hazard-cleared': (e, who) => `${who} cleared its hazard pointer of level ${e.level}`,
  'epoch-announced': (e, who) => `${who} announced epoch ${e.arg}: a read-side section began`,
  'epoch-withdrawn': (e, who) => `${who} withdrew epoch ${e.arg}: its read-side section ended`,
  'epoch-advanced': (e, who) => `${who} advanced the epoch to ${e.arg}`,
  'phase-began': (e) => `the scenario began phase ${codeName(PHASE, e.arg)}, pass ${e.aux}`,
  'mapping-size-chosen': (e, who) =>
    `${who} looked up what backs ${hexAddress(e.ipa)}: pages of ${hexAddress(e.bytes)}, mapped by ${hexAddress(e.pa)} at most`,
  'yield-offered': (e, who) => `${who} offered to give up the ${codeName(LOCK, e.arg)} lock and its core`,
  'dcache-cleaned': (e, who) => `${who} cleaned ${memory(e)} from the data cache`,
  'icache-invalidated': (e, who) => `${who} invalidated ${memory(e)} in the instruction cache`,
  'cache-topped-up': (e, who) => `${who} filled its cache of table pages from ${e.arg} to ${e.aux}`,
  'cache-released': (e, who) => `${who} gave the ${e.arg} pages in its cache of table pages back`,
  'hazard-scanned': (e, who) =>
    `${who} read the hazard pointer of level ${e.level} of actor ${e.arg}: it ${e.aux === 1 ? 'protects' : 'does not protect'} the sub-tree of table ${e.table}`,
  'epoch-read': (e, who) => `${who} read the epoch: ${e.arg}`,
  'epoch-scanned': (e, who) => `${who} read what actor ${e.aux} announces: ${e.arg === 0 ? 'nothing' : `epoch ${e.arg - 1}`}`,
  'memory-region-added': (e) => `${memory(e)} is memory${e.aux === 1 ? ' that nobody may own' : ''}`,
  'guest-created': (e, who) =>
    `${who} created guest ${e.stage2}, ${e.arg === 1 ? 'protected' : 'not protected'}, with an IPA space of ${e.slot} bits`,
  'guest-destroyed': (e, who) => `${who} destroyed guest ${e.stage2}`,
  'page-state-changed': (e, who) =>
    `${who} noted what ${memory(e)} is to ${component(e, e.arg)}: ${pageState(e.aux)}, and no longer ${pageState(e.level)}`,
  'page-donated': (e, who) => `${who} donated ${memory(e)} from ${component(e, e.arg)} to ${component(e, e.aux)}${guestPlace(e)}`,
  'page-shared': (e, who) => `${who} shared ${memory(e)} of ${component(e, e.arg)} with ${component(e, e.aux)}${guestPlace(e)}`,
  'page-unshared': (e, who) =>
    `${who} ended the share of ${memory(e)} by ${component(e, e.arg)} with ${component(e, e.aux)}${guestPlace(e)}`,
  'page-reclaimed': (e, who) =>
    `${who} took ${memory(e)} back from guest ${e.stage2}, which had it at ${hexAddress(e.ipa)}${e.arg === 1 ? ' and lives on' : ''}`,
  'page-wiped': (e, who) => `${who} wiped ${memory(e)}`,
  'memcache-pushed': (e, who) =>
    `${who} put the page at ${hexAddress(e.pa)} into ${e.arg === 1 ? 'the cache in which the host gets pages back' : 'the guest’s cache of table pages'}`,
  'host-aborted': (e, who) =>
    `${who} touched ${hexAddress(e.ipa)} (${codeName(ACCESS, e.arg)}), which the host does not own: the abort was injected into it`,
  'memory-read': (e, who) => `${who} read ${hex64(e.newLo, e.newHi)} from ${hex64(e.oldLo, e.oldHi)}`,
};
