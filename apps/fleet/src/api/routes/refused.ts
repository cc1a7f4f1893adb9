import { z } from 'zod';

/** Answer to a request that is not obeyed. */
export const refused = z
  .object({ error: z.string().meta({ description: 'One line: what, where, why' }) })
  .meta({ id: 'Refused', description: 'Why a request was not obeyed' });
