import { GoldenLine, RecordingError } from '@s2lab/recordings';
import { Comparison } from './comparison.ts';
import { PkvmComparison } from './pkvm-comparison.ts';
import type { Difference } from './difference.ts';
import { DifferenceFound } from './difference.ts';

/** Lines of a recording shown before and after a difference. */
const AROUND = 3;

/** How the engine compares with one recording of the kernel's code. */
export interface Conformance {
  /** Operations begun. */
  readonly operations: number;
  /** Things compared: events, results, entries of dumps. */
  readonly events: number;
  readonly agreed: boolean;
  /** Differences on purpose by name (docs/adr/0013), and how often each was met. */
  readonly exceptions: Readonly<Record<string, number>>;
  readonly firstDifference: Difference | null;
}

/**
 * Plays the operations of a recording (JSON lines) through the engine and compares everything it does with what was recorded.
 * @throws RecordingError that names the line when the recording is not what the format says, or is of a kind that cannot be played
 */
export function conform(texts: readonly string[]): Conformance {
  const lines: GoldenLine[] = [];
  for (const [i, text] of texts.entries()) if (text.trim() !== '') lines.push(new GoldenLine(i + 1, text));
  const [first] = lines;
  if (first === undefined || !first.has('trace')) throw new RecordingError(first?.number ?? 1, 'the first line must be {"trace":1,…}');
  const hypervisor = first.lists('files', 'mem_protect.c');
  if (!hypervisor && !first.has('table_base'))
    throw new RecordingError(first.number, 'no "table_base", and no mem_protect.c among "files" as a recording of pKVM has it');
  const comparison = hypervisor ? new PkvmComparison(lines) : new Comparison(lines);
  let firstDifference: Difference | null = null;
  try {
    comparison.run();
  } catch (error) {
    if (!(error instanceof DifferenceFound)) throw error;
    const { line, expected, got } = error;
    const event = texts[line - 1]!;
    firstDifference = { operation: comparison.operation, line, event, expected, got, around: around(texts, line) };
  }
  const { operations, events, exceptions } = comparison;
  return { operations, events, agreed: firstDifference === null, exceptions, firstDifference };
}

function around(texts: readonly string[], line: number): string[] {
  const from = Math.max(1, line - AROUND);
  return texts.slice(from - 1, line + AROUND).map((text, i) => `${from + i === line ? '>' : ' '} ${from + i}: ${text}`);
}

/** A difference as lines for people: operation, event, expected, got and the lines around it. */
export function differenceText(difference: Difference): string[] {
  return [
    `operation ${difference.operation}, line ${difference.line}`,
    `  event    ${difference.event}`,
    `  expected ${difference.expected}`,
    `  got      ${difference.got}`,
    ...difference.around.map((line) => `  ${line}`),
  ];
}
