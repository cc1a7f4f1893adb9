import type { LogOracle, Questions } from '../../../log/answers.ts';

/** Asks the server behind the page. */
export const HTTP_ORACLE: LogOracle = {
  async ask<Q extends keyof Questions>(question: Q, what: Questions[Q]['ask']): Promise<Questions[Q]['answer']> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(what) as [string, unknown][]) if (value !== undefined) query.set(name, textOf(value));
    let reply: Response;
    try {
      reply = await fetch(`api/log/${question}?${query}`);
    } catch (cause) {
      throw new Error('the server does not answer', { cause });
    }
    if (!reply.ok) throw new Error((await reply.text()).trim());
    return (await reply.json()) as Questions[Q]['answer'];
  },
};

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  if (typeof value === 'object' && value !== null && 'table' in value && 'slot' in value)
    return `${String(value.table)}/${String(value.slot)}`;
  return String(value);
}
