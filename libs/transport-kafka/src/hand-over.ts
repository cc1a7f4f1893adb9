/**
 * Hands items from one side to the other, one at a time: `put` resolves when the taker has asked for the next item after it, so an item
 * and the memory behind it stay valid while the taker works on it, and a slow taker holds the giver back.
 */
export class HandOver<T> {
  private readonly offered: { readonly item: T; readonly taken: (done: true) => void }[] = [];
  private working: ((done: true) => void) | undefined;
  private waiting: { readonly resolve: (item: T | undefined) => void; readonly reject: (cause: unknown) => void } | undefined;
  private failure: { readonly cause: unknown } | undefined;
  private ended = false;

  /** Offers an item; resolves with true when the taker is done with it, or nothing is taken any more. */
  put(item: T): Promise<true> {
    if (this.ended || this.failure !== undefined) return Promise.resolve(true);
    return new Promise((taken) => {
      this.offered.push({ item, taken });
      this.serve();
    });
  }

  /** The next item, in the order of `put`; undefined after `end`. @throws what `fail` was given */
  take(): Promise<T | undefined> {
    this.working?.(true);
    this.working = undefined;
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.serve();
    });
  }

  /** Nothing is given any more: items that were not taken are dropped. */
  end(): void {
    this.ended = true;
    this.release();
  }

  /** The giver cannot go on: the taker gets `cause`. */
  fail(cause: unknown): void {
    this.failure ??= { cause };
    this.release();
  }

  private release(): void {
    this.working?.(true);
    this.working = undefined;
    for (const { taken } of this.offered.splice(0)) taken(true);
    this.serve();
  }

  private serve(): void {
    const { waiting } = this;
    if (waiting === undefined) return;
    const next = this.offered.shift();
    if (next === undefined && !this.ended && this.failure === undefined) return;
    this.waiting = undefined;
    if (next !== undefined) {
      this.working = next.taken;
      waiting.resolve(next.item);
    } else if (this.failure !== undefined && !this.ended) {
      waiting.reject(this.failure.cause);
    } else {
      waiting.resolve(undefined);
    }
  }
}
