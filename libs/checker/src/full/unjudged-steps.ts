/** A step from one state to another: where it leads, and the number of the order in which actors stand there. */
export interface Step {
  readonly to: number;
  readonly order: number;
}

/** The step of an actor from state `id`. */
export interface Made {
  readonly id: number;
  readonly actor: number;
}

/** A step that was made: whose it is, and where it led. */
export interface MadeStep extends Made, Step {}

/** Most steps that one path judges. */
const PATH_MAX = 400;

/** Whether `a` is made before `b` where states are expanded in the order of their numbers. */
export function isBefore(a: Made, b: Made): boolean {
  return a.id < b.id || (a.id === b.id && a.actor < b.actor);
}

/**
 * Steps of a search that no rule has judged yet. One path may judge many of them: it goes on by steps of this kind as long as there are any,
 * whether or not the search came by them to where they lead.
 */
export class UnjudgedSteps {
  /** How many there are. */
  count = 0;
  private readonly actors: number;
  /** By state: one bit for each actor whose step from there is one. */
  private left = new Uint32Array(0);
  private to = new Int32Array(0);
  private orders = new Uint16Array(0);
  private last = -1;
  private first = 0;

  constructor(actors: number) {
    this.actors = actors;
    this.grow(1 << 10);
  }

  /** The step of `actor` from state `id` is to be judged. */
  add(id: number, actor: number, { to, order }: Step): void {
    if (id >= this.left.length) this.grow(2 * id);
    const at = id * this.actors + actor;
    this.left[id]! |= 1 << actor;
    this.to[at] = to;
    this.orders[at] = order;
    this.count += 1;
    this.last = Math.max(this.last, id);
    this.first = Math.min(this.first, id);
  }

  /** It is judged, if it was to be. */
  remove(id: number, actor: number): void {
    if (id >= this.left.length || (this.left[id]! & (1 << actor)) === 0) return;
    this.left[id]! &= ~(1 << actor);
    this.count -= 1;
  }

  /** The state found last from which there is one. */
  get deepest(): number {
    while (this.left[this.last] === 0) this.last -= 1;
    return this.last;
  }

  /** The state found first from which there is one. */
  get earliest(): number {
    while (this.left[this.first] === 0) this.first += 1;
    return this.first;
  }

  /** Takes steps from state `id` on, each from where the one before it led, as long as there are any. */
  takePath(id: number): readonly MadeStep[] {
    const path: MadeStep[] = [];
    for (let from = id; path.length < PATH_MAX; from = path.at(-1)!.to) {
      const bits = this.left[from] ?? 0;
      if (bits === 0) break;
      const actor = 31 - Math.clz32(bits);
      this.remove(from, actor);
      const at = from * this.actors + actor;
      path.push({ id: from, actor, to: this.to[at]!, order: this.orders[at]! });
    }
    return path;
  }

  private grow(states: number): void {
    const longer = <T extends Uint32Array | Int32Array | Uint16Array>(into: T, from: T): T => {
      into.set(from as never);
      return into;
    };
    this.left = longer(new Uint32Array(states), this.left);
    this.to = longer(new Int32Array(states * this.actors), this.to);
    this.orders = longer(new Uint16Array(states * this.actors), this.orders);
  }
}
