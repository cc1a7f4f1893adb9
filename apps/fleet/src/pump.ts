import { setImmediate, setTimeout } from 'node:timers/promises';
import type { EventSink, Frame } from '@s2lab/events';
import { wide } from '@s2lab/events';

/** What gives frames, up to a limit of virtual time: a FleetRun. The rows of a frame are reused by the next call. */
export interface FrameProducer {
  nextFrame(limitNs: number): Frame | undefined;
  /** Stops every machine that still runs: the last events of each, a frame a call. */
  interrupt(): Frame | undefined;
  readonly done: boolean;
}

/** How fast and how long to pump. */
export interface PumpOptions {
  /** Virtual seconds per wall second; 0 = as fast as it goes. */
  readonly speed: number;
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
  const { signal, speed } = options;
  const total = { frames: 0, events: 0, virtualNs: 0 };
  const turns = new Turns();
  const hand = async (frame: Frame): Promise<void> => {
    const { length, at } = frame.rows;
    await deliver(frame, sinks);
    total.frames += 1;
    total.events += length;
    total.virtualNs = Math.max(total.virtualNs, wide(at, length - 1));
  };
  const drain = async (limitNs: number): Promise<void> => {
    for (let frame = nextUnless(signal, fleet, limitNs); frame !== undefined; frame = nextUnless(signal, fleet, limitNs)) {
      await hand(frame);
      await turns.take();
    }
  };
  if (speed === 0) await drain(untilNs);
  else await paced(fleet, untilNs, speed, signal, drain);
  const interrupted = signal?.aborted === true && !fleet.done;
  // Machines that were stopped before their end say so in the log.
  for (let frame = fleet.interrupt(); frame !== undefined; frame = fleet.interrupt()) await hand(frame);
  return { ...total, interrupted };
}

function nextUnless(signal: AbortSignal | undefined, fleet: FrameProducer, limitNs: number): Frame | undefined {
  return signal?.aborted === true ? undefined : fleet.nextFrame(limitNs);
}

/** Lets virtual time follow wall time. Time that a slow sink or a busy machine took is not caught up with. */
async function paced(
  fleet: FrameProducer,
  untilNs: number,
  speed: number,
  signal: AbortSignal | undefined,
  drain: (limitNs: number) => Promise<void>,
): Promise<void> {
  let limitNs = 0;
  let last = performance.now();
  while (!fleet.done && limitNs < untilNs && signal?.aborted !== true) {
    const now = performance.now();
    const elapsedMs = Math.min(2 * BEAT_MS, Math.max(1, now - last));
    last = now;
    limitNs = Math.min(untilNs, Math.floor(limitNs + elapsedMs * 1e6 * speed));
    await drain(limitNs);
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
