/* `npm run fuzz`: hostile input for everything that reads from outside (docs/fuzzing.md). */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { runInputs } from './run-inputs.ts';
import { TARGETS } from './targets.ts';
import type { FuzzOutcome } from './watch-target.ts';
import { watchTarget } from './watch-target.ts';

/** How often the run says how far it is, milliseconds. */
const NEWS_MS = 15_000;

const HELP = `npm run fuzz -- [options]

Gives hostile input to everything that reads from outside; each target in a process of its own that may have little memory and is watched.
An input is named by target, seed and number. Exit status 1: something crashed, hung, took too much memory or failed otherwise.

  --inputs N      inputs of the whole run, shared out among the targets as below (1000000)
  --seed N        another seed, other inputs (1)
  --target PART   only targets whose name contains PART; each gets the inputs that it has in the whole run
  --only I        only input I of the targets
  --from I        from input I of each target on
  --jobs N        targets at the same time (1)
  --write FILE    writes the table of the run there as well
  --help          this text

targets, and their inputs in a run of a million:
${TARGETS.map(({ name, share }) => `  ${share.toLocaleString('en').padStart(9)}  ${name}`).join('\n')}
`;

function table(outcomes: readonly FuzzOutcome[]): string {
  const rows = outcomes.map(
    (o) =>
      `| ${o.target} | ${o.inputs.toLocaleString('en')} | ${((100 * o.taken) / Math.max(1, o.inputs)).toFixed(1)} % | ${o.slowestMs} | ${o.rssMiB} | ${Math.round(o.cpuSeconds)} | ${o.failures.length === 0 ? 'none' : `${o.failures.length}, see below`} |`,
  );
  return [
    '| target | inputs | taken as good | slowest, CPU ms | memory, MiB | CPU s | failures |',
    '|---|---:|---:|---:|---:|---:|---|',
    ...rows,
  ].join('\n');
}

/** A whole number that an option gives. @throws Error in one line when it is none */
function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} ${text}: a whole number below 10^9 is wanted`);
  return value;
}

function options(): Record<string, string | boolean | undefined> {
  return parseArgs({
    options: {
      inputs: { type: 'string', default: '1000000' },
      target: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '1' },
      from: { type: 'string', default: '0' },
      write: { type: 'string' },
      only: { type: 'string' },
      work: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

/** Runs the chosen targets, `jobs` at a time; says how far they are. */
async function runTargets(
  chosen: readonly { readonly name: string; readonly from: number; readonly to: number }[],
  seed: number,
  jobs: number,
): Promise<FuzzOutcome[]> {
  const outcomes: FuzzOutcome[] = [];
  const running = new Map<string, string>();
  const news = setInterval(() => console.error([...running.values()].join('; ')), NEWS_MS);
  const waiting = [...chosen.entries()];
  const take = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [place, { name, from, to }] = next;
      const told = (inputs: number): void =>
        void running.set(name, `${name}: ${inputs.toLocaleString('en')} of ${(to - from).toLocaleString('en')} inputs`);
      told(0);
      const outcome = await watchTarget(name, seed, { from, to }, told);
      running.delete(name);
      outcomes[place] = outcome;
      console.log(
        `${name}: ${outcome.inputs} inputs, ${outcome.failures.length === 0 ? 'no failure' : `${outcome.failures.length} failures`}`,
      );
    }
  };
  await Promise.all(Array.from({ length: jobs }, take));
  clearInterval(news);
  return outcomes;
}

async function main(): Promise<void> {
  const given = options();
  if (given['help'] === true) return console.log(HELP);
  const number = (name: string): number => wholeNumber(name, String(given[name]));
  const [inputs, seed, jobs] = [number('inputs'), number('seed'), Math.max(1, number('jobs'))];
  const from = given['only'] === undefined ? number('from') : number('only');
  if (given['work'] !== undefined) return void (await runInputs(String(given['work']), seed, from, inputs));
  const all = TARGETS.reduce((sum, { share }) => sum + share, 0);
  const chosen = TARGETS.filter(({ name }) => name.includes(String(given['target']))).map(({ name, share }) => ({
    name,
    from,
    to: given['only'] === undefined ? Math.ceil((inputs * share) / all) : from + 1,
  }));
  if (chosen.length === 0) throw new Error(`--target ${String(given['target'])}: no target is called so; see --help`);
  const begun = Date.now();
  const outcomes = await runTargets(chosen, seed, jobs);
  const total = outcomes.reduce((sum, outcome) => sum + outcome.inputs, 0);
  const minutes = ((Date.now() - begun) / 60_000).toFixed(1);
  const command = `npm run fuzz -- ${process.argv
    .slice(2)
    .filter((word, i, words) => word !== '--write' && words[i - 1] !== '--write')
    .join(' ')}`;
  const place = `a machine of ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}, Node ${process.versions.node}`;
  const complaints = outcomes.flatMap(({ target, failures }) => failures.map((failure) => `\n${target}: ${failure}\n`)).join('');
  const summary = `\`${command.trim()}\`: ${total.toLocaleString('en')} inputs in ${minutes} minutes on ${place}.\n\n${table(outcomes)}\n${complaints}`;
  console.log(summary);
  if (given['write'] !== undefined) writeFileSync(String(given['write']), summary);
  if (outcomes.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(`fuzz: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
