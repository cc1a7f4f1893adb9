import { isLocked } from '@s2lab/arch';
import { COMPONENT, K, LOCK, LOCK_MODE, WALK_FLAG } from '@s2lab/events';
import type { ReadEvent, Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { grown } from '../shadow/tables.ts';
import { OPEN } from '../shadow/world.ts';
import type { World } from '../shadow/world.ts';
import { actorName, remembered } from '../words.ts';

/** `machineKind` of recordings of the page-table library alone, where only callers that run at once, as vCPUs, take locks. */
const WITHOUT_LOCKS = 'library';
/** `machineKind` of a machine whose VMID 0 is the host's stage-2; its policy may be another one, named after that of the guests. */
const WITH_HOST = 'pkvm';
const POLICY_SEPARATOR = '+';
/** VMID of the host's stage-2. */
const HOST = 0;
/** The policies whose shared walks lie in read-side sections. */
const WITH_SECTIONS: readonly string[] = ['rcu', 'epoch'];

/** One lock: who holds it and how. */
export class LockShadow {
  readonly id: number;
  readers = 0;
  writer = -1;
  mode = new Uint8Array(8);
  since = new Float64Array(8);

  constructor(id: number) {
    this.id = id;
  }

  see(actor: number): void {
    if (actor < this.mode.length) return;
    this.mode = grown(this.mode, new Uint8Array(2 * (actor + 1)));
    this.since = grown(this.since, new Float64Array(2 * (actor + 1)));
  }

  /** A holder other than `actor`, or -1. */
  other(actor: number): number {
    for (let a = 0; a < this.mode.length; a++) if (a !== actor && this.mode[a] !== 0) return a;
    return -1;
  }
}

/** I9: locks exclude, and who must hold one does. */
export const locks: Rule = {
  id: 'I9',
  name: 'one writer or many readers',
  prose:
    'A lock has one writer or any number of readers, and is released by who holds it, in the mode it was taken. Plain stores to a table that ' +
    'walkers can reach are made under the write lock; any other write under at least the read lock; never a plain store inside a shared walk or a ' +
    'read-side section. Where the policy has read-side sections, a shared walk reads and swaps descriptors only inside one, and so does whoever holds the lock to read only when it swaps one. ' +
    'In pKVM, what is noted of a page of the host changes under the lock of the host’s stage-2, what is noted for the hypervisor under that of its own map.',
  source:
    'Linux mmu.c (mmu_lock: user_mem_abort() read side, kvm_unmap_gfn_range() write side); hyp/pgtable.c stage2_try_set_pte(), kvm_pgtable_walk_begin()',
  state: 'per lock: its holders and their modes; per actor: mode of the mmu lock, walk flags, read-side section',
  attach(site) {
    const { on, world, origin } = site;
    const known = site.keep((): LockShadow[] => []);
    on.before([K.lockAcquired], (e) => acquire(site, lockOf(known, e), e));
    on.before([K.lockReleased], (e) => release(site, lockOf(known, e), e));
    const hasLocks = origin.machineKind !== WITHOUT_LOCKS;
    on.before([K.pageStateChanged], (e) => {
      const { actors } = world;
      if ((actors.openOperations[e.actor]! & OPEN.operation) === 0) return;
      const isHost = e.arg === COMPONENT.host;
      if (isHost ? actors.lockMode(e.actor, HOST) === 0 : !holds(known, LOCK.hyp, e.actor)) unlockedState(site, e, isHost);
    });
    on.before([K.descriptorStored], (e) => {
      plainStore(site, hasLocks, e);
    });
    on.before([K.descriptorReleased, K.descriptorSwapped], (e) => {
      if ((hasLocks || e.actor < world.vcpus) && world.actors.lockMode(e.actor, e.stage2) === 0) unlockedWrite(site, e);
    });
    const hasHost = origin.machineKind === WITH_HOST;
    const inSections = usesSections(origin.policy);
    const unsectioned = (e: ReadEvent): boolean => world.actors.inSection[e.actor] === 0 && inSections[hasHost && e.stage2 === 0 ? 1 : 0]!;
    if (inSections.includes(true)) {
      on.reads((e) => {
        if (unsectioned(e) && walksShared(world, e)) outsideSection(site, e);
      });
      // Whoever holds the lock to read only is not alone, whatever he calls his walk.
      on.before([K.descriptorSwapped], (e) => {
        if (unsectioned(e) && (walksShared(world, e) || world.actors.lockMode(e.actor, e.stage2) === LOCK_MODE.read))
          outsideSection(site, e);
      });
    }
  },
};

function holds(known: readonly LockShadow[], id: number, actor: number): boolean {
  for (let i = 0; i < known.length; i++) if (known[i]!.id === id) return actor < known[i]!.mode.length && known[i]!.mode[actor] !== 0;
  return false;
}

function unlockedState({ report }: RuleSite, e: EventCursor, isHost: boolean): void {
  report(e, () => ({
    because: `what ${isHost ? 'the host' : 'the hypervisor'} has of a page changed without the lock of ${isHost ? 'its stage-2' : 'its own map'}`,
    witness: [],
  }));
}

/** Whether the policy of the guests, and that of the host, has read-side sections. */
function usesSections(policy: string): readonly boolean[] {
  const [ofGuests = '', ofHost = ofGuests] = policy.split(POLICY_SEPARATOR);
  return [ofGuests, ofHost].map((name) => WITH_SECTIONS.includes(name));
}

/** Each stage-2 has a lock of its own; the others are one each. */
function lockOf(known: LockShadow[], { arg, stage2 }: EventCursor): LockShadow {
  const id = arg === LOCK.mmu ? -1 - stage2 : arg;
  for (let i = 0; i < known.length; i++) if (known[i]!.id === id) return known[i]!;
  const lock = new LockShadow(id);
  // A hostile log may name any number of locks; beyond these it is judged as one.
  if (known.length >= 1024) return known[1023]!;
  known.push(lock);
  return lock;
}

function acquire(site: RuleSite, lock: LockShadow, e: EventCursor): void {
  lock.see(e.actor);
  const writes = e.aux === LOCK_MODE.write;
  const clash = lock.mode[e.actor] !== 0 ? e.actor : lock.writer >= 0 || (writes && lock.readers > 0) ? lock.other(e.actor) : -1;
  if (clash >= 0) stillHeld(site, e, clash, lock.mode[clash]!, lock.since[clash]!);
  forget(lock, e.actor);
  lock.mode[e.actor] = e.aux & 3;
  lock.since[e.actor] = e.seq;
  if (writes) lock.writer = e.actor;
  else lock.readers += 1;
}

function stillHeld({ world, report }: RuleSite, e: EventCursor, holder: number, mode: number, since: number): void {
  const how = mode === LOCK_MODE.write ? 'to write' : 'to read';
  report(e, () => ({
    because: `${actorName(holder, world.vcpus)} still holds the lock ${how}`,
    witness: [remembered(since, world, holder, `took the lock ${how}`)],
  }));
}

function release(site: RuleSite, lock: LockShadow, e: EventCursor): void {
  lock.see(e.actor);
  const held = lock.mode[e.actor]!;
  if (held !== e.aux) notHeld(site, e, held);
  forget(lock, e.actor);
}

function notHeld({ report }: RuleSite, e: EventCursor, held: number): void {
  report(e, () => ({
    because: held === 0 ? 'a lock was released by someone who does not hold it' : 'a lock was released in another mode than it was taken',
    witness: [],
  }));
}

function forget(lock: LockShadow, actor: number): void {
  const held = lock.mode[actor]!;
  if (held === LOCK_MODE.write && lock.writer === actor) lock.writer = -1;
  else if (held !== 0) lock.readers -= 1;
  lock.mode[actor] = 0;
}

function plainStore(site: RuleSite, hasLocks: boolean, e: EventCursor): void {
  const { actors, tables } = site.world;
  const top = actors.top(e.actor);
  const shared = actors.inSection[e.actor] === 1 || (top >= 0 && (actors.walkFlags[top]! & WALK_FLAG.shared) !== 0);
  const locks = hasLocks || e.actor < site.world.vcpus;
  if (!shared && (!locks || actors.lockMode(e.actor, e.stage2) === LOCK_MODE.write)) return;
  // Nobody else writes what the actor itself has locked: that such a store is no release is I15’s matter.
  if (shared && isLocked(e.wasLo, e.wasHi)) return;
  if (e.place >= 0 && tables.reachable(e.place)) plainlyStored(site, e, shared);
}

function plainlyStored({ world, report }: RuleSite, e: EventCursor, shared: boolean): void {
  const { actors } = world;
  const top = actors.top(e.actor);
  report(e, () => ({
    because: shared
      ? 'a shared walk made a plain store to a table that other walkers can reach: it can overwrite what they wrote'
      : `a plain store to a table that other walkers can reach was made without lock ${LOCK.mmu} held to write`,
    witness: shared && top >= 0 ? [remembered(actors.walkSince[top]!, world, e.actor, 'began the walk')] : [],
  }));
}

function unlockedWrite({ world, report }: RuleSite, e: EventCursor): void {
  if (e.place < 0 || !world.tables.reachable(e.place)) return;
  report(e, () => ({ because: 'a table that other walkers can reach was written by someone who holds no lock', witness: [] }));
}

function walksShared({ actors }: World, e: ReadEvent): boolean {
  const top = actors.top(e.actor);
  return top >= 0 && (actors.walkFlags[top]! & WALK_FLAG.shared) !== 0;
}

function outsideSection({ world, report }: RuleSite, e: ReadEvent): void {
  const top = world.actors.top(e.actor);
  report(e, () => ({
    because: 'a shared walk touched a table outside a read-side section: the table may be reclaimed under it',
    witness: top < 0 ? [] : [remembered(world.actors.walkSince[top]!, world, e.actor, 'began the shared walk')],
  }));
}
