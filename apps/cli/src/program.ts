import { Command } from 'commander';

/** Adds commands to the program. */
type Add = (program: Command) => void;

/** The commands, in the order of the help, and the file that adds them. It is read when one of them is given: a start reads the files of one command, not of all. */
export const COMMANDS: readonly (readonly [names: readonly string[], load: () => Promise<Add>])[] = [
  [['start'], async () => (await import('./commands/start.ts')).addStart],
  [['run'], async () => (await import('./commands/run.ts')).addRun],
  [['compare'], async () => (await import('./commands/compare.ts')).addCompare],
  [['reproduce'], async () => (await import('./commands/reproduce.ts')).addReproduce],
  [['record'], async () => (await import('./commands/record.ts')).addRecord],
  [['verify'], async () => (await import('./commands/verify.ts')).addVerify],
  [['check'], async () => (await import('./commands/check.ts')).addCheck],
  [['replay'], async () => (await import('./commands/replay.ts')).addReplay],
  [['show'], async () => (await import('./commands/show.ts')).addShow],
  [['ui'], async () => (await import('./commands/ui.ts')).addUi],
  [['history'], async () => (await import('./commands/history.ts')).addHistory],
  [['diff'], async () => (await import('./commands/diff.ts')).addDiff],
  [['bisect'], async () => (await import('./commands/bisect.ts')).addBisect],
  [['index'], async () => (await import('./commands/index-log.ts')).addIndex],
  [['import'], async () => (await import('./commands/import.ts')).addImport],
  [['conform'], async () => (await import('./commands/conform.ts')).addConform],
  [['export'], async () => (await import('./commands/export.ts')).addExport],
  [['repair'], async () => (await import('./commands/repair.ts')).addRepair],
  [['scenarios', 'policies', 'schema'], async () => (await import('./commands/lists.ts')).addLists],
];

const EXAMPLES = `
Examples:
  s2lab start                                        watch a fleet live at http://127.0.0.1:7800/
  s2lab record migration --seed 7 -o run.arrow       record a run
  s2lab verify run.arrow                             check a log: exit status 0 holds, 1 violated, 2 unreadable
  s2lab check --scenario S1                          every schedule of a small design: safe, or the shortest counterexample
  s2lab replay run.arrow --from 100 --to 120         print events
  s2lab show run.arrow --at 41250                    the table tree, walkers and locks at event 41250
  s2lab ui run.arrow                                 the log on a page, forwards and backwards
  s2lab history run.arrow --slot 7/12                who wrote this descriptor, when and why
  s2lab run boot --policy rwlock --json              run without a log, figures as JSON

Documentation: docs/CLI.md`;

/**
 * The command line, described.
 * @param given the command that is to be carried out: the program then has no other; absent or unknown = it has all
 */
export async function buildProgram(given?: string): Promise<Command> {
  const program = new Command('s2lab')
    .description('Stage-2 Lab: simulate, record and verify arm64 stage-2 page-table designs')
    .version('0.1.0')
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .configureOutput({ writeErr: () => {} }) // main prints errors, each on one line
    .addHelpText('after', EXAMPLES);
  const wanted = COMMANDS.filter(([names]) => given !== undefined && names.includes(given));
  for (const [, load] of wanted.length > 0 ? wanted : COMMANDS) (await load())(program);
  return program;
}
