import type { LabEvent } from '@s2lab/events';
import { decodeEvent } from '@s2lab/events';
import type { LogTimeline } from '@s2lab/seek';
import type { LoggedMachine } from '@s2lab/survey';

/** Events [from, to) of a machine, decoded: a few, to be shown. */
export async function eventsOf(timeline: LogTimeline, machine: LoggedMachine, from: number, to: number): Promise<LabEvent[]> {
  const events: LabEvent[] = [];
  for await (const { rows, firstSeq } of timeline.frames(machine, from, to)) {
    const end = Math.min(rows.length, to - firstSeq);
    for (let i = Math.max(0, from - firstSeq, from + events.length - firstSeq); i < end; i += 1)
      events.push(decodeEvent(rows, i, firstSeq + i, machine.machine));
  }
  return events;
}
