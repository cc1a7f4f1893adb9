import type { Frame } from '@s2lab/events';
import { copyRows } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';

let recorded: readonly Frame[] | undefined;

function migration(): readonly Frame[] {
  const frames: Frame[] = [];
  const { producer } = assembleFleet(builtinScenarios.get('migration')!, { seed: 1, runId: 'bench' });
  for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity))
    frames.push({ ...frame, rows: copyRows(frame.rows) });
  return frames;
}

/**
 * Calls `write` with the frames of machines `from` to `to` - 1 of one run, one machine after the other. Each has the 1.3 million events of the
 * same migration, which the engine makes once, so that a log of many is there soon. Returns how many events there were.
 */
export async function writeMigrations(from: number, to: number, write: (frame: Frame) => Promise<void>): Promise<number> {
  recorded ??= migration();
  let events = 0;
  for (let machine = from; machine < to; machine += 1) {
    for (const frame of recorded) {
      events += frame.rows.length;
      await write({ ...frame, origin: { ...frame.origin, machine } });
    }
  }
  return events;
}
