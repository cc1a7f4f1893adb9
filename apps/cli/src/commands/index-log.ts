import type { Command } from 'commander';
import { openTimeline } from '../inspect/log-machine.ts';
import { say, sayJson } from '../output.ts';
import { Progress, byteText, compact } from '../progress.ts';

/** `index`: checkpoints beside a log. */
export function addIndex(program: Command): void {
  program
    .command('index')
    .description('build the checkpoints beside a log (LOG.checkpoints), from which show goes to any event in a moment')
    .argument('<log>', 'log file')
    .option('--json', 'print as JSON: {log, checkpoints, bytes, logBytes}')
    .addHelpText(
      'after',
      `
Example:
  s2lab index run.arrow

They belong to the log by its size and checksum: those of another log or of an older program are built anew, and that is said.
The file may be removed at any time.`,
    )
    .action(async (log: string, options: { json?: boolean }) => {
      const timeline = await openTimeline(log);
      const progress = new Progress(options.json === true);
      try {
        const built = await timeline.requireCheckpoints(true, (events) =>
          progress.update(() => `${log}: ${compact(events)} events indexed`),
        );
        progress.end();
        if (built === undefined) process.exitCode = 2;
        else if (options.json === true) sayJson({ log, checkpoints: built.checkpoints, bytes: built.bytes, logBytes: timeline.log.size });
        else
          say(
            `${built.path}: ${built.checkpoints} checkpoints, ${byteText(built.bytes)} (${((100 * built.bytes) / timeline.log.size).toFixed(1)} % of the log)`,
          );
      } finally {
        progress.end();
        await timeline.close();
      }
    });
}
