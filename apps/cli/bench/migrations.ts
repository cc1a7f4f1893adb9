import type { Frame } from '@s2lab/events';
import { copyRows } from '@s2lab/events';
import { assembleFleet } from '@s2lab/fleet';
import { builtinScenarios } from '@s2lab/scenarios';

/** Calls `write` with the frames of the migration scenario, as machines `from` to `to` - 1 of one run: each with a seed of its own. */
export async function writeMigrations(from: number, to: number, write: (frame: Frame) => Promise<void>): Promise<number> {
  let events = 0;
  for (let machine = from; machine < to; machine += 1) {
    const { producer } = assembleFleet(builtinScenarios.get('migration')!, { seed: machine + 1, runId: 'bench' });
    for (let frame = producer.nextFrame(Infinity); frame !== undefined; frame = producer.nextFrame(Infinity)) {
      events += frame.rows.length;
      await write({ ...frame, origin: { ...frame.origin, machine }, rows: copyRows(frame.rows) });
    }
  }
  return events;
}
