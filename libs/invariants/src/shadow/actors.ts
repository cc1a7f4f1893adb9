import { grown } from './tables.ts';

/** Walks an actor may have open at once: a split walk builds a sub-tree with a walk of its own. */
const NESTING = 4;
/** Levels remembered of the path an actor walked down. */
const LEVELS = 5;

/** Per actor: read section, open walks and operations, lock mode, and which tables it came down through. */
export class Actors {
  count = 0;
  private capacity = 0;
  /** Time of the actor's last event, ns. */
  lastAt = new Float64Array(0);
  /** 1 while the actor is inside a read-side section, which began at `sectionSince`. */
  inSection = new Uint8Array(0);
  sectionSince = new Float64Array(0);
  /** Stage-2 whose tables the section is for. */
  sectionStage2 = new Uint16Array(0);
  openSections = 0;
  /** By stage-2 and actor: LOCK_MODE in which the actor holds the lock of that stage-2, 0 = not at all. */
  private readonly lockModes: Uint8Array[] = [];
  /** Operations, faults and reclaims the actor has open. */
  openOperations = new Uint8Array(0);
  /** OPERATION that the actor has begun last. */
  operation = new Uint8Array(0);
  /** ACCESS of the actor's last fault. */
  access = new Uint8Array(0);
  openWalks = new Uint8Array(0);
  walkOp = new Uint8Array(0);
  walkFlags = new Uint32Array(0);
  walkIpa = new Float64Array(0);
  walkBytes = new Float64Array(0);
  walkPa = new Float64Array(0);
  walkSince = new Float64Array(0);
  /** 1 while no other actor had a walk open since this one began. */
  walkAlone = new Uint8Array(0);
  pathFrame = new Int32Array(0);
  pathGeneration = new Uint32Array(0);
  pathSeq = new Float64Array(0);
  /** Actors with at least one open walk. */
  walking = 0;

  /** Makes room for `actor`. */
  see(actor: number): void {
    if (actor < this.count) return;
    this.count = actor + 1;
    if (actor < this.capacity) return;
    this.grow(Math.max(8, 2 * this.capacity, actor + 1));
  }

  /** LOCK_MODE in which `actor` holds the lock of `stage2`, 0 = not at all. */
  lockMode(actor: number, stage2: number): number {
    return this.lockModes[stage2]?.[actor] ?? 0;
  }

  /** `actor` holds the lock of `stage2` in `mode` now, 0 = not any more. */
  holdLock(actor: number, stage2: number, mode: number): void {
    let modes = this.lockModes[stage2];
    if (modes === undefined || actor >= modes.length) {
      modes = grown(modes ?? new Uint8Array(0), new Uint8Array(this.capacity));
      this.lockModes[stage2] = modes;
    }
    modes[actor] = mode;
  }

  /** Index of the innermost open walk of `actor` in the `walk…` arrays, or -1. */
  top(actor: number): number {
    const open = this.openWalks[actor]!;
    return open === 0 ? -1 : actor * NESTING + open - 1;
  }

  /** Opens a walk. Deeper nesting than four replaces the innermost. */
  beginWalk(actor: number, op: number, flags: number, ipa: number, bytes: number, pa: number, seq: number): void {
    const open = this.openWalks[actor]!;
    if (open === 0) {
      this.walking += 1;
      this.forgetPath(actor);
      if (this.walking > 1) this.walkAlone.fill(0);
    }
    if (open < NESTING) this.openWalks[actor] = open + 1;
    const at = this.top(actor);
    this.walkOp[at] = op;
    this.walkFlags[at] = flags;
    this.walkIpa[at] = ipa;
    this.walkBytes[at] = bytes;
    this.walkPa[at] = pa;
    this.walkSince[at] = seq;
    this.walkAlone[at] = this.walking === 1 ? 1 : 0;
  }

  /** Closes the innermost walk. */
  endWalk(actor: number): void {
    const open = this.openWalks[actor]!;
    if (open === 0) return;
    this.openWalks[actor] = open - 1;
    if (open === 1) this.walking -= 1;
  }

  /** Closes every walk: what encloses them has ended. */
  endAllWalks(actor: number): void {
    if (this.openWalks[actor]! > 0) this.walking -= 1;
    this.openWalks[actor] = 0;
  }

  /** Whether the actor has neither a walk nor an operation open: whatever it owed must be done. */
  idle(actor: number): boolean {
    return this.openWalks[actor] === 0 && this.openOperations[actor] === 0;
  }

  /** Remembers that `actor` came by table `frame` (of `generation`) for `level`. */
  reach(actor: number, level: number, frame: number, generation: number, seq: number): void {
    if (level < 0 || level >= LEVELS) return;
    const at = actor * LEVELS + level;
    this.pathFrame[at] = frame;
    this.pathGeneration[at] = generation;
    this.pathSeq[at] = seq;
  }

  /** A new walk starts from the root: what the last one came by does not count. */
  forgetPath(actor: number): void {
    for (let at = actor * LEVELS; at < (actor + 1) * LEVELS; at++) this.pathFrame[at] = -1;
  }

  /** Index in the `path…` arrays where `actor` keeps the table it reached for `level`. */
  path(actor: number, level: number): number {
    return actor * LEVELS + (level < 0 || level >= LEVELS ? 0 : level);
  }

  private grow(size: number): void {
    this.capacity = size;
    this.lastAt = grown(this.lastAt, new Float64Array(size));
    this.inSection = grown(this.inSection, new Uint8Array(size));
    this.sectionSince = grown(this.sectionSince, new Float64Array(size));
    this.sectionStage2 = grown(this.sectionStage2, new Uint16Array(size));
    this.openOperations = grown(this.openOperations, new Uint8Array(size));
    this.operation = grown(this.operation, new Uint8Array(size));
    this.access = grown(this.access, new Uint8Array(size));
    this.openWalks = grown(this.openWalks, new Uint8Array(size));
    const walks = size * NESTING;
    this.walkOp = grown(this.walkOp, new Uint8Array(walks));
    this.walkFlags = grown(this.walkFlags, new Uint32Array(walks));
    this.walkIpa = grown(this.walkIpa, new Float64Array(walks));
    this.walkBytes = grown(this.walkBytes, new Float64Array(walks));
    this.walkPa = grown(this.walkPa, new Float64Array(walks));
    this.walkSince = grown(this.walkSince, new Float64Array(walks));
    this.walkAlone = grown(this.walkAlone, new Uint8Array(walks));
    this.pathFrame = grown(this.pathFrame, new Int32Array(size * LEVELS).fill(-1));
    this.pathGeneration = grown(this.pathGeneration, new Uint32Array(size * LEVELS));
    this.pathSeq = grown(this.pathSeq, new Float64Array(size * LEVELS));
  }
}
