import { Command } from 'commander';
import { addCompare } from './commands/compare.ts';
import { addConform } from './commands/conform.ts';
import { addCheck } from './commands/check.ts';
import { addBisect } from './commands/bisect.ts';
import { addDiff } from './commands/diff.ts';
import { addExport } from './commands/export.ts';
import { addHistory } from './commands/history.ts';
import { addImport } from './commands/import.ts';
import { addIndex } from './commands/index-log.ts';
import { addLists } from './commands/lists.ts';
import { addRecord } from './commands/record.ts';
import { addRepair } from './commands/repair.ts';
import { addReplay } from './commands/replay.ts';
import { addReproduce } from './commands/reproduce.ts';
import { addRun } from './commands/run.ts';
import { addShow } from './commands/show.ts';
import { addStart } from './commands/start.ts';
import { addUi } from './commands/ui.ts';
import { addVerify } from './commands/verify.ts';

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

/** The command line, described; commands load what they need when they run, so that --help is quick. */
export function buildProgram(): Command {
  const program = new Command('s2lab')
    .description('Stage-2 Lab: simulate, record and verify arm64 stage-2 page-table designs')
    .version('0.1.0')
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .configureOutput({ writeErr: () => {} }) // main prints errors, each on one line
    .addHelpText('after', EXAMPLES);
  const commands = [
    addStart,
    addRun,
    addCompare,
    addReproduce,
    addRecord,
    addVerify,
    addCheck,
    addReplay,
    addShow,
    addUi,
    addHistory,
    addDiff,
    addBisect,
    addIndex,
    addImport,
    addConform,
    addExport,
    addRepair,
    addLists,
  ];
  for (const add of commands) add(program);
  return program;
}
