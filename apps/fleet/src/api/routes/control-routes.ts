import { POLICIES } from '@s2lab/policies';
import { FAULT_KINDS, ScenarioError, faultSchema } from '@s2lab/scenarios';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ControlError } from '../../control/run-keeper.ts';
import type { ApiLab } from '../api-lab.ts';
import { ApiError } from '../api-lab.ts';
import { refused } from './refused.ts';

/** Largest speed that may be asked for; above what any machine reaches. */
const SPEED_MAX = 1000;
const FAULTS_MAX = 16;

const name = z.string().min(1).max(64);
const runId = z.string().meta({ description: 'Name of a run; each run has its own' });
const speed = z.number().min(0).max(SPEED_MAX).meta({ description: 'Virtual seconds per wall second; 0 = as fast as it goes' });

const settings = {
  scenario: name.meta({ description: 'Workload: a built-in scenario, or the one the lab was started with' }),
  policy: name.nullable().meta({ description: 'Reclaim policy of all machines; null = each machine’s own, as the scenario says' }),
  seed: z.int().min(0).max(0xffff_ffff).meta({ description: 'Seed of the run' }),
  faults: z
    .array(faultSchema)
    .max(FAULTS_MAX)
    .nullable()
    .meta({ description: 'Faults injected into every machine; null = those of the scenario' }),
  speed,
  paused: z.boolean().meta({ description: 'Virtual time stands still' }),
};

const change = z.strictObject(settings).partial().meta({ id: 'ControlChange', description: 'What is to change; what is absent stays' });

const record = z
  .object({
    at: z.string().meta({ description: 'Wall time, ISO 8601' }),
    change,
    run: runId,
    virtualNs: z.number().meta({ description: 'Virtual time of that run when it was asked, ns' }),
    began: runId.nullable().meta({ description: 'The run that began because of it; null when the run went on' }),
  })
  .meta({ id: 'ControlRecord', description: 'A control, and where it struck' });

const control = z
  .object({ ...settings, run: runId, startedBy: record.nullable().meta({ description: 'The control this run began with, if one did' }) })
  .meta({ id: 'Control', description: 'What is asked for, and the run that obeys it' });

const options = z
  .object({
    policies: z.array(z.object({ name, summary: z.string() })),
    scenarios: z.array(z.object({ name, description: z.string(), machines: z.int(), policies: z.array(name) })),
    faults: z.array(z.object({ kind: name, title: z.string(), description: z.string(), preset: faultSchema })),
    speed: z.object({ least: z.number(), most: z.number() }),
  })
  .meta({ id: 'ControlOptions', description: 'What may be chosen' });

/** Policy, workload, faults, speed and pause of the running lab. */
export function controlRoutes(lab: ApiLab): FastifyPluginCallbackZod {
  const present = (): z.output<typeof control> => {
    const { fleet, because } = lab.runs.run;
    const { faults, ...state } = lab.runs.state;
    return { ...state, faults: faults === null ? null : [...faults], run: fleet.run, startedBy: because === null ? null : told(because) };
  };
  return (app, _options, done) => {
    app.get(
      '/control',
      { schema: { summary: 'What is asked for, and the run that obeys it', tags: ['control'], response: { 200: control } } },
      async () => present(),
    );
    app.patch(
      '/control',
      {
        schema: {
          summary: 'Change policy, workload, seed, faults, speed or pause',
          description:
            'Speed and pause strike the run that goes on and change none of its events. Everything else ends that run and begins another one under a new id, from its first event.',
          tags: ['control'],
          body: change,
          response: { 200: control, 400: refused, 403: refused, 409: refused },
        },
      },
      async (request) => {
        try {
          await lab.runs.change(request.body);
        } catch (error) {
          if (error instanceof ScenarioError) throw new ApiError(400, error.message);
          if (error instanceof ControlError) throw new ApiError(409, error.message);
          throw error;
        }
        return present();
      },
    );
    app.get('/control/options', { schema: { summary: 'What may be chosen', tags: ['control'], response: { 200: options } } }, async () => ({
      policies: POLICIES.map(({ name: policy, summary }) => ({ name: policy, summary })),
      scenarios: lab.runs.choices.map(({ name: scenario, description, machines }) => ({
        name: scenario,
        description,
        machines: machines.reduce((sum, machine) => sum + machine.count, 0),
        policies: [...new Set(machines.map((machine) => machine.policy))],
      })),
      faults: Object.entries(FAULT_KINDS).map(([kind, { title, description, preset }]) => ({ kind, title, description, preset })),
      speed: { least: 0, most: SPEED_MAX },
    }));
    app.get(
      '/control/history',
      {
        schema: {
          summary: 'The latest controls, oldest first; a hundred at most',
          tags: ['control'],
          response: { 200: z.object({ controls: z.array(record) }) },
        },
      },
      async () => ({ controls: lab.runs.history.map(told) }),
    );
    done();
  };
}

type Told = z.output<typeof record>;

/** A record as it is answered: its lists are copies. */
function told(made: ApiLab['runs']['history'][number]): Told {
  return structuredClone(made) as Told;
}
