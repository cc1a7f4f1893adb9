import { setImmediate, setTimeout } from 'node:timers/promises';
import type { EventSink, Frame } from '@s2lab/events';
import { wide } from '@s2lab/events';
import { Pace } from './control/pace.ts';

/** What gives frames, up to a limit of virtual time: a FleetRun. The rows of a frame are reused by the next call. */
export interface FrameProducer {
  nextFrame(limitNs: number): Frame | undefined;
  /** Stops every machine that still runs: the last events of each, a frame a call. */
  interrupt(): Frame | undefined;
  readonly done: boolean;
  /** Virtual time of the machine that is furthest behind, ns; Infinity when all have stopped. */
  readonly nowNs: number;
}

/** How fast and how long to pump. */
export interface PumpOptions {
  /** Virtual seconds per wall second, 0 = as fast as it goes; a Pace may be changed while the pump runs. */
  readonly speed: number | Pace;
  /** Virtual time at which to stop all machines; absent = when all workloads are done. */
  readonly untilNs?: number | undefined;
  /** Stops the pump between two frames. */
  readonly signal?: AbortSignal | undefined;
}

/** How a pump came to its end. */
export interface PumpOutcome {
  readonly frames: number;
  readonly events: number;
  /** Virtual time of the last event. */
  readonly virtualNs: number;
  /** The signal stopped it before the end. */
  readonly interrupted: boolean;
}

/** Wall milliseconds between two looks at the clock when time is paced. */
const BEAT_MS = 100;

/** Wall milliseconds after which timers, signals and streams get their turn. */
const TURN_MS = 15;

/**
 * Runs the fleet and gives every frame to every sink. The next frame is made when all sinks have the last: a slow sink stops
 * simulated time, and nothing is dropped.
 * @throws what a sink rejects with; later frames are then not made
 */
export async function pump(fleet: FrameProducer, sinks: readonly EventSink[], options: PumpOptions): Promise<PumpOutcome> {
  const untilNs = options.untilNs ?? Infinity;
  const { signal } = options;
  const pace = typeof options.speed === 'number' ? new Pace(options.speed) : options.speed;
  const total = { frames: 0, events: 0, virtualNs: 0 };
  const turns = new Turns();
  const hand = async (frame: Frame): Promise<void> => {
    const { length, at } = frame.rows;
    await deliver(frame, sinks);
    total.frames += 1;
    total.events += length;
    total.virtualNs = Math.max(total.virtualNs, wide(at, length - 1));
  };
  /** Everything before `limitNs`, unless the signal is raised or the pace changes meanwhile. */
  const drain = async (limitNs: number, changes: number): Promise<void> => {
    while (signal?.aborted !== true && pace.changes === changes) {
      const frame = fleet.nextFrame(limitNs);
      if (frame === undefined) return;
      await hand(frame);
      await turns.take();
    }
  };
  await follow(fleet, untilNs, pace, signal, drain);
  const interrupted = signal?.aborted === true && !fleet.done;
  // Machines that were stopped before their end say so in the log.
  for (let frame = fleet.interrupt(); frame !== undefined; frame = fleet.interrupt()) await hand(frame);
  return { ...total, interrupted };
}

/** Lets virtual time follow wall time at the pace of the moment. Time that a pause, a slow sink or a busy machine took is not caught up with. */
async function follow(
  fleet: FrameProducer,
  untilNs: number,
  pace: Pace,
  signal: AbortSignal | undefined,
  drain: (limitNs: number, changes: number) => Promise<void>,
): Promise<void> {
  let limitNs = 0;
  let last = performance.now();
  while (!fleet.done && limitNs < untilNs && signal?.aborted !== true) {
    const { changes } = pace;
    if (pace.paused) {
      await pace.changed(signal);
      last = performance.now();
      continue;
    }
    const now = performance.now();
    const elapsedMs = Math.min(2 * BEAT_MS, Math.max(1, now - last));
    last = now;
    limitNs = pace.speed === 0 ? untilNs : Math.min(untilNs, Math.floor(limitNs + elapsedMs * 1e6 * pace.speed));
    await drain(limitNs, changes);
    if (pace.changes !== changes) {
      limitNs = Math.min(limitNs, fleet.nowNs); // the old pace may have aimed far ahead
      continue;
    }
    if (fleet.done) return;
    const restMs = Math.max(0, BEAT_MS - (performance.now() - now));
    await setTimeout(restMs, undefined, signal === undefined ? {} : { signal }).catch(ignoreAbort);
  }
}

/** One frame to all sinks at once; their rows are free again when all have it. */
async function deliver(frame: Frame, sinks: readonly EventSink[]): Promise<void> {
  if (sinks.length === 1) return sinks[0]!.write(frame);
  const outcomes = await Promise.allSettled(sinks.map((sink) => sink.write(frame)));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Gives the event loop its turn every so often: sinks in memory never leave it to itself. */
class Turns {
  private last = performance.now();

  async take(): Promise<void> {
    if (performance.now() - this.last < TURN_MS) return;
    await setImmediate();
    this.last = performance.now();
  }
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
}
