import type { Command, StateWords, Workload } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';

/** Fields of a command; those left out are 0. */
export type Request = Readonly<Partial<Omit<Command, 'kind'>> & { kind: number }>;

/** What the actors of a machine do: each its requests in order, and then nothing more. One actor may be given a request ahead of all. */
export class Script implements Workload {
  private readonly requests: readonly (readonly Request[])[];
  private readonly position: Int32Array;
  private ahead: Request | undefined;

  /** @param requests of each vCPU, then of the VMM thread */
  constructor(requests: readonly (readonly Request[])[]) {
    this.requests = requests;
    this.position = new Int32Array(requests.length);
  }

  /** The next actor that asks is given `request` before its own. */
  first(request: Request): void {
    this.ahead = request;
  }

  /** Whether the actor has no more requests. */
  isOver(actor: number): boolean {
    return this.position[actor] === (this.requests[actor]?.length ?? 0);
  }

  /** What the actor will still ask for. */
  left(actor: number): readonly Request[] {
    return (this.requests[actor] ?? []).slice(this.position[actor]);
  }

  /** Whether anybody asks for `kind` at any time. */
  asks(kind: number): boolean {
    return this.requests.some((each) => each.some((request) => request.kind === kind));
  }

  /** What the actor asks for next; undefined when it has no more. */
  upcoming(actor: number): Request | undefined {
    return this.requests[actor]?.[this.position[actor]!];
  }

  next(actor: number, _nowNs: number, _lastResult: number, command: Command): void {
    if (this.ahead !== undefined) {
      Object.assign(command, this.ahead);
      this.ahead = undefined;
    } else if (this.isOver(actor)) {
      command.kind = COMMAND.done;
    } else {
      Object.assign(command, this.upcoming(actor));
      this.position[actor]! += 1;
    }
  }

  /** Whether two actors have the same to do, all in all. */
  isAlike(a: number, b: number): boolean {
    return JSON.stringify(this.requests[a]) === JSON.stringify(this.requests[b]);
  }

  /** Exchanges how far two actors have come. */
  swap(a: number, b: number): void {
    [this.position[a], this.position[b]] = [this.position[b]!, this.position[a]!];
  }

  save(into: StateWords): void {
    into.putAll(this.position);
  }

  load(from: StateWords): void {
    from.getAll(this.position);
  }
}
