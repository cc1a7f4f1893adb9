import type { Command } from 'commander';
import { say, sayJson } from '../output.ts';

/** `scenarios`, `policies`, `schema`: what there is. */
export function addLists(program: Command): void {
  program
    .command('scenarios')
    .description('list the built-in scenarios')
    .option('--show <name>', 'print one of them (or a scenario file, with its defaults filled in) as JSON')
    .option('--json', 'print as JSON: [{name, description, machines, policies}]')
    .action(async (options: { show?: string; json?: boolean }) => {
      if (options.show !== undefined) {
        const { loadScenario } = await import('@s2lab/fleet');
        return sayJson((await loadScenario(options.show)).scenario);
      }
      const { builtinScenarios } = await import('@s2lab/scenarios');
      const list = Array.from(builtinScenarios.values(), ({ name, description, machines }) => ({
        name,
        description,
        machines: machines.reduce((sum, machine) => sum + machine.count, 0),
        policies: [...new Set(machines.map((machine) => machine.policy))],
      }));
      if (options.json === true) return sayJson(list);
      const width = Math.max(...list.map(({ name }) => name.length));
      for (const { name, description, machines, policies } of list)
        say(`${name.padEnd(width)}  ${machines} × ${policies.join(', ')}: ${description}`);
    });

  program
    .command('policies')
    .description('list the reclaim policies')
    .option('--json', 'print as JSON: [{name, summary, capabilities}]')
    .action(async (options: { json?: boolean }) => {
      const { POLICIES } = await import('@s2lab/policies');
      const list = POLICIES.map(({ name, summary, capabilities }) => ({ name, summary, capabilities }));
      if (options.json === true) return sayJson(list);
      const width = Math.max(...list.map(({ name }) => name.length));
      for (const { name, summary } of list) say(`${name.padEnd(width)}  ${summary}`);
    });

  program
    .command('schema')
    .description('print the JSON Schema of scenario files, for editors')
    .option('--json', 'the same: it is JSON already')
    .action(async () => {
      const { scenarioJsonSchema } = await import('@s2lab/scenarios');
      sayJson(scenarioJsonSchema());
    });
}
