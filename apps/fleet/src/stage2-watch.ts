import type { EventSink, Frame, FrameOrigin } from '@s2lab/events';
import { wide } from '@s2lab/events';
import type { World } from '@s2lab/engine';
import type { MapQuery, MapSource, Stage2State } from '@s2lab/stage2-map';
import { captureStage2 } from '@s2lab/stage2-map';
import { ActorActivity, PendingFrees } from '@s2lab/timeline';
import type { Fleet } from './assemble.ts';

/**
 * Knows the stage-2 of every machine of a run at any moment between two frames: tables and TLBs are the machine's own world, which nobody
 * has to rebuild; where actors stand and which frees are pending is folded from the events. Must get each frame before the next is made.
 */
export class Stage2Watch implements EventSink {
  private readonly machines: ReadonlyMap<number, WatchedMachine>;

  constructor(fleet: Fleet) {
    this.machines = new Map(
      fleet.machines.map((origin, i) => [origin.machine, new WatchedMachine(origin, fleet.producer.worldOf(i))] as const),
    );
  }

  /** Folds a frame, at once: there is nothing to wait for. */
  async write(frame: Frame): Promise<void> {
    this.machines.get(frame.origin.machine)?.fold(frame);
  }

  async close(): Promise<void> {}

  /** Number of the last event of a machine, -1 before its first; undefined when there is no such machine. */
  lastSeqOf(machine: number): number | undefined {
    const watched = this.machines.get(machine);
    return watched === undefined ? undefined : watched.nextSeq - 1;
  }

  /** The stage-2 of a machine now; undefined when there is no such machine. */
  stateOf(machine: number, query: MapQuery): Stage2State | undefined {
    const watched = this.machines.get(machine);
    if (watched === undefined) return undefined;
    const { run, policy, machineKind } = watched.origin;
    return captureStage2(watched, { run, machine, policy, machineKind }, query);
  }
}

/** One machine, as the map wants it. */
class WatchedMachine implements MapSource {
  readonly origin: FrameOrigin;
  readonly world: World;
  readonly actors: ActorActivity;
  readonly pending = new PendingFrees();
  nextSeq = 0;
  at = 0;

  constructor(origin: FrameOrigin, world: World) {
    this.origin = origin;
    this.world = world;
    this.actors = new ActorActivity(world.actors);
  }

  get vcpus(): number {
    return this.world.vcpus;
  }

  childOf(world: World, lo: number, hi: number): number {
    const frame = world.pages.frameOf(lo, hi);
    return frame >= 0 && frame < world.pages.used ? frame : -1;
  }

  fold({ rows, firstSeq }: Frame): void {
    this.actors.foldAll(rows, firstSeq);
    for (let i = 0; i < rows.length; i += 1) this.pending.fold(rows, i);
    this.nextSeq = firstSeq + rows.length;
    this.at = wide(rows.at, rows.length - 1);
  }
}
