import type { EventInput, KindName } from '@s2lab/events';

/** An event of any kind, to be edited. */
export type AnyInput = EventInput & Readonly<Record<string, unknown>>;

/** Index of the first `kind` that `where` picks. @throws Error when the trace has none: the mutant would be no mutant */
function indexOf(events: readonly AnyInput[], kind: KindName, where: (e: AnyInput) => boolean): number {
  const at = events.findIndex((e) => e.kind === kind && where(e));
  if (at < 0) throw new Error(`mutant: the trace has no such ${kind}`);
  return at;
}

/** The events without the first `kind` that `where` picks. @throws Error when there is none */
export function dropOne(events: readonly AnyInput[], kind: KindName, where: (e: AnyInput) => boolean): EventInput[] {
  return events.toSpliced(indexOf(events, kind, where), 1);
}

/** The events without the last `kind` before the first `before` that `where` picks. @throws Error when there is none */
export function dropBefore(events: readonly AnyInput[], kind: KindName, before: KindName, where: (e: AnyInput) => boolean): EventInput[] {
  const end = indexOf(events, before, where);
  return events.toSpliced(
    events.findLastIndex((e, i) => i < end && e.kind === kind),
    1,
  );
}

/** The events with `fields` of the first `kind` that `where` picks changed. @throws Error when there is none */
export function change(
  events: readonly AnyInput[],
  kind: KindName,
  where: (e: AnyInput) => boolean,
  fields: Readonly<Record<string, unknown>>,
): EventInput[] {
  const at = indexOf(events, kind, where);
  return events.map((e, i) => (i === at ? ({ ...e, ...fields } as AnyInput) : e));
}

/** The events with the first `kind` that `where` picks twice. @throws Error when there is none */
export function duplicate(events: readonly AnyInput[], kind: KindName, where: (e: AnyInput) => boolean): EventInput[] {
  const at = indexOf(events, kind, where);
  return events.toSpliced(at, 0, events[at]!);
}

/** The events with `event` after the first `kind`, by the same actor at the same time. @throws Error when there is none */
export function insertAfter(events: readonly AnyInput[], kind: KindName, event: EventInput): EventInput[] {
  const at = indexOf(events, kind, () => true);
  return events.toSpliced(at + 1, 0, { stage2: 1, at: events[at]!.at!, actor: events[at]!.actor!, ...event } as AnyInput);
}

/** The first `kind` after the first `after` goes behind the first `to`, and its time with it. */
export function moveLater(events: readonly AnyInput[], kind: KindName, after: KindName, to: KindName): EventInput[] {
  const start = indexOf(events, after, () => true);
  const at = events.findIndex((e, i) => i > start && e.kind === kind);
  const end = indexOf(events, to, () => true);
  const moved = { ...events[at]!, at: events[end]!.at! };
  // The walker does nothing else in between, or its own time would run backwards.
  const rest = events.filter((e, i) => i > at && i <= end && e.actor === moved.actor).map((e) => ({ ...e, at: moved.at }));
  const kept = events.filter((e, i) => i !== at && !(i > at && i <= end && e.actor === moved.actor));
  return kept.toSpliced(kept.indexOf(events[end]!) + 1, 0, moved as AnyInput, ...(rest as AnyInput[]));
}
