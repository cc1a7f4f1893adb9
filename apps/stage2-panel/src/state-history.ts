import type { ReceivedState } from './frame-state.ts';

/** States kept: ten minutes at the dashboards' refresh of five seconds. */
const KEPT = 120;

/** The states of one machine that a panel has received, oldest first: what the time cursor can go back to. */
export class StateHistory {
  private states: ReceivedState[] = [];

  /** Adds a state. Another machine or run begins a new history; a state that was received before is passed over. */
  push(received: ReceivedState): void {
    const last = this.states.at(-1);
    const { run, machine } = received.state.origin;
    if (last !== undefined && (last.state.origin.run !== run || last.state.origin.machine !== machine)) this.states = [];
    else if (last !== undefined && received.timeMs <= last.timeMs) return;
    this.states.push(received);
    if (this.states.length > KEPT) this.states.shift();
  }

  /** The last state. */
  latest(): ReceivedState | undefined {
    return this.states.at(-1);
  }

  /** The state that held at a moment: the last one received by then, the first one for a moment before all. */
  at(timeMs: number): ReceivedState | undefined {
    return this.states.findLast((received) => received.timeMs <= timeMs) ?? this.states[0];
  }

  /** All that is kept. */
  all(): readonly ReceivedState[] {
    return this.states;
  }
}
