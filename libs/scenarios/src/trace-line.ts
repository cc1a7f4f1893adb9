/** One event of a printed trace. Time is seconds and a fraction of them in ns: together they would not fit a double. */
export interface TraceLine {
  readonly thread: number;
  readonly seconds: number;
  readonly fractionNs: number;
  readonly event: string;
  readonly text: string;
}

/*
 * `task-tid (tgid) [cpu] flags seconds.fraction: event: text`. The task's name may hold anything, blanks and hyphens too; tgid and
 * flags are there or not, by tool and options: trace-cmd report, or the tracefs `trace` file.
 */
const EVENT_LINE = /^.*-(\d+)\s+(?:\(\s*[-\d]+\)\s+)?\[\d+\]\s+(?:[^\s\d]\S*\s+)?(\d+)\.(\d{6,9}):\s+([A-Za-z_]\w*):(?:\s+(\S.*))?$/;

/** Splits a line of `trace-cmd report` or of the tracefs `trace` file; undefined when it is no event. */
export function traceLine(line: string): TraceLine | undefined {
  const parts = EVENT_LINE.exec(line);
  if (parts === null) return undefined;
  return {
    thread: Number(parts[1]),
    seconds: Number(parts[2]),
    fractionNs: Number(parts[3]!.padEnd(9, '0')),
    event: parts[4]!,
    text: (parts[5] ?? '').trimEnd(),
  };
}

const COUNTER = /^\s*(overrun|commit overrun|dropped events):\s*(\d+)\s*$/;
const WRITTEN = /^#\s*entries-in-buffer\/entries-written:\s*(\d+)\/(\d+)/;

/** What a line says was lost, or undefined: markers of dropped events, counters above 0, buffers that wrapped around. */
export function lossIn(line: string): string | undefined {
  if (/\[(?:LOST )?(?:\d+ )?EVENTS(?: DROPPED)?\]/.test(line)) return `events were lost here: '${line.trim()}'`;
  const counter = COUNTER.exec(line);
  if (counter !== null && Number(counter[2]) > 0) return `${counter[1]} of ${counter[2]}: events were lost`;
  const written = WRITTEN.exec(line);
  if (written !== null && written[1] !== written[2])
    return `only ${written[1]} of ${written[2]} entries are in the buffer: events were lost`;
  // Printed by the kernel only when a ring buffer has overrun.
  if (/^#+ CPU \d+ buffer started #+$/.test(line.trim())) return 'a ring buffer wrapped around: events before this line were lost';
  return undefined;
}

/** Whether a line belongs to the frame around the events: comments, headers and counters of the tools, blank lines. */
export function isFrameLine(line: string): boolean {
  return (
    /^\s*$|^\s*#|^cpus=\d+\s*$|^version = \d+\s*$|^CPU \d+ is empty\s*$|^\s*CPU: ?\d+\s*$/.test(line) ||
    /^\s*(?:entries|overrun|commit overrun|bytes|oldest event ts|now ts|dropped events|read events):\s*[\d.]+\s*$/.test(line)
  );
}
