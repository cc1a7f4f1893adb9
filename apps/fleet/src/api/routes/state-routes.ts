import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiLab } from '../api-lab.ts';

const state = z
  .object({
    run: z.string().meta({ description: 'The run that goes on, or the last one' }),
    running: z.boolean().meta({ description: 'Whether its machines have not stopped' }),
    runs: z.int().meta({ description: 'Runs begun since the process started' }),
    scenario: z.string(),
    seed: z.int(),
    speed: z.number().meta({ description: 'Virtual seconds per wall second asked for; 0 = as fast as it goes' }),
    paused: z.boolean(),
    machines: z.int().meta({ description: 'Machines of the run' }),
    output: z.object({
      to: z.enum(['kafka', 'file', 'nowhere']),
      where: z.string().meta({ description: 'Topic or file' }),
      waitingFor: z.string().nullable().meta({ description: 'Why nothing gets through at this moment; null when it does' }),
    }),
  })
  .meta({ id: 'State', description: 'The lab in a few words' });

/** The lab in a few words. */
export function stateRoutes(lab: ApiLab): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.get('/state', { schema: { summary: 'The lab in a few words', tags: ['state'], response: { 200: state } } }, async () => {
      const { fleet, scenario, seed } = lab.runs.run;
      const { speed, paused } = lab.runs.state;
      return {
        run: fleet.run,
        running: lab.runs.isRunning,
        runs: lab.runs.runCount,
        scenario: scenario.name,
        seed,
        speed,
        paused,
        machines: fleet.machines.length,
        output: lab.output(),
      };
    });
    done();
  };
}
