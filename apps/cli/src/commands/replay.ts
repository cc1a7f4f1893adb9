import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import { decodeEvent, isDamage, wide } from '@s2lab/events';
import { speedArgument } from '../arguments.ts';
import type { EventRange } from '../event-range.ts';
import { openLogRange, rowsInRange, withEventRange } from '../event-range.ts';
import { eventText } from '@s2lab/timeline';
import { standardOutput, tell } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';

interface ReplayOptions extends EventRange {
  readonly speed: number;
  readonly json?: boolean;
}

/** `replay`: prints the events of a log, decoded. */
export function addReplay(program: Command): void {
  withEventRange(program.command('replay'))
    .description('print the events of a log, decoded, in the order they were recorded')
    .argument('<log>', 'log file, or kafka://host:port/topic')
    .option('--speed <ratio>', 'virtual seconds per wall second; 0 or max = as fast as it goes', speedArgument, 0)
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      `
Examples:
  s2lab replay run.arrow --from 1000 --to 1050
  s2lab replay run.arrow --machine 2 --speed 0.00001
  s2lab replay run.arrow --json | grep table-retired`,
    )
    .action(replay);
}

async function replay(log: string, options: ReplayOptions): Promise<void> {
  const source = await openLogRange(log, options);
  const out = standardOutput();
  const stop = stopSignal();
  const pace = new Pace(options.speed);
  try {
    for await (const item of source.frames()) {
      if (stop.aborted) break;
      if (isDamage(item)) {
        tell(`${item.damage}: ${item.where}: ${item.because}`);
        process.exitCode = 2;
        continue;
      }
      const found = rowsInRange(item, options);
      if (found === undefined) continue;
      for (let i = 0; i < found.rows.length && !stop.aborted; i += 1) {
        const at = wide(found.rows.at, i);
        if (pace.due(at)) await out.close(); // what is due before is seen before
        while (pace.due(at) && !stop.aborted) await pace.wait(at, stop);
        if (stop.aborted) break;
        const event = decodeEvent(found.rows, i, found.firstSeq + i, item.origin.machine);
        await out.write(options.json === true ? JSON.stringify(event) : eventText(event));
      }
    }
  } finally {
    await out.close();
    await source.close();
  }
}

/** Milliseconds of one wait at most: a timer holds no more than 2³¹. */
const WAIT_MAX_MS = 1e9;

/** Lets virtual time follow wall time, from the first event on. */
class Pace {
  private readonly speed: number;
  private start: { readonly atNs: number; readonly wallMs: number } | undefined;

  constructor(speed: number) {
    this.speed = speed;
  }

  /** Whether the event at virtual time `atNs` lies in the future. */
  due(atNs: number): boolean {
    return this.speed > 0 && this.restMs(atNs) > 1;
  }

  async wait(atNs: number, signal: AbortSignal): Promise<void> {
    await setTimeout(Math.min(this.restMs(atNs), WAIT_MAX_MS), undefined, { signal }).catch(() => {}); // only the signal rejects it
  }

  private restMs(atNs: number): number {
    this.start ??= { atNs, wallMs: performance.now() };
    return (atNs - this.start.atNs) / (1e6 * this.speed) - (performance.now() - this.start.wallMs);
  }
}
