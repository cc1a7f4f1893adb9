/**
 * How fast virtual time follows wall time; may be changed while a pump runs. It decides when events are made, never which: events follow
 * from scenario, seed and policy alone.
 */
export class Pace {
  private ratio: number;
  private held = false;
  private count = 0;
  private readonly waiting = new Set<() => void>();

  /** @param speed virtual seconds per wall second; 0 = as fast as it goes */
  constructor(speed: number) {
    this.ratio = speed;
  }

  /** Virtual seconds per wall second; 0 = as fast as it goes. */
  get speed(): number {
    return this.ratio;
  }

  /** Virtual time stands still. */
  get paused(): boolean {
    return this.held;
  }

  /** How often the pace was changed: whoever remembers it sees that it was changed since. */
  get changes(): number {
    return this.count;
  }

  /** Another pace, from the next frame on. */
  set(speed: number, paused: boolean): void {
    if (speed === this.ratio && paused === this.held) return;
    this.ratio = speed;
    this.held = paused;
    this.count += 1;
    for (const wake of this.waiting) wake();
  }

  /** Resolves at the next change, or when `signal` is raised. */
  async changed(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      this.waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }
}
