import { isTable, LAST_LEVEL } from '@s2lab/arch';
import type { Walker } from '@s2lab/engine';
import { COMMAND, PC, TOUCHES } from '@s2lab/engine';
import { LOCK_MODE } from '@s2lab/events';
import type { Subject } from './subject.ts';

/*
 * What the next step of an actor touches of what actors share, told from its registers before it is made. Two steps commute if they may be made in
 * either order: the same state, and nothing for a rule to tell the two apart. What is not listed here commutes with nothing. The local steps
 * that follow a step commute with everything, or they would not be local.
 */

/** Kinds of steps that do not commute with some others, wherever those are: one bit each. */
const KIND = {
  /** A leaf of the last level is written. */
  leaf: 1,
  /** A link or a block is written: what can be reached changes. */
  link: 2,
  /** A link is taken away. */
  unlink: 4,
  /** An invalidation takes effect. */
  flush: 8,
  /** A guest goes by what is cached, or by the live tables. */
  guest: 16,
  /** The lock is taken or let go to read, while nobody wants it to write. */
  lockShared: 32,
  lockAlone: 64,
  /** A walker says that it comes in, or that it goes; the reclaim worker looks who is in. */
  enter: 128,
  leave: 256,
  ask: 512,
  /** A page is handed out, or one that was never linked is given back. */
  frame: 1024,
  /** A page is freed that was linked. */
  free: 2048,
  retire: 4096,
} as const;

type Kind = keyof typeof KIND;

/** With which kinds a kind does not commute; both sides say so. Rules look at what is reachable (I3, I11), and at who was in before an unlink (I8). */
const AGAINST: Readonly<Record<Kind, number>> = {
  leaf: KIND.link | KIND.flush | KIND.guest,
  link: KIND.leaf | KIND.link | KIND.flush | KIND.guest | KIND.free,
  unlink: KIND.enter,
  flush: KIND.leaf | KIND.link | KIND.flush | KIND.guest,
  guest: KIND.leaf | KIND.link | KIND.flush | KIND.free,
  lockShared: KIND.lockAlone,
  lockAlone: KIND.lockShared | KIND.lockAlone,
  enter: KIND.unlink | KIND.ask | KIND.free | KIND.retire,
  leave: KIND.ask | KIND.free | KIND.retire,
  ask: KIND.enter | KIND.leave | KIND.ask | KIND.free | KIND.retire,
  frame: KIND.frame | KIND.free,
  free: KIND.link | KIND.guest | KIND.enter | KIND.leave | KIND.ask | KIND.frame | KIND.free | KIND.retire,
  retire: KIND.enter | KIND.leave | KIND.ask | KIND.free | KIND.retire,
};

/** Requests whose beginning sets registers and tells so, no more. */
const BEGINS_ALONE = new Set<number>([
  COMMAND.map,
  COMMAND.unmap,
  COMMAND.wrprotect,
  COMMAND.split,
  COMMAND.age,
  COMMAND.ageRange,
  COMMAND.destroyVm,
]);

const NONE = -1;
/** All slots of a table, and its counts. */
const WHOLE = -1;

/** What one step touches. One object is used for many steps. */
export class Footprint {
  /** Whether all that it touches is known. */
  private known = false;
  private kinds = 0;
  private against = 0;
  private readTable = NONE;
  private readSlot = 0;
  /** The table that the slot it reads leads to. */
  private leadsTo = NONE;
  private writtenTable = NONE;
  private writtenSlot = WHOLE;
  /** The table whose holders it counts. */
  private heldTable = NONE;

  /** Says what the next step of `walker` touches. */
  tell(subject: Subject, walker: Walker): void {
    this.known = true;
    this.kinds = 0;
    this.against = 0;
    this.readTable = NONE;
    this.leadsTo = NONE;
    this.writtenTable = NONE;
    this.heldTable = NONE;
    this.tellDescriptor(subject, walker);
  }

  /** Whether the two steps may be made in either order. */
  commutes(other: Footprint): boolean {
    if (!this.known || !other.known || (this.kinds & other.against) !== 0) return false;
    if (this.heldTable !== NONE && this.heldTable === other.heldTable) return false;
    return !this.disturbs(other) && !other.disturbs(this);
  }

  /** Whether this step writes where the other one looks or writes. */
  private disturbs(other: Footprint): boolean {
    const { writtenTable: table, writtenSlot: slot } = this;
    if (table === NONE) return false;
    const touches = other.readTable === table || other.leadsTo === table || other.writtenTable === table || other.heldTable === table;
    if (slot === WHOLE) return touches;
    return (other.readTable === table && other.readSlot === slot) || (other.writtenTable === table && other.writtenSlot === slot);
  }

  private tellDescriptor(subject: Subject, walker: Walker): void {
    const { pc, table, slot, level } = walker;
    switch (pc) {
      case PC.walkRead:
      case PC.walkReread:
        this.reads(subject, table, slot);
        return;
      case PC.mapBreak:
      case PC.unmapClearTable:
        if (pc === PC.unmapClearTable || isTable(walker.oldLo, level)) this.is('unlink');
        this.stores(walker);
        return;
      case PC.mapMake:
      case PC.mapSoftwareStore:
      case PC.unmapClear:
      case PC.attributesSet:
      case PC.ageSet:
        this.stores(walker);
        return;
      case PC.flushSync:
      case PC.flushLast:
        this.is('flush');
        return;
      case PC.guestRead:
      case PC.guestAccess:
        this.is('guest');
        return;
      default:
        this.tellPage(subject, walker);
    }
  }

  private tellPage(subject: Subject, walker: Walker): void {
    switch (walker.pc) {
      case PC.mapAllocate:
        this.is('frame');
        this.writes(subject.machine.world.pages.nextFrame(), WHOLE);
        return;
      case PC.mapPutChild:
        this.is('frame');
        this.writes(walker.child, WHOLE);
        return;
      case PC.freeRootCount:
      case PC.freeLeaf:
        this.writes(walker.table, WHOLE);
        return;
      case PC.freeRootPut:
        this.is('free');
        this.writes(walker.table, WHOLE);
        return;
      default:
        this.tellWalk(subject, walker);
    }
  }

  private tellWalk({ machine, script }: Subject, walker: Walker): void {
    switch (walker.pc) {
      // It reads the root, which nothing changes that is listed here.
      case PC.walkBegin:
        return;
      case PC.lockAcquire:
      case PC.lockRelease: {
        const { writer, waitingCount } = machine.world.lockOf(walker.vmid, walker.lock);
        this.is(walker.lockMode === LOCK_MODE.read && writer < 0 && waitingCount === 0 ? 'lockShared' : 'lockAlone');
        return;
      }
      case PC.idle: {
        const kind = script.upcoming(walker.actor)?.kind ?? COMMAND.done;
        if (kind === COMMAND.access) this.is('guest');
        else this.known = kind === COMMAND.done || BEGINS_ALONE.has(kind);
        return;
      }
      default:
        this.tellHook(walker, machine.policyOf(walker).touches?.(machine, walker) ?? TOUCHES.anything, machine.oldChild(walker));
    }
  }

  /** A hook of the policy; `touches` is what the policy says of it. */
  private tellHook(walker: Walker, touches: number, unlinked: number): void {
    this.known = (touches & TOUCHES.anything) === 0;
    switch (walker.pc) {
      case PC.walkEnter:
        this.is('enter');
        return;
      case PC.walkExit:
        this.is('leave');
        return;
      case PC.walkDescend:
      case PC.walkAscend:
      case PC.walkUnwind:
        this.is('leave');
        if ((touches & TOUCHES.holders) !== 0) this.heldTable = walker.table;
        if ((touches & TOUCHES.link) === 0) return;
        this.readTable = walker.parentTable;
        this.readSlot = walker.parentSlot;
        this.leadsTo = walker.table;
        return;
      case PC.reclaimAsk:
        this.is('ask');
        return;
      case PC.mapRetire:
        this.is('retire');
        this.heldTable = unlinked;
        return;
      default:
        this.known = false;
    }
  }

  private is(kind: Kind): void {
    this.kinds |= KIND[kind];
    this.against |= AGAINST[kind];
  }

  private reads({ machine }: Subject, table: number, slot: number): void {
    const { pages } = machine.world;
    const i = pages.indexOf(table, slot);
    const lo = pages.descriptors[i]!;
    this.readTable = table;
    this.readSlot = slot;
    if ((lo & 3) === 3) this.leadsTo = pages.frameOf(lo, pages.descriptors[i + 1]!);
  }

  private stores({ level, table, slot }: Walker): void {
    this.is(level === LAST_LEVEL ? 'leaf' : 'link');
    this.writes(table, slot);
  }

  private writes(table: number, slot: number): void {
    this.writtenTable = table;
    this.writtenSlot = slot;
  }
}
