import type { Command } from 'commander';
import { say, sayJson } from '../output.ts';
import { Progress } from '../progress.ts';
import { lines, recordingText } from '../recording-file.ts';
import { UsageError } from '../usage-error.ts';

/** `conform`: holds the engine against recordings of the kernel's own code. */
export function addConform(program: Command): void {
  program
    .command('conform')
    .description('play recordings of the real stage-2 code through the engine and compare every step: exit status 0 all agree, 1 not')
    .argument('<file...>', 'recordings: .jsonl or .jsonl.gz')
    .option('--json', 'print as JSON: [{file, operations, events, agreed, exceptions, firstDifference}]')
    .addHelpText(
      'after',
      `
Examples:
  s2lab conform testdata/golden/stock/*.jsonl.gz
  s2lab conform testdata/golden/kvm/random-3105.ps12.jsonl.gz --json

In the parallel blocks of a recording the recorded order of the walkers is the schedule. A difference is shown as operation, event,
expected and got, with the lines around it; a recording is compared up to its first one.
Recordings of pKVM, which name tables by address, cannot be played.`,
    )
    .action(conformFiles);
}

async function conformFiles(files: readonly string[], options: { json?: boolean }): Promise<void> {
  const { conform, differenceText } = await import('@s2lab/conformance');
  const progress = new Progress(options.json === true);
  const results = [];
  for (const file of files) {
    progress.update(() => `${file}: ${results.length} of ${files.length} compared`);
    const result = { file, ...conformance(file, conform, [...lines(await recordingText(file))]) };
    results.push(result);
    if (options.json === true) continue;
    progress.end();
    const { operations, events, agreed, exceptions, firstDifference } = result;
    say(`${file}: ${agreed ? 'agrees' : 'differs'}, ${operations} operations, ${events} events compared`);
    for (const [name, times] of Object.entries(exceptions)) say(`  different on purpose: ${name}, ${times} times`);
    if (firstDifference !== null) for (const line of differenceText(firstDifference)) say(`  ${line}`);
  }
  progress.end();
  if (options.json === true) sayJson(results);
  else if (files.length > 1) say(`${results.filter(({ agreed }) => agreed).length} of ${files.length} recordings agree`);
  process.exitCode = results.every(({ agreed }) => agreed) ? 0 : 1;
}

function conformance<T>(file: string, conform: (texts: readonly string[]) => T, texts: readonly string[]): T {
  try {
    return conform(texts);
  } catch (cause) {
    if ((cause as Error).name !== 'RecordingError') throw cause;
    throw new UsageError(`${file}: ${(cause as Error).message}`, { cause });
  }
}
