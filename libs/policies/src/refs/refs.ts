import { K, LOCK_MODE } from '@s2lab/events';
import type { PolicyMachine, ReclaimPolicy, Walker } from '@s2lab/engine';
import { HOOK, PC, TOUCHES } from '@s2lab/engine';

/** What the actor does next on its way into a table: take a reference, read the link again, or drop the reference. One word an actor. */
const PHASE = { take: 0, validate: 1, drop: 2 } as const;

/**
 * References made race-safe (design row D4; the argument is in docs/adr/0016): increment unless zero on a count that outlives the page, then
 * the link is read again, else the walk starts anew. Dropped on the way back; whoever drops the last one frees the sub-tree.
 * @source Linux include/linux/page_ref.h page_ref_add_unless(), mm/filemap.c filemap_get_entry() (folio_try_get, then look again)
 */
export const refs: ReclaimPolicy = {
  name: 'refs',
  summary: 'a reference on each table on the way down: increment unless zero, then the link is read again; the last one out frees',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: true },
  faultLock: LOCK_MODE.read,
  stateWords: (actors) => actors,
  swapActors(words, a, b): void {
    [words[a], words[b]] = [words[b]!, words[a]!];
  },
  guardsWalks: false,
  enter: () => HOOK.done,
  exit: () => HOOK.done,
  tracksTables: true,

  descend(machine: PolicyMachine, walker: Walker, table: number): number {
    const policyWords = machine.policyWords(walker);
    const { actor } = walker;
    switch (policyWords[actor]) {
      case PHASE.take:
        if (machine.world.pages.holders[table] === 0) {
          machine.noteTable(walker, K.walkerReferenceRefused, 0, table, 0, 0);
          return HOOK.restart;
        }
        machine.getHolder(walker, table);
        policyWords[actor] = PHASE.validate;
        return HOOK.again;
      case PHASE.validate:
        if (machine.linkStands(walker)) {
          policyWords[actor] = PHASE.take;
          return HOOK.done;
        }
        policyWords[actor] = PHASE.drop;
        return HOOK.again;
      default:
        policyWords[actor] = PHASE.take;
        return lastOut(machine, walker, table) ? HOOK.reclaim : HOOK.restart;
    }
  },

  ascend(machine: PolicyMachine, walker: Walker, table: number): number {
    return lastOut(machine, walker, table) ? HOOK.reclaim : HOOK.done;
  },

  /** Whoever drops the last reference may free. */
  touches(machine: PolicyMachine, walker: Walker): number {
    if (walker.pc === PC.mapRetire) return TOUCHES.holders;
    const phase = walker.pc === PC.walkDescend ? machine.policyWords(walker)[walker.actor] : PHASE.drop;
    if (phase === PHASE.validate) return TOUCHES.link;
    return phase === PHASE.drop && machine.world.pages.holders[walker.table]! <= 1 ? TOUCHES.anything : TOUCHES.holders;
  },

  unlinked(machine: PolicyMachine, walker: Walker, table: number): number {
    return machine.putHolder(walker, table, 1) > 0 ? HOOK.held : HOOK.done;
  },

  countsHolders: true,
  locksTeardown: false,
  defersFrees: false,
  mayReclaim: () => HOOK.done,
};

/** Drops the walker's reference. Returns whether it was the last one on a sub-tree that is still to be torn down. */
function lastOut(machine: PolicyMachine, walker: Walker, table: number): boolean {
  if (machine.putHolder(walker, table, 0) > 0) return false;
  const { pages } = machine.world;
  if (pages.references[table]! > 0) return true;
  // Its contents were torn down with the table above it, while this walker held it by an old link: only the page is left.
  machine.freeTable(walker, table, pages.level[table]!);
  return false;
}
