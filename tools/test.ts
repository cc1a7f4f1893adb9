// Runs specs: all of them, or those under the files and folders given. `node tools/test.ts [--kind unit,prop] [--timeout SECONDS] [--seed N|random] [PATH…]`
import { parseArgs } from 'node:util';
import { type Outcome, findSpecs, runSpecs } from './specs.ts';

/** Runs the specs that the arguments ask for and prints failures and skips, but not the closing line. */
export async function testCommand(args: readonly string[]): Promise<Outcome> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { kind: { type: 'string', default: '' }, timeout: { type: 'string', default: '300' }, seed: { type: 'string', default: '1' } },
  });
  const timeoutSeconds = Number(values.timeout);
  if (!(timeoutSeconds > 0)) throw new Error(`--timeout ${values.timeout}: wants seconds, such as 300`);
  const seed = values.seed === 'random' ? undefined : Number(values.seed);
  if (seed !== undefined && (!Number.isInteger(seed) || seed !== (seed | 0)))
    throw new Error(`--seed ${values.seed}: wants a whole number of 32 bits, or random`);
  const files = findSpecs(positionals, values.kind.split(',').filter(Boolean));
  if (files.length === 0)
    console.log(`no spec files under ${positionals.join(' ') || 'the project'}${values.kind && ` of kind ${values.kind}`}`);
  const terminal = process.stderr.isTTY;
  const clearLine = terminal ? '\r\u001b[K' : '';
  const outcome = await runSpecs(files, {
    timeoutSeconds,
    seed,
    print: (text) => process.stdout.write(clearLine + text),
    progress: (file, done, total) => void (terminal && process.stderr.write(`${clearLine}[${done}/${total}] ${file}`)),
  });
  process.stderr.write(clearLine);
  for (const line of outcome.skipped) console.log(`SKIPPED ${line}`);
  if (outcome.skipped.length > 0) console.log(`${outcome.skipped.length} skipped, for the reasons above`);
  return outcome;
}

/** Prints the closing line and sets the exit status. */
export function close({ passed, failed }: Pick<Outcome, 'passed' | 'failed'>): void {
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

if (import.meta.main) {
  try {
    close(await testCommand(process.argv.slice(2)));
  } catch (error) {
    console.error(`test: ${(error as Error).message}`);
    process.exitCode = 2;
  }
}
