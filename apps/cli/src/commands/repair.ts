import type { Command } from 'commander';
import { byteText } from '../progress.ts';
import { say, sayJson } from '../output.ts';

/** `repair`: makes the log of a killed process a whole Arrow file. */
export function addRepair(program: Command): void {
  program
    .command('repair')
    .description('cut the torn tail of a killed run’s log and write its footer, so that pyarrow and DuckDB open it')
    .argument('<log>', 'log file; it is changed in place')
    .option('--json', 'print as JSON: {log, frames, cutBytes, damages}')
    .addHelpText('after', '\nExample:\n  s2lab repair runs/killed.arrow')
    .action(async (log: string, options: { json?: boolean }) => {
      const { repairLog } = await import('@s2lab/transport-file');
      const repair = await repairLog(log);
      if (options.json === true) return sayJson({ log, ...repair });
      say(
        `${log}: ${repair.frames} whole frames, ${repair.cutBytes === 0 ? 'nothing cut' : `${byteText(repair.cutBytes)} cut from the end`}`,
      );
      for (const damage of repair.damages) say(`${damage.damage}: ${damage.where}: ${damage.because}`);
    });
}
