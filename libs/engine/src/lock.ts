import { LOCK_MODE } from '@s2lab/events';

/**
 * A fair read-write lock: who must wait is queued in order of arrival (kernel: a queued rwlock; a spinlock is one taken for write only).
 * Changed by events only.
 */
export class Lock {
  readers = 0;
  /** Actor that holds it for write, -1 none. */
  writer = -1;
  /** Waiting actors in order of arrival, and the mode each waits for. */
  readonly waiting: Int32Array;
  readonly waitingMode: Uint8Array;
  waitingCount = 0;

  /** @param actors how many may wait at once */
  constructor(actors: number) {
    this.waiting = new Int32Array(actors);
    this.waitingMode = new Uint8Array(actors);
  }

  /** Whether `actor` may take the lock now: nobody in its way, and nobody who waits longer. */
  isFree(actor: number, mode: number): boolean {
    if (this.writer >= 0 || (mode === LOCK_MODE.write && this.readers > 0)) return false;
    for (let i = 0; i < this.waitingCount; i += 1) {
      if (this.waiting[i] === actor) return true;
      if (mode === LOCK_MODE.write || this.waitingMode[i] === LOCK_MODE.write) return false;
    }
    return true;
  }

  /** Whether `actor` waits for it. */
  isAwaited(actor: number): boolean {
    for (let i = 0; i < this.waitingCount; i += 1) if (this.waiting[i] === actor) return true;
    return false;
  }

  /** `actor` has it now, and waits no longer. */
  take(actor: number, mode: number): void {
    if (mode === LOCK_MODE.write) this.writer = actor;
    else this.readers += 1;
    for (let i = 0; i < this.waitingCount; i += 1) {
      if (this.waiting[i] !== actor) continue;
      this.waiting.copyWithin(i, i + 1, this.waitingCount);
      this.waitingMode.copyWithin(i, i + 1, this.waitingCount);
      this.waitingCount -= 1;
      return;
    }
  }

  /** Exchanges two actors. */
  swap(a: number, b: number): void {
    const swapped = (actor: number): number => (actor === a ? b : actor === b ? a : actor);
    this.writer = swapped(this.writer);
    for (let i = 0; i < this.waitingCount; i += 1) this.waiting[i] = swapped(this.waiting[i]!);
  }

  /** Its holder lets go of it. */
  release(mode: number): void {
    if (mode === LOCK_MODE.write) this.writer = -1;
    else this.readers -= 1;
  }

  /** `actor` waits for it. */
  wait(actor: number, mode: number): void {
    this.waiting[this.waitingCount] = actor;
    this.waitingMode[this.waitingCount] = mode;
    this.waitingCount += 1;
  }
}
