import type { EventRows, Frame } from '@s2lab/events';
import { FAULT, K, OP, OPERATION, codeName, wide } from '@s2lab/events';
import { actorName } from '@s2lab/timeline';
import { PacketWriter } from './perfetto-packets.ts';

/** Tracks of one machine are numbered from machine × this: the process, actors from 16 on, counters and levels between. */
const TRACKS = 2048;
const TRACK = { process: 1, pendingFrees: 2, liveTables: 3, levels: 4, actors: 16 } as const;
/** Levels of table pages, and one track for those whose level the log does not say. */
const LEVELS = 5;

/** Kinds of slices, as they lie on an actor's stack. */
const SLICE = { fault: 1, operation: 2, lockWait: 3, walk: 4, reclaim: 5 } as const;

interface Track {
  readonly base: number;
  readonly stacks: number[][];
  /** Retired sub-trees whose reclaim has not ended: root table → flow. */
  readonly pending: Map<number, number>;
  live: number;
  at: number;
}

/**
 * Turns frames into a Perfetto trace: a process per machine; a track per actor with slices for faults, operations, lock waits, walks and
 * reclaims; a track per level of table pages with what happened to them, and flows from each retire to the free of that page; counters of
 * live tables and pending frees. Times are virtual nanoseconds.
 */
export class PerfettoTrace {
  private readonly packets = new PacketWriter();
  private readonly tracks = new Map<string, Track>();
  private flows = 0;

  constructor() {
    this.packets.open();
  }

  /** Folds a frame; returns the packets it made. Frames of one machine come in order. */
  write({ origin, firstSeq, rows }: Frame): Uint8Array {
    const key = `${origin.run}/${origin.machine}`;
    let track = this.tracks.get(key);
    if (track === undefined) {
      track = { base: this.tracks.size * TRACKS, stacks: [], pending: new Map(), live: 0, at: 0 };
      this.tracks.set(key, track);
      this.describe(track, `machine ${origin.machine} (${origin.policy}), ${origin.run}`);
    }
    for (let i = 0; i < rows.length; i += 1) this.fold(track, rows, i, firstSeq + i);
    if (rows.length > 0) track.at = wide(rows.at, rows.length - 1);
    return this.packets.take();
  }

  /** Ends the slices that are still open, at the last event of their machine. */
  end(): Uint8Array {
    for (const track of this.tracks.values())
      track.stacks.forEach((stack, actor) => {
        while (stack.pop() !== undefined) this.packets.sliceEnd(track.at, track.base + TRACK.actors + actor);
      });
    return this.packets.take();
  }

  private describe({ base }: Track, name: string): void {
    const process = base + TRACK.process;
    this.packets.process(process, process, name);
    this.packets.track(base + TRACK.pendingFrees, process, 'pending frees', true);
    this.packets.track(base + TRACK.liveTables, process, 'live tables', true);
    for (let level = 0; level < LEVELS; level += 1)
      this.packets.track(base + TRACK.levels + level, process, level === 4 ? 'tables of unknown level' : `tables of level ${level}`, false);
  }

  private describeActors({ base, stacks }: Track, vcpus: number): void {
    for (let actor = stacks.length; actor < Math.min(vcpus + 2, TRACKS - TRACK.actors); actor += 1) {
      stacks.push([]);
      this.packets.thread(base + TRACK.actors + actor, base + TRACK.process, base + TRACK.actors + actor, actorName(actor, vcpus));
    }
  }

  private fold(track: Track, rows: EventRows, i: number, seq: number): void {
    const kind = rows.kind[i]!;
    switch (kind) {
      case K.machineStarted:
        this.describeActors(track, rows.arg[i]!);
        return;
      case K.faultTaken:
        this.begin(track, rows, i, seq, SLICE.fault, `fault: ${codeName(FAULT, rows.arg[i]!)}`);
        return;
      case K.operationBegan:
        this.begin(track, rows, i, seq, SLICE.operation, codeName(OPERATION, rows.arg[i]!));
        return;
      case K.lockContended:
        this.begin(track, rows, i, seq, SLICE.lockWait, 'waits for the MMU lock');
        return;
      case K.walkBegan:
        this.begin(track, rows, i, seq, SLICE.walk, `walk: ${codeName(OP, rows.arg[i]!)}`);
        return;
      case K.reclaimBegan:
        this.begin(track, rows, i, seq, SLICE.reclaim, 'reclaim');
        return;
      case K.faultHandled:
        this.close(track, rows, i, SLICE.fault);
        return;
      case K.operationEnded:
        this.close(track, rows, i, SLICE.operation);
        return;
      case K.lockAcquired:
        this.close(track, rows, i, SLICE.lockWait);
        return;
      case K.walkEnded:
        this.close(track, rows, i, SLICE.walk);
        return;
      default:
        if (kind >= K.tableAllocated && kind <= K.reclaimEnded) this.foldTable(track, rows, i, seq);
    }
  }

  private foldTable(track: Track, rows: EventRows, i: number, seq: number): void {
    const table = rows.table[i]!;
    const at = wide(rows.at, i);
    switch (rows.kind[i]!) {
      case K.tableAllocated:
      case K.tableReused:
        this.count(track, at, 1);
        return;
      case K.tableLinked:
        this.mark(track, rows, i, seq, 'linked', 0);
        return;
      case K.tableUnlinked:
        this.mark(track, rows, i, seq, 'unlinked', 0);
        return;
      case K.tableRetired:
        this.flows += 1;
        track.pending.set(table, this.flows);
        this.mark(track, rows, i, seq, 'retired', this.flows);
        this.packets.counter(at, track.base + TRACK.pendingFrees, track.pending.size);
        return;
      case K.tableFreed:
        this.count(track, at, -1);
        this.mark(track, rows, i, seq, 'freed', -(track.pending.get(table) ?? 0));
        return;
      case K.reclaimEnded:
        this.close(track, rows, i, SLICE.reclaim);
        if (track.pending.delete(table)) this.packets.counter(at, track.base + TRACK.pendingFrees, track.pending.size);
        return;
      default:
        return;
    }
  }

  private count(track: Track, at: number, by: number): void {
    track.live += by;
    this.packets.counter(at, track.base + TRACK.liveTables, track.live);
  }

  private mark(track: Track, rows: EventRows, i: number, seq: number, what: string, flow: number): void {
    const level = rows.level[i]!;
    const name = this.packets.name(what);
    const lane = track.base + TRACK.levels + (level >= 0 && level <= 3 ? level : 4);
    this.packets.instant(wide(rows.at, i), lane, name, seq, rows.table[i]!, flow);
  }

  private begin(track: Track, rows: EventRows, i: number, seq: number, slice: number, text: string): void {
    const actor = rows.actor[i]!;
    const stack = track.stacks[actor];
    if (stack === undefined) return; // an actor that the machine did not say it has
    stack.push(slice);
    const name = this.packets.name(text);
    this.packets.sliceBegin(wide(rows.at, i), track.base + TRACK.actors + actor, name, seq, rows.walk[i]!, wide(rows.ipa, i));
  }

  /** Ends the innermost slice of a kind, and what is still open inside it. */
  private close(track: Track, rows: EventRows, i: number, slice: number): void {
    const actor = rows.actor[i]!;
    const stack = track.stacks[actor];
    if (stack === undefined || !stack.includes(slice)) return;
    const at = wide(rows.at, i);
    for (let open = stack.pop(); open !== undefined; open = stack.pop()) {
      this.packets.sliceEnd(at, track.base + TRACK.actors + actor);
      if (open === slice) return;
    }
  }
}
