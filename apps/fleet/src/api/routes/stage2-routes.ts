import { stateToJson } from '@s2lab/stage2-map';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiLab } from '../api-lab.ts';
import { ApiError } from '../api-lab.ts';
import { refused } from './refused.ts';

/** Runs in an answer: unless asked otherwise, and at most (about 1 MB of JSON). */
const RUNS_DEFAULT = 4096;
const RUNS_MAX = 16_384;

const address = z
  .string()
  .regex(/^(0[xX][0-9a-fA-F]{1,13}|\d{1,16})$/, 'is no address: 0x… or decimal')
  .transform(Number)
  .refine((value) => value <= 2 ** 52, 'is beyond 2^52');
const level = z.coerce.number().int().min(0).max(3);

const query = z.object({
  vmid: z.coerce.number().int().min(0).max(65_535).optional().meta({ description: 'Which stage-2 of the machine; absent = its first' }),
  from: address.optional().meta({ description: 'First input address, 0x… or decimal; absent = 0' }),
  to: address.optional().meta({ description: 'Exclusive end; absent = the whole input address space' }),
  top: level.default(0).meta({ description: 'First level' }),
  bottom: level.default(3).meta({ description: 'Last level' }),
  maxRuns: z.coerce
    .number()
    .int()
    .min(16)
    .max(RUNS_MAX)
    .default(RUNS_DEFAULT)
    .meta({ description: 'Most runs, all levels together; neighbours are merged beyond that' }),
});

const column = z.array(z.number());
const runs = z
  .object({
    level: z.int(),
    ipa: column.meta({ description: 'First input address, bytes' }),
    count: column.meta({ description: 'Slots in the run' }),
    table: column,
    slot: column.meta({ description: 'First slot' }),
    state: column.meta({ description: '0 invalid, 1 table, 2 block, 3 page, 4 locked, 5 owner annotation' }),
    lo: column.meta({ description: 'First descriptor, bits 31:0; in a run of leaves the output goes on from slot to slot' }),
    hi: column.meta({ description: 'First descriptor, bits 63:32' }),
    merged: column.meta({ description: 'Runs that stand behind this one; 1 = it is exact' }),
    share: column.meta({ description: 'Share of the run that is in its state' }),
  })
  .meta({ id: 'Stage2Runs', description: 'Slots of one level by address, one array a column' });

const state = z
  .object({
    version: z.literal(1),
    origin: z.object({ run: z.string(), machine: z.int(), policy: z.string(), machineKind: z.string() }),
    vmid: z.int().meta({ description: 'Which stage-2 this is; -1 = the machine has none (or not this one)' }),
    vmids: z.array(z.int()).meta({ description: 'Those that the machine has: more than one under pKVM' }),
    seq: z.int().meta({ description: 'Last event included; -1 = none yet' }),
    atNs: z.number().meta({ description: 'Virtual time of that event' }),
    shape: z
      .object({ pageShift: z.int(), ipaBits: z.int(), lpa2: z.boolean() })
      .nullable()
      .meta({ description: 'null while the machine has no stage-2' }),
    features: z.object({ fwb: z.boolean(), xnx: z.boolean(), asStage1: z.boolean() }),
    from: z.number(),
    to: z.number(),
    top: z.int(),
    bottom: z.int(),
    exact: z.boolean().meta({ description: 'false = neighbouring runs were merged to bound the answer' }),
    tables: z.int().meta({ description: 'Tables that live' }),
    levels: z.array(runs),
    pending: z
      .array(z.object({ vmid: z.int(), table: z.int(), level: z.int(), ipa: z.number(), sinceNs: z.number(), held: z.boolean() }))
      .meta({ description: 'Retired sub-trees whose free is pending, oldest first; level is that of the descriptor they hung below' }),
    walkers: z.array(
      z.object({
        actor: z.int(),
        name: z.string(),
        kind: z.enum(['software', 'hardware', 'waits']),
        level: z.int(),
        table: z.int(),
        slot: z.int(),
        ipa: z.number().nullable().meta({ description: 'null in a sub-tree that no descriptor leads to' }),
        sinceSeq: z.int(),
        why: z.string(),
      }),
    ),
    memslots: z.array(z.object({ id: z.int(), ipa: z.number(), bytes: z.number(), logging: z.boolean() })),
  })
  .meta({ id: 'Stage2State', description: 'A stage-2 at one moment, as the map draws it' });

/** The stage-2 of one machine, as the map of explorer and Grafana draws it. */
export function stage2Routes(lab: ApiLab): FastifyPluginCallbackZod {
  return (app, _options, done) => {
    app.get(
      '/machines/:machine/stage2',
      {
        schema: {
          summary: 'The stage-2 of a machine at this moment',
          description:
            'The answer is bounded by maxRuns and carries an ETag that follows the machine’s events: asked again with If-None-Match it is 304 while nothing happened.',
          tags: ['machines'],
          params: z.object({ machine: z.coerce.number().int().min(0).max(1_000_000_000) }),
          querystring: query,
          response: { 200: state, 304: z.null().meta({ description: 'Nothing happened since' }), 400: refused, 404: refused },
        },
      },
      async (request, reply) => {
        const { machine } = request.params;
        const { from, to, top, bottom, ...rest } = request.query;
        if (from !== undefined && to !== undefined && to <= from) throw new ApiError(400, 'to: is not behind from');
        if (bottom < top) throw new ApiError(400, 'bottom: is above top');
        const { watch } = lab.runs;
        const seq = watch.lastSeqOf(machine);
        if (seq === undefined) throw new ApiError(404, `this run has no machine ${machine}; /api/machines lists those it has`);
        const tag = `"${lab.runs.run.fleet.run}.${machine}.${seq}"`;
        void reply.header('etag', tag).header('cache-control', 'no-cache');
        if (request.headers['if-none-match'] === tag) return reply.code(304).send(null);
        return stateToJson(watch.stateOf(machine, { from, to, top, bottom, ...rest })!) as z.input<typeof state>;
      },
    );
    done();
  };
}
