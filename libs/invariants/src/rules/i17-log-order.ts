import type { FrameOrigin } from '@s2lab/events';
import { K, KINDS, OP } from '@s2lab/events';
import { hex64 } from '@s2lab/arch';
import type { Explanation, Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { FRAME_LIMIT, TABLE_STATE } from '../shadow/tables.ts';
import { OPEN } from '../shadow/world.ts';
import { actorName, descriptorWords, remembered } from '../words.ts';

const KNOWN_CODES = new Set<number>(Object.values(KINDS).map((spec) => spec.code));
const UNKNOWN_CODES = Array.from({ length: 256 }, (_, code) => code).filter((code) => !KNOWN_CODES.has(code));
/** I17: the log itself can be believed. */
export const logOrder: Rule = {
  id: 'I17',
  name: 'the log is whole and in order',
  prose:
    "A machine's events begin with machine-started, follow each other without a gap, and nothing follows machine-stopped. One writer writes " +
    'them: their origin never changes and the time of an actor never runs backwards. Every kind is known; walks, faults, operations and reclaims ' +
    'that end have begun, and a walk ends before what encloses it. Every descriptor event names a table that exists and a slot that it has, and ' +
    'what it says the slot held is what the events before left there.',
  source: 'this project: libs/events (frames, sequence numbers)',
  state: 'per actor: time of its last event; the shadow tables',
  attach(site) {
    const { on, report } = site;
    const stopped = site.keep(() => ({ at: -1 }));
    on.disorder((e) => {
      const last = site.world.actors.lastAt[e.actor]!;
      if (e.at < last) backwards(site, e, last, e.at);
      if (stopped.at >= 0) {
        const seq = stopped.at;
        report(e, () => ({ because: 'an event follows machine-stopped', witness: [{ seq, text: 'the machine stopped' }] }));
      }
    });
    on.before(UNKNOWN_CODES, (e) => report(e, () => ({ because: `kind ${e.kind} is not in the schema`, witness: [] })));
    on.before([K.machineStarted], (e) => report(e, () => ({ because: 'the machine started a second time', witness: [] })));
    on.after([K.machineStopped], (e) => {
      stopped.at = e.seq;
    });
    on.disagreement((e) => descriptor(site, e));
    on.after([K.tableLinked], (e) => claim(site, e));
    pairs(site);
  },
};

/** Walks, faults, operations and reclaims that end have begun, and what encloses a walk ends after it. */
function pairs(site: RuleSite): void {
  const { on } = site;
  const { actors } = site.world;
  on.before([K.walkBegan], (e) => {
    if (actors.openWalks[e.actor] === 0 || e.arg === OP.createUnlinked || e.arg === OP.freeUnlinked) return;
    walkStillOpen(site, e, 'a walk began although the walk before it has not ended');
  });
  on.before([K.walkEnded], (e) => {
    if (actors.openWalks[e.actor] === 0) neverBegan(site, e, 'walk');
  });
  const enclosing = [
    [K.faultHandled, OPEN.fault, 'fault'],
    [K.operationEnded, OPEN.operation, 'operation'],
    [K.reclaimEnded, OPEN.reclaim, 'reclaim'],
  ] as const;
  for (const [kind, bit, what] of enclosing) {
    on.before([kind], (e) => {
      if ((actors.openOperations[e.actor]! & bit) === 0) neverBegan(site, e, what);
      else if (actors.openWalks[e.actor]! > 0 && actors.openOperations[e.actor] === bit)
        walkStillOpen(site, e, `a ${what} ended although a walk in it has not`);
    });
  }
}

function neverBegan({ report }: RuleSite, e: EventCursor, what: string): void {
  report(e, () => ({ because: `a ${what} ended that never began`, witness: [] }));
}

function walkStillOpen({ world, report }: RuleSite, e: EventCursor, because: string): void {
  const since = world.actors.walkSince[world.actors.top(e.actor)]!;
  report(e, () => ({ because, witness: [remembered(since, world, e.actor, 'began a walk')] }));
}

function backwards({ world, report }: RuleSite, e: EventCursor, last: number, at: number): void {
  report(e, () => ({ because: `time of ${actorName(e.actor, world.vcpus)} ran backwards from ${last} to ${at} ns`, witness: [] }));
}

function descriptor({ world, report }: RuleSite, e: EventCursor): void {
  const { tables } = world;
  if (tables.place(e.table) < 0) {
    // A freed table is I1's matter.
    if (tables.stateOf(e.table) === TABLE_STATE.unknown) {
      const because =
        e.table >= FRAME_LIMIT
          ? `table ${e.table} is beyond the ${FRAME_LIMIT} page frames a machine may have`
          : `table ${e.table} was never allocated`;
      report(e, () => ({ because, witness: [] }));
    }
    return;
  }
  if (e.slot >= tables.entries) {
    report(e, () => ({ because: `slot ${e.slot} does not exist: a table of this granule has ${tables.entries}`, witness: [] }));
    return;
  }
  report(e, () => ({
    because: `the event says that the slot held ${hex64(e.oldLo, e.oldHi)}, but the events before left ${descriptorWords(e.wasLo, e.wasHi, tables.level[e.place]!)} in it`,
    witness: [],
  }));
}

function claim({ world, report }: RuleSite, e: EventCursor): void {
  const { tables } = world;
  const p = e.place;
  // A store to a table that was freed links nothing; that store is I1's matter.
  if (
    p < 0 ||
    tables.place(e.arg) < 0 ||
    (tables.everLinked[p] === 1 && tables.parentFrame[p] === e.arg && tables.parentSlot[p] === e.slot)
  )
    return;
  report(e, () => ({
    because: `table ${e.table} does not hang below slot ${e.slot} of table ${e.arg}: no store put it there`,
    witness: [],
  }));
}

/** The log of a machine does not begin with `machine-started`. */
export function notStarted(seq: number, words: string): Explanation {
  return {
    because: 'the first event of the machine is not machine-started: its beginning is lost, so nothing after it can be judged',
    witness: [{ seq, text: words }],
  };
}

/** `machine-started` with a page size that does not exist. */
export function impossibleStart(seq: number, words: string, pageShift: number, indexBits: number): Explanation {
  const because = `the machine started with page shift ${pageShift} and tables of 2^${indexBits}; granules are 12, 14 and 16, with at most 2^(granule - 3)`;
  return { because, witness: [{ seq, text: words }] };
}

/** Events are missing. */
export function brokenSequence(expected: number, foundSeq: number): Explanation {
  return {
    because: `events ${expected} to ${foundSeq - 1} never arrived; nothing after them can be judged`,
    witness: [
      { seq: -1, text: `event ${expected} was expected` },
      { seq: foundSeq, text: 'the next event that arrived' },
    ],
  };
}

/** Two writers use one run and machine number. */
export function secondWriter(seq: number, first: FrameOrigin, second: FrameOrigin): Explanation {
  const words = (origin: FrameOrigin): string => `policy ${origin.policy}, machine kind ${origin.machineKind}, workload ${origin.workload}`;
  return {
    because: 'two writers use the same run and machine number',
    witness: [
      { seq: -1, text: `first: ${words(first)}` },
      { seq, text: `then: ${words(second)}` },
    ],
  };
}
