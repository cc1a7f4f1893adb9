import type { Ipa } from '@s2lab/arch';
import { isTable, rootPageOf, slotOf } from '@s2lab/arch';
import { decodeEvent, isDamage, K, wide } from '@s2lab/events';
import type { EventRows } from '@s2lab/events';
import type { Verdict } from '@s2lab/invariants';
import { captureStage2, stateToJson } from '@s2lab/stage2-map';
import type { LoggedMachine, LogSeeker, Overview } from '@s2lab/survey';
import { LogCursor } from '@s2lab/survey';
import type { MachineView } from '@s2lab/timeline';
import { activityText, describeDescriptor, eventWords, openTrees, reasonText, TimelineError } from '@s2lab/timeline';
import type {
  EventWindow,
  Found,
  FindQuestion,
  LogAbout,
  LogOracle,
  MachineQuestion,
  Moment,
  MomentQuestion,
  MomentsQuestion,
  Questions,
  SlotChange,
  StepText,
  WindowQuestion,
} from './answers.ts';
import { windowOf } from './event-window.ts';
import { findEvent } from './find-event.ts';

/** Runs of slots that a map holds at most: more than a screen has columns. */
const MAP_RUNS = 2000;
/** Events between two maps at most that are looked through for a change. */
const SAME_WITHIN = 256;
/** Moments of one answer at most: tens of milliseconds. */
const MOMENTS_MAX = 64;
/** Events of a window at most. */
const WINDOW_MAX = 4096;

/** What is known of a log as a whole, so far. */
export interface Surveyed {
  readonly events: number;
  readonly complete: boolean;
  verdict(): Verdict;
  overview(machine: LoggedMachine): Overview | undefined;
}

/**
 * Answers questions about one log: the same for a file on a server and for one in a browser. Questions are answered one after another,
 * because they share a cursor.
 */
export class LogDesk implements LogOracle {
  /** Whether a question is being answered: who works in the background waits then. */
  busy = 0;
  private readonly seeker: LogSeeker;
  private readonly cursor: LogCursor;
  private readonly surveyed: Surveyed;
  private readonly growing: () => boolean;
  private last: Promise<unknown> = Promise.resolve();

  constructor(seeker: LogSeeker, surveyed: Surveyed, growing: () => boolean) {
    this.seeker = seeker;
    this.cursor = new LogCursor(seeker);
    this.surveyed = surveyed;
    this.growing = growing;
  }

  async ask<Q extends keyof Questions>(question: Q, what: Questions[Q]['ask']): Promise<Questions[Q]['answer']> {
    this.busy += 1;
    const answer = this.last.then(() => this.answer(question, what));
    this.last = answer.catch(() => {});
    try {
      return (await answer) as Questions[Q]['answer'];
    } finally {
      this.busy -= 1;
    }
  }

  private async answer(question: keyof Questions, what: unknown): Promise<unknown> {
    switch (question) {
      case 'about':
        return this.about();
      case 'overview':
        return this.surveyed.overview(this.machineOf(what as MachineQuestion)) ?? null;
      case 'moment':
        return this.moment(what as MomentQuestion);
      case 'moments':
        return this.moments(what as MomentsQuestion);
      case 'window':
        return this.window(what as WindowQuestion);
      case 'find':
        return this.find(what as FindQuestion);
      default: {
        const never: never = question;
        throw new TypeError(`question ${String(never)}`);
      }
    }
  }

  private about(): LogAbout {
    const { log, machines } = this.seeker;
    const { violations, ...verdict } = this.surveyed.verdict();
    const { events, complete } = this.surveyed;
    const of = log.frames.reduce((sum, { count }) => sum + count, 0);
    return { name: log.path, bytes: log.size, growing: this.growing(), machines, survey: { events, of, complete }, verdict, violations };
  }

  private async moment(asked: MomentQuestion): Promise<Moment> {
    const machine = this.machineOf(asked);
    const { seq } = asked;
    const { rows, i } = await this.row(machine, seq);
    const view = await this.cursor.at(machine, seq);
    const decoded = decodeEvent(rows, i, seq, machine.machine);
    const own = rows.stage2[i]!;
    const change = changeOf(view, rows, i);
    const open = new Set([...asked.open, ...(change === null ? [] : tablesOnWay(view, own, change))]);
    const vmids = view.stage2s.map(({ vmid }) => vmid);
    const vmid = asked.vmid ?? (vmids.includes(own) ? own : vmids[0]);
    const table = 'table' in decoded ? Number(decoded.table) : 'child' in decoded ? Number(decoded.child) : null;
    const { run, policy, machineKind } = machine;
    const sameLevels = vmid !== undefined && vmid === asked.mapVmid && (await this.sameMap(machine, asked.mapSeq, seq));
    const part = sameLevels ? { from: 0, to: 0 } : { from: asked.from, to: asked.to };
    const map = captureStage2(view, { run, machine: machine.machine, policy, machineKind }, { vmid, ...part, maxRuns: MAP_RUNS });
    return {
      seq,
      event: stepText(view, rows, i, seq, machine.machine),
      change,
      table,
      actors: Array.from({ length: view.vcpus + 2 }, (_, actor) => ({
        actor,
        name: view.actorName(actor),
        text: activityText(view.actors.of(actor)),
      })),
      figures: figuresOf(view),
      pending: view.pending.list(),
      stage2s: vmids,
      vmid: vmid ?? null,
      map: stateToJson(map),
      sameLevels,
      tree: openTrees(view, (page) => open.has(page)),
    };
  }

  /** In the order of the events, whichever way the asker goes: the cursor steps onwards at a fraction of what a step back costs. */
  private async moments({ count, ...first }: MomentsQuestion): Promise<readonly Moment[]> {
    const end = Math.min(first.seq + Math.min(count, MOMENTS_MAX), this.machineOf(first).events);
    const found: Moment[] = [];
    let asked: MomentQuestion = first;
    for (let { seq } = first; seq < end; seq += 1) {
      const moment = await this.moment({ ...asked, seq });
      found.push(moment);
      asked = { ...first, mapSeq: moment.vmid === null ? undefined : seq, mapVmid: moment.vmid ?? undefined };
    }
    return found;
  }

  /** Whether no event between two near ones changes what a map shows of the tables. */
  private async sameMap(machine: LoggedMachine, one: number | undefined, other: number): Promise<boolean> {
    if (one === undefined || Math.abs(one - other) > SAME_WITHIN) return false;
    const from = Math.min(one, other) + 1;
    const to = Math.max(one, other) + 1;
    for await (const { rows, firstSeq } of this.seeker.frames(machine, from, to)) {
      const end = Math.min(rows.length, to - firstSeq);
      for (let i = Math.max(0, from - firstSeq); i < end; i += 1) if (changesMap(rows.kind[i]!)) return false;
    }
    return true;
  }

  private async row(machine: LoggedMachine, seq: number): Promise<{ readonly rows: EventRows; readonly i: number }> {
    const place = this.seeker.framesOf(machine).find(({ firstSeq, count }) => firstSeq <= seq && seq < firstSeq + count);
    if (place === undefined) throw new TimelineError(`machine ${machine.machine} has no event ${seq}`);
    const frame = await this.seeker.read(place);
    if (isDamage(frame)) throw new TimelineError(`${frame.damage}: ${frame.where}: ${frame.because}`);
    return { rows: frame.rows, i: seq - frame.firstSeq };
  }

  private async window(asked: WindowQuestion): Promise<EventWindow> {
    const machine = this.machineOf(asked);
    const to = Math.min(asked.to, asked.from + WINDOW_MAX, machine.events);
    return windowOf(this.seeker, machine, await this.cursor.at(machine, Math.min(asked.from, machine.events - 1)), asked.from, to);
  }

  private async find(asked: FindQuestion): Promise<Found> {
    return findEvent(this.seeker, this.machineOf(asked), asked);
  }

  private machineOf({ machine, run }: MachineQuestion): LoggedMachine {
    const found = this.seeker.machines.find((known) => known.machine === machine && (run === undefined || known.run === run));
    if (found === undefined) throw new TimelineError(`the log has no machine ${machine}${run === undefined ? '' : ` of run ${run}`}`);
    return found;
  }
}

function changesMap(kind: number): boolean {
  return kind < K.walkBegan || (kind >= K.descriptorStored && kind <= K.tableFreed && kind !== K.descriptorSwapFailed);
}

function stepText(view: MachineView, rows: EventRows, i: number, seq: number, machine: number): StepText {
  const event = decodeEvent(rows, i, seq, machine);
  const { actor, kind } = event;
  const why = actor < view.vcpus + 2 ? reasonText(view.actors.of(actor)) : '';
  return { seq, at: wide(rows.at, i), actor, who: view.actorName(actor), kind, text: eventWords(event), why };
}

/** What the event wrote: its own old and new value. */
function changeOf(view: MachineView, rows: EventRows, i: number): SlotChange | null {
  const kind = rows.kind[i]!;
  const stage2 = view.world?.stage2s[rows.stage2[i]!];
  if (stage2 === undefined || kind < K.descriptorStored || kind > K.descriptorHardwareUpdated || kind === K.descriptorSwapFailed)
    return null;
  const level = rows.level[i]!;
  const { shape, features } = stage2;
  return {
    table: rows.table[i]!,
    slot: rows.slot[i]!,
    level,
    ipa: wide(rows.ipa, i),
    before: describeDescriptor(shape, features, rows.old[2 * i]!, rows.old[2 * i + 1]!, level),
    after: describeDescriptor(shape, features, rows.new[2 * i]!, rows.new[2 * i + 1]!, level),
  };
}

/** The tables of a stage-2 that lead to a slot, and its own. */
function tablesOnWay(view: MachineView, vmid: number, { ipa, level, table }: SlotChange): number[] {
  const { world } = view;
  const stage2 = world?.stage2s[vmid];
  if (world === undefined || stage2 === undefined || stage2.root < 0) return [table];
  const { shape } = stage2;
  const { pages } = world;
  const way = [table];
  let page = stage2.root + rootPageOf(shape, ipa as Ipa);
  for (let at = shape.startLevel; at < level && page >= 0; at += 1) {
    way.push(page);
    const d = pages.indexOf(page, slotOf(shape, ipa as Ipa, at));
    const lo = pages.descriptors[d]!;
    page = isTable(lo, at) ? view.childOf(world, lo, pages.descriptors[d + 1]!) : -1;
  }
  return way;
}

function figuresOf(view: MachineView): string[] {
  const { stage2s } = view;
  const names = (actors: Iterable<number>): string => Array.from(actors, (actor) => view.actorName(actor)).join(', ');
  const lines = stage2s.flatMap(({ vmid, root, lock, gracePeriod, gracePeriodOpen, awaited }) => {
    if (root < 0) return [];
    const whose = stage2s.length > 1 ? `VMID ${vmid}: ` : '';
    const waiting = lock.waiting.subarray(0, lock.waitingCount);
    const waits = Array.from(awaited.keys()).filter((actor) => awaited[actor] === 1);
    return [
      lock.writer >= 0 ? `${whose}MMU lock written by ${view.actorName(lock.writer)}` : `${whose}MMU lock: ${lock.readers} readers`,
      ...(waiting.length === 0 ? [] : [`waiting for it: ${names(waiting)}`]),
      ...(gracePeriodOpen === 1 ? [`grace period ${gracePeriod} waits for ${names(waits) || 'nobody'}`] : []),
    ];
  });
  return [`${view.world?.pages.live ?? 0} live tables`, ...(lines.length === 0 ? ['no stage-2'] : lines)];
}
