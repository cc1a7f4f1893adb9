import type { EventRows } from '@s2lab/events';
import { decodeEvent, K, kindName, KINDS, wide } from '@s2lab/events';
import type { KindSpec } from '@s2lab/events';
import type { LoggedMachine, LogSeeker } from '@s2lab/survey';
import type { Activity, MachineView } from '@s2lab/timeline';
import { eventWords } from '@s2lab/timeline';
import type { ActorSpan, EventWindow, SpanKind } from './answers.ts';

/** Events that begin and end what an actor is in. */
const BOUNDS: Readonly<Record<number, { readonly kind: SpanKind; readonly begins: boolean }>> = {
  [K.walkBegan]: { kind: 'walk', begins: true },
  [K.walkEnded]: { kind: 'walk', begins: false },
  [K.faultTaken]: { kind: 'fault', begins: true },
  [K.faultHandled]: { kind: 'fault', begins: false },
  [K.operationBegan]: { kind: 'operation', begins: true },
  [K.operationEnded]: { kind: 'operation', begins: false },
  [K.reclaimBegan]: { kind: 'reclaim', begins: true },
  [K.reclaimEnded]: { kind: 'reclaim', begins: false },
  [K.readSectionEntered]: { kind: 'section', begins: true },
  [K.readSectionLeft]: { kind: 'section', begins: false },
  [K.lockAcquired]: { kind: 'lock', begins: true },
  [K.lockReleased]: { kind: 'lock', begins: false },
  [K.lockContended]: { kind: 'wait', begins: true },
};

/** Whether rows of a kind name a table page in the column `table`. */
const HAS_TABLE = Uint8Array.from({ length: 256 }, (_, code) => {
  const name = kindName(code);
  if (name === undefined) return 0;
  const fields: KindSpec['fields'] = KINDS[name].fields;
  return Object.values(fields).some(([column]) => column === 'table') ? 1 : 0;
});

/**
 * The events [from, to) of a machine and what its actors were in.
 * @param view the machine just after event `from`
 */
export async function windowOf(
  seeker: LogSeeker,
  machine: LoggedMachine,
  view: MachineView,
  from: number,
  to: number,
): Promise<EventWindow> {
  const names = Array.from({ length: view.vcpus + 2 }, (_, actor) => view.actorName(actor));
  const spans = new SpanFold(
    Array.from(names, (_, actor) => view.actors.of(actor)),
    from,
  );
  const kind: number[] = [];
  const actor: number[] = [];
  const table: number[] = [];
  const at: number[] = [];
  const text: string[] = [];
  for await (const { rows, firstSeq } of seeker.frames(machine, from, to)) {
    const end = Math.min(rows.length, to - firstSeq);
    // Rows that a log holds twice are shown once.
    for (let i = Math.max(0, from + kind.length - firstSeq); i < end; i += 1) {
      const code = rows.kind[i]!;
      kind.push(code);
      actor.push(rows.actor[i]!);
      table.push(HAS_TABLE[code] === 1 ? rows.table[i]! : -1);
      at.push(wide(rows.at, i));
      text.push(eventWords(decodeEvent(rows, i, firstSeq + i, machine.machine)));
      if (firstSeq + i > from) spans.fold(rows, i, firstSeq + i);
    }
  }
  return { from, kind, actor, table, at, text, actors: names, spans: spans.end(from + kind.length - 1) };
}

/** Follows what each actor is in. */
class SpanFold {
  private readonly done: ActorSpan[] = [];
  private readonly open = new Map<string, { readonly actor: number; readonly kind: SpanKind; readonly from: number }[]>();

  constructor(activities: readonly Activity[], from: number) {
    for (const { actor, walks, fault, operation, reclaim, section, lock, waits } of activities) {
      for (const _walk of walks) this.begin(actor, 'walk', from);
      const held = { fault, operation, reclaim, section, lock, wait: waits } as const;
      for (const [kind, what] of Object.entries(held)) if (what !== null) this.begin(actor, kind as SpanKind, from);
    }
  }

  fold(rows: EventRows, i: number, seq: number): void {
    const kind = rows.kind[i]!;
    const actor = rows.actor[i]!;
    if (kind === K.lockAcquired) this.finish(actor, 'wait', seq);
    const bound = BOUNDS[kind];
    if (bound === undefined) return;
    if (bound.begins) this.begin(actor, bound.kind, seq);
    else this.finish(actor, bound.kind, seq);
  }

  /** All spans; those that are open end with the window. */
  end(last: number): readonly ActorSpan[] {
    for (const spans of this.open.values()) for (const span of spans) this.done.push({ ...span, to: last });
    return this.done;
  }

  private begin(actor: number, kind: SpanKind, from: number): void {
    const key = `${actor}/${kind}`;
    const spans = this.open.get(key) ?? [];
    spans.push({ actor, kind, from });
    this.open.set(key, spans);
  }

  private finish(actor: number, kind: SpanKind, to: number): void {
    const span = this.open.get(`${actor}/${kind}`)?.pop();
    if (span !== undefined) this.done.push({ ...span, to });
  }
}
