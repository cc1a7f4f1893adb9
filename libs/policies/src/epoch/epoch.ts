import { K, LOCK_MODE } from '@s2lab/events';
import type { PolicyMachine, ReclaimPolicy, Stage2, Walker } from '@s2lab/engine';
import { HOOK, TOUCHES } from '@s2lab/engine';

/*
 * The words: what each actor announces (epoch + 1, 0 = it reads no tables), then what each actor read of the global epoch on its way in
 * (epoch + 1, 0 = nothing yet), then where the worker's scan stands, then the actor + 1 whose withdrawal the worker waits for.
 */
const announcedAt = (actor: number): number => actor;
const readAt = (actors: number, actor: number): number => actors + actor;
const cursorAt = (actors: number): number => 2 * actors;

/** A sub-tree retired in epoch r is out of everybody's sight in epoch r + 2. */
const EPOCHS_TO_PASS = 2;
/** Stands for each epoch that is over where epochs are counted from 0 again: its number + 1, which no epoch has. */
const OVER = -1;

/**
 * Epoch-based reclamation, RCU by hand and so usable at EL2: a walker announces the global epoch while it reads tables; the epoch goes up
 * only when every announced one equals it; a sub-tree retired in epoch r is freed in epoch r + 2.
 * @source K. Fraser, "Practical lock-freedom", UCAM-CL-TR-579 (2004), 5.2.3; crossbeam-epoch
 */
export const epoch: ReclaimPolicy = {
  name: 'epoch',
  summary: 'walkers announce a global epoch; an unlinked sub-tree is freed two epochs later (RCU by hand, usable at EL2)',
  capabilities: { needsRcu: false, usableAtEl2: true, collapsesInParallel: true },
  faultLock: LOCK_MODE.read,
  stateWords: (actors) => 2 * actors + 2,

  /** An epoch that was read or announced is the present one, or never will be again. Of whom the scan has passed it is looked at in the next epoch at the soonest: it is over then. */
  rebaseEpochs(words: Int32Array, actors: number, stage2: Stage2): void {
    const cursor = words[cursorAt(actors)]!;
    for (let i = 0; i < cursorAt(actors); i += 1) {
      const isPresent = words[i] === stage2.gracePeriod + 1 && i % actors >= cursor;
      if (words[i] !== 0) words[i] = isPresent ? 1 : OVER;
    }
    stage2.rebaseGracePeriods(1 - EPOCHS_TO_PASS);
  },

  forgetReaders(words: Int32Array, actors: number): void {
    for (let actor = 0; actor < actors; actor += 1) {
      words[announcedAt(actor)] = 0;
      const read = readAt(actors, actor);
      if (words[read] !== 0) words[read] = OVER;
    }
  },

  guardsWalks: true,

  enter(machine: PolicyMachine, walker: Walker): number {
    const policyWords = machine.policyWords(walker);
    const stage2 = machine.stage2(walker);
    const read = readAt(machine.world.actors, walker.actor);
    const seen = policyWords[read]!;
    if (seen === 0) {
      policyWords[read] = stage2.gracePeriod + 1;
      machine.note(walker, K.epochRead, 0, stage2.gracePeriod, 0);
      return HOOK.again;
    }
    policyWords[read] = 0;
    machine.storeWord(walker, announcedAt(walker.actor), seen, K.epochAnnounced, 0, 0, seen - 1);
    // The tables are read only once everybody can see the announcement.
    machine.fence(walker);
    return HOOK.done;
  },

  exit(machine: PolicyMachine, walker: Walker): number {
    const policyWords = machine.policyWords(walker);
    machine.note(walker, K.epochWithdrawn, 0, policyWords[announcedAt(walker.actor)]! - 1, 0);
    policyWords[announcedAt(walker.actor)] = 0;
    const awaited = cursorAt(machine.world.actors) + 1;
    if (policyWords[awaited] === walker.actor + 1) {
      policyWords[awaited] = 0;
      machine.wake(machine.reclaimActor);
    }
    return HOOK.done;
  },

  tracksTables: false,
  descend: () => HOOK.done,
  ascend: () => HOOK.done,
  touches: () => TOUCHES.own,
  unlinked: () => HOOK.done,
  countsHolders: false,
  locksTeardown: false,
  defersFrees: true,

  /** What an actor announces matters while it may still change; one that is behind wakes the worker when it withdraws, and is looked at again. */
  asksInPrivate(machine: PolicyMachine, worker: Walker, mayWalk: (actor: number) => boolean): boolean {
    const policyWords = machine.policyWords(worker);
    const stage2 = machine.stage2(worker);
    const { actors } = machine.world;
    if (stage2.gracePeriod >= stage2.retired[stage2.retiredHead + 2]! - 1 + EPOCHS_TO_PASS) return true;
    const cursor = policyWords[cursorAt(actors)]!;
    if (cursor === actors) return false;
    const announced = policyWords[announcedAt(cursor)]!;
    return !mayWalk(cursor) || (announced !== 0 && announced !== stage2.gracePeriod + 1);
  },

  /** Moves the global epoch on, one announcement read a step, until the oldest sub-tree of the limbo list may be freed. */
  mayReclaim(machine: PolicyMachine, worker: Walker): number {
    const policyWords = machine.policyWords(worker);
    const stage2 = machine.stage2(worker);
    const { actors } = machine.world;
    // The stage-2 notes of each retired sub-tree the number after the one current then.
    const retiredIn = stage2.retired[stage2.retiredHead + 2]! - 1;
    if (stage2.gracePeriod >= retiredIn + EPOCHS_TO_PASS) return HOOK.done;
    const at = cursorAt(actors);
    const cursor = policyWords[at]!;
    if (cursor === actors) {
      policyWords[at] = 0;
      machine.note(worker, K.epochAdvanced, 0, stage2.gracePeriod + 1, 0);
      return HOOK.again;
    }
    const announced = policyWords[announcedAt(cursor)]!;
    machine.note(worker, K.epochScanned, 0, announced, cursor);
    if (announced !== 0 && announced !== stage2.gracePeriod + 1) {
      policyWords[at + 1] = cursor + 1;
      return HOOK.wait;
    }
    policyWords[at] = cursor + 1;
    return HOOK.again;
  },
};
