import type { MachineTally } from '@s2lab/metrics';
import { AT } from '@s2lab/metrics';
import { LOCK_MODE, PHASE, codeName } from '@s2lab/events';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiLab } from '../api-lab.ts';
import { refused } from './refused.ts';

const MACHINES_MAX = 100;

/** By what machines may be put in order, largest first. */
const ORDERS = {
  pendingFrees: (tally: MachineTally) => tally.pendingFrees,
  pendingPeak: (tally: MachineTally) => tally.pendingPeak,
  oldestPendingNs: (tally: MachineTally) => tally.oldestPendingNs,
  tables: (tally: MachineTally) => tally.tables,
  events: (tally: MachineTally) => tally.counts[AT.rows]!,
  retries: (tally: MachineTally) => tally.counts[AT.retries]!,
  lockWaits: (tally: MachineTally) => Object.values(LOCK_MODE).reduce((sum, mode) => sum + tally.counts[AT.contended + mode]!, 0),
} as const;

type Order = keyof typeof ORDERS;

const machine = z
  .object({
    run: z.string(),
    machine: z.int().meta({ description: 'Number in its run' }),
    policy: z.string(),
    kind: z.string(),
    workload: z.string(),
    running: z.boolean(),
    phase: z.string().meta({ description: 'Phase of the scenario; empty before the first' }),
    virtualNs: z.number(),
    tableBytes: z.number(),
    ...(Object.fromEntries(Object.keys(ORDERS).map((field) => [field, z.number()])) as Record<Order, z.ZodNumber>),
  })
  .meta({ id: 'Machine', description: 'One machine at this moment; times are virtual nanoseconds' });

const query = z.object({
  by: z
    .enum(Object.keys(ORDERS) as [Order, ...Order[]])
    .default('pendingFrees')
    .meta({ description: 'What the machines are put in order by, largest first' }),
  limit: z.coerce.number().int().min(1).max(MACHINES_MAX).default(10).meta({ description: 'How many of them' }),
});

/**
 * The machines with the most of something. This is where single machines are asked for: no metric has a label for them, so the number of
 * time series does not grow with the number of machines.
 */
export function machineRoutes(lab: ApiLab): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.get(
      '/machines',
      {
        schema: {
          summary: 'The machines with the most pending frees, or the most of something else',
          tags: ['machines'],
          querystring: query,
          response: { 200: z.object({ by: z.string(), total: z.int(), machines: z.array(machine) }), 400: refused },
        },
      },
      async (request) => {
        const { by, limit } = request.query;
        const { run } = lab.runs.run.fleet;
        const tallies = Array.from(lab.events.machines()).filter(({ origin }) => origin.run === run);
        return { by, total: tallies.length, machines: top(tallies, ORDERS[by], limit).map(rowOf) };
      },
    );
    done();
  };
}

/** The `limit` largest; among equals, the lower number first. */
function top(tallies: readonly MachineTally[], by: (tally: MachineTally) => number, limit: number): MachineTally[] {
  return tallies.toSorted((a, b) => by(b) - by(a) || a.origin.machine - b.origin.machine).slice(0, limit);
}

function rowOf(tally: MachineTally): z.input<typeof machine> {
  const { origin, running, phase, virtualNs, tableBytes } = tally;
  const sizes = Object.fromEntries(Object.entries(ORDERS).map(([field, value]) => [field, value(tally)])) as Record<Order, number>;
  return {
    run: origin.run,
    machine: origin.machine,
    policy: origin.policy,
    kind: origin.machineKind,
    workload: origin.workload,
    running,
    phase: phase === 0 ? '' : codeName(PHASE, phase),
    virtualNs,
    tableBytes,
    ...sizes,
  };
}
