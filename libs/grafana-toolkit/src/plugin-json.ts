import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const IMAGE = z.string().regex(/^img\/[\w-]+\.svg$/, 'is an SVG in img/');

/**
 * What a plugin.json of ours holds: the fields that Grafana's own schema requires, with its patterns, and nothing that the schema does not know.
 * @source grafana.com/developers/plugin-tools/reference/plugin-json
 */
export const PLUGIN_JSON = z
  .strictObject({
    id: z.string().regex(/^[0-9a-z]+-([0-9a-z]+-)?(app|panel|datasource)$/, 'is ORGANISATION-NAME-TYPE'),
    type: z.enum(['panel', 'datasource']),
    name: z.string().min(1),
    /** Of a data source: it answers queries of panels. */
    metrics: z.literal(true).optional(),
    info: z.strictObject({
      description: z.string().min(1),
      keywords: z.array(z.string().min(1)).min(1),
      author: z.strictObject({ name: z.string().min(1) }),
      logos: z.strictObject({ small: IMAGE, large: IMAGE }),
      version: z.string().regex(/^\d+\.\d+\.\d+$/),
      updated: z.iso.date(),
    }),
    dependencies: z.strictObject({
      grafanaDependency: z.string().regex(/^>=\d+\.\d+\.\d+$/),
      plugins: z.array(z.strictObject({ id: z.string(), type: z.enum(['panel', 'datasource']), name: z.string() })),
    }),
  })
  .refine(({ id, type }) => id.endsWith(`-${type}`), { path: ['id'], message: 'ends in the type of the plugin' })
  .refine(({ type, metrics }) => (type === 'datasource') === (metrics === true), {
    path: ['metrics'],
    message: 'is true for a data source and absent for a panel',
  });

/** What identifies a plugin and describes it to Grafana. */
export type PluginJson = z.output<typeof PLUGIN_JSON>;

/**
 * The plugin.json in a folder, checked.
 * @throws Error in one line: which file, which field, why
 */
export function readPluginJson(folder: string): PluginJson {
  const file = join(folder, 'plugin.json');
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(`${file}: ${(cause as Error).message}`, { cause });
  }
  const checked = PLUGIN_JSON.safeParse(json);
  if (checked.success) return checked.data;
  const { path, message } = checked.error.issues[0]!;
  throw new Error(`${file}: ${path.join('.')}: ${message}`);
}
