import type { EventRows } from '@s2lab/events';
import { isDamage, K } from '@s2lab/events';
import type { LoggedMachine, LogSeeker } from '@s2lab/survey';
import type { RowPredicate } from '@s2lab/timeline';
import { compilePredicate } from '@s2lab/timeline';
import type { FindQuestion, Found } from './answers.ts';

/** Frames that one question looks through at most: about two million events, a fraction of a second. */
const FRAMES_MAX = 32;

/**
 * The nearest event from `asked.from` on, or backwards, that is what was asked for.
 * @throws TimelineError for a predicate that is wrong
 */
export async function findEvent(seeker: LogSeeker, machine: LoggedMachine, asked: FindQuestion): Promise<Found> {
  const matches = predicateOf(asked);
  const { from, backwards } = asked;
  const places = seeker.framesOf(machine);
  const step = backwards ? -1 : 1;
  let seq = from;
  let at = backwards
    ? places.findLastIndex(({ firstSeq }) => firstSeq <= from)
    : places.findIndex((place) => place.firstSeq + place.count > from);
  for (let looked = 0; looked < FRAMES_MAX; looked += 1, at += step) {
    const place = places[at];
    if (place === undefined) return { seq: null, goOn: null };
    const frame = await seeker.read(place);
    if (!isDamage(frame)) {
      const { rows, firstSeq } = frame;
      const found = backwards
        ? lastMatch(rows, Math.min(rows.length - 1, seq - firstSeq), firstSeq, matches)
        : firstMatch(rows, Math.max(0, seq - firstSeq), firstSeq, matches);
      if (found !== undefined) return { seq: found, goOn: null };
    }
    seq = backwards ? Math.min(seq, place.firstSeq - 1) : Math.max(seq, place.firstSeq + place.count);
  }
  return seq < 0 || at < 0 || at >= places.length ? { seq: null, goOn: null } : { seq: null, goOn: seq };
}

function firstMatch(rows: EventRows, from: number, firstSeq: number, matches: RowPredicate): number | undefined {
  for (let i = from; i < rows.length; i += 1) if (matches(rows, i, firstSeq + i)) return firstSeq + i;
  return undefined;
}

function lastMatch(rows: EventRows, from: number, firstSeq: number, matches: RowPredicate): number | undefined {
  for (let i = from; i >= 0; i -= 1) if (matches(rows, i, firstSeq + i)) return firstSeq + i;
  return undefined;
}

function predicateOf({ actor, slot, where }: FindQuestion): RowPredicate {
  const parts: RowPredicate[] = [];
  if (actor !== undefined) parts.push((rows, i) => rows.actor[i] === actor);
  if (slot !== undefined) {
    const { table, slot: number } = slot;
    parts.push((rows, i) => {
      const kind = rows.kind[i]!;
      const writes = kind >= K.descriptorStored && kind <= K.descriptorHardwareUpdated && kind !== K.descriptorSwapFailed;
      return writes && rows.table[i] === table && rows.slot[i] === number;
    });
  }
  if (where !== undefined) parts.push(compilePredicate(where));
  return (rows, i, seq) => parts.every((holds) => holds(rows, i, seq));
}
