import { K, LOCK_MODE } from '@s2lab/events';
import type { PolicyMachine, ReclaimPolicy, Walker } from '@s2lab/engine';
import { HOOK, TOUCHES } from '@s2lab/engine';

/** Hazard pointers of an actor: one per level, 0…3. */
const LEVELS = 4;
/** What the actor does next on its way into a table. */
const PHASE = { publish: 0, validate: 1, clear: 2 } as const;

/*
 * The words: the actors' hazard pointers (table + 1, 0 = none), then the actors' phases, then where the worker's scan stands, then the
 * table + 1 whose protection the worker waits to see cleared.
 */
const pointerAt = (actor: number, level: number): number => actor * LEVELS + level;
const phaseAt = (actors: number, actor: number): number => actors * LEVELS + actor;
const cursorAt = (actors: number): number => actors * (LEVELS + 1);

/**
 * Hazard pointers, one per level: a walker publishes the table it is about to enter, then reads the link again, else starts anew. A retired
 * sub-tree is freed when a scan of every pointer, begun after it was unlinked, did not find its table.
 * @source M. Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects", IEEE TPDS 15(6), 2004
 */
export const hazard: ReclaimPolicy = {
  name: 'hazard',
  summary: 'one hazard pointer per level, published before a table is entered; a retired sub-tree is freed when a scan finds none on it',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: true },
  faultLock: LOCK_MODE.read,
  stateWords: (actors) => actors * (LEVELS + 1) + 2,
  renameTables(words, actors, rename): void {
    const awaited = cursorAt(actors) + 1;
    for (let i = 0; i < actors * LEVELS; i += 1) if (words[i] !== 0) words[i] = rename(words[i]! - 1) + 1;
    if (words[awaited] !== 0) words[awaited] = rename(words[awaited]! - 1) + 1;
  },
  forgetReaders(words: Int32Array, actors: number): void {
    words.fill(0, 0, actors * LEVELS);
  },
  guardsWalks: false,
  enter: () => HOOK.done,
  exit: () => HOOK.done,
  tracksTables: true,

  descend(machine: PolicyMachine, walker: Walker, table: number): number {
    const policyWords = machine.policyWords(walker);
    const phase = phaseAt(machine.world.actors, walker.actor);
    switch (policyWords[phase]) {
      case PHASE.publish:
        machine.storeWord(walker, pointerAt(walker.actor, walker.level), table + 1, K.hazardPublished, walker.level, table, 0);
        // The link is read again only once everybody can see the pointer.
        machine.fence(walker);
        policyWords[phase] = PHASE.validate;
        return HOOK.again;
      case PHASE.validate:
        if (machine.linkStands(walker)) {
          policyWords[phase] = PHASE.publish;
          return HOOK.done;
        }
        policyWords[phase] = PHASE.clear;
        return HOOK.again;
      default:
        clear(machine, walker, table);
        policyWords[phase] = PHASE.publish;
        return HOOK.restart;
    }
  },

  ascend(machine: PolicyMachine, walker: Walker, table: number): number {
    clear(machine, walker, table);
    return HOOK.done;
  },

  touches(machine: PolicyMachine, walker: Walker): number {
    const validates = machine.policyWords(walker)[phaseAt(machine.world.actors, walker.actor)] === PHASE.validate;
    return validates ? TOUCHES.link : TOUCHES.own;
  },

  unlinked: () => HOOK.done,
  countsHolders: false,
  locksTeardown: false,
  defersFrees: true,

  /** Pointers of actors that walk no more do not change, nor do those of levels at which no table hangs below another. */
  asksInPrivate(machine: PolicyMachine, worker: Walker, mayWalk: (actor: number) => boolean): boolean {
    const cursor = machine.policyWords(worker)[cursorAt(machine.world.actors)]!;
    return cursor % LEVELS <= machine.stage2(worker).shape.startLevel || !mayWalk(Math.floor(cursor / LEVELS));
  },

  /** Reads one hazard pointer a step; one that protects the sub-tree ends the scan, which starts anew once it is cleared. */
  mayReclaim(machine: PolicyMachine, worker: Walker): number {
    const policyWords = machine.policyWords(worker);
    const { retired, retiredHead } = machine.stage2(worker);
    const { actors } = machine.world;
    const at = cursorAt(actors);
    const cursor = policyWords[at]!;
    const table = retired[retiredHead]!;
    const found = policyWords[cursor] === table + 1;
    machine.noteTable(worker, K.hazardScanned, cursor % LEVELS, table, Math.floor(cursor / LEVELS), found ? 1 : 0);
    const last = cursor + 1 === actors * LEVELS;
    policyWords[at] = found || last ? 0 : cursor + 1;
    if (!found) return last ? HOOK.done : HOOK.again;
    policyWords[at + 1] = table + 1;
    return HOOK.wait;
  },
};

function clear(machine: PolicyMachine, walker: Walker, table: number): void {
  const policyWords = machine.policyWords(walker);
  machine.noteTable(walker, K.hazardCleared, walker.level, table, 0, 0);
  policyWords[pointerAt(walker.actor, walker.level)] = 0;
  const awaited = cursorAt(machine.world.actors) + 1;
  if (policyWords[awaited] !== table + 1) return;
  policyWords[awaited] = 0;
  machine.wake(machine.reclaimActor);
}
