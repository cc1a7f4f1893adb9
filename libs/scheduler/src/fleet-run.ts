import type { Frame, FrameOrigin } from '@s2lab/events';
import { EventColumns } from '@s2lab/events';
import type { MachineConfig, ReclaimPolicy, Workload, World } from '@s2lab/engine';
import { Machine } from '@s2lab/engine';
import { MachineRun } from './machine-run.ts';

/** What one machine of a fleet is made of. */
export interface MachineSetup {
  readonly origin: FrameOrigin;
  readonly config: MachineConfig;
  readonly policy: ReclaimPolicy;
  /** Policy of the host's stage-2, under pKVM; absent = `policy`. */
  readonly hostPolicy?: ReclaimPolicy;
  readonly workload: Workload;
}

/**
 * Runs the machines of a fleet, one after the other, a frame at a time. Machines share nothing but the columns their events are
 * written into, so the events of each follow from its own setup alone, however the frames are cut and whatever runs beside it.
 */
export class FleetRun {
  private readonly runs: readonly MachineRun[];
  private readonly columns: EventColumns;
  private turn = 0;
  /** Events of the present turn's machine before the frame in `columns`. */
  private readonly nextSeq: Float64Array;
  private readonly setups: readonly MachineSetup[];

  /** @param frameRows rows of a full frame */
  constructor(machines: readonly MachineSetup[], frameRows?: number) {
    this.setups = machines;
    this.columns = new EventColumns(frameRows);
    this.runs = machines.map((setup) => {
      const { config, policy, workload, hostPolicy } = setup;
      return new MachineRun(new Machine(config, policy, workload, this.columns, hostPolicy));
    });
    this.nextSeq = new Float64Array(machines.length);
  }

  /** Whether every machine has stopped. */
  get done(): boolean {
    return this.runs.every((run) => run.stopped);
  }

  /** Virtual time of the machine that is furthest behind, ns; Infinity when all have stopped. */
  get nowNs(): number {
    return this.runs.reduce((least, run) => Math.min(least, run.stopped ? Infinity : run.nowNs), Infinity);
  }

  /**
   * Runs until one machine's frame is full, or every machine has reached virtual time `limitNs` or stopped.
   * @returns the next frame, whose rows are overwritten by the next call; undefined when nothing is left to do before `limitNs`
   */
  nextFrame(limitNs: number): Frame | undefined {
    for (let tried = 0; tried < this.runs.length; tried += 1) {
      const machine = this.turn;
      const run = this.runs[machine]!;
      this.columns.clear();
      if (!run.stopped) run.runUntil(limitNs);
      // A machine that filled its frame gives way to the next one, so that none runs far ahead.
      this.turn = (machine + 1) % this.runs.length;
      const frame = this.takeFrame(machine);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  /** Stops every machine that still runs: the last events of each, a frame a call, then undefined. */
  interrupt(): Frame | undefined {
    for (let machine = 0; machine < this.runs.length; machine += 1) {
      const run = this.runs[machine]!;
      if (run.stopped) continue;
      this.columns.clear();
      run.interrupt();
      return this.takeFrame(machine);
    }
    return undefined;
  }

  /** The shared state of a machine, to look at between frames. */
  worldOf(machine: number): World {
    return this.runs[machine]!.machine.world;
  }

  private takeFrame(machine: number): Frame | undefined {
    const rows = this.columns.length;
    if (rows === 0) return undefined;
    const firstSeq = this.nextSeq[machine]!;
    this.nextSeq[machine] = firstSeq + rows;
    return { origin: this.setups[machine]!.origin, firstSeq, rows: this.columns };
  }
}
