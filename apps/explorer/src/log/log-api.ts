import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { LogOracle, Questions } from './answers.ts';

const number = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const machine = { machine: number, run: z.string().max(200).optional() };
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const tables = z
  .string()
  .regex(/^(\d{1,9}(,\d{1,9})*)?$/)
  .max(4000)
  .transform((text) => (text === '' ? [] : text.split(',').map(Number)));
const slot = z
  .string()
  .regex(/^\d{1,9}\/\d{1,5}$/)
  .transform((text) => ({ table: Number(text.split('/')[0]), slot: Number(text.split('/')[1]) }));

const moment = {
  ...machine,
  seq: number,
  vmid: number.optional(),
  from: number.optional(),
  to: number.optional(),
  open: tables.default([]),
  mapSeq: number.optional(),
  mapVmid: number.optional(),
};

/** What each question may say, as the query of its address: `api/log/moment?machine=0&seq=41250`. */
const ASKS: { readonly [Q in keyof Questions]: z.ZodType<Questions[Q]['ask']> } = {
  about: z.strictObject({}),
  overview: z.strictObject(machine),
  moment: z.strictObject(moment),
  moments: z.strictObject({ ...moment, count: number.min(1) }),
  window: z.strictObject({ ...machine, from: number, to: number }),
  find: z.strictObject({
    ...machine,
    from: number,
    backwards: flag.default(false),
    actor: number.optional(),
    slot: slot.optional(),
    where: z.string().max(400).optional(),
  }),
};

/** Adds `api/log/…` to a server: each question about the log is a GET; a wrong one is answered with one line. */
export function addLogApi(app: FastifyInstance, oracle: LogOracle): void {
  for (const question of Object.keys(ASKS) as (keyof Questions)[]) {
    app.get(`/api/log/${question}`, async (request, reply) => {
      const asked = ASKS[question].safeParse(request.query);
      if (!asked.success)
        return reply
          .code(400)
          .type('text/plain; charset=utf-8')
          .send(`${question}: ${asked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}\n`);
      try {
        return await oracle.ask(question, asked.data);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if (error.name !== 'TimelineError') throw error;
        return reply.code(404).type('text/plain; charset=utf-8').send(`${error.message}\n`);
      }
    });
  }
}
