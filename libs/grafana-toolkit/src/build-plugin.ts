import { cpSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Configuration } from 'webpack';
import webpack from 'webpack';
import type { PluginJson } from './plugin-json.ts';
import { readPluginJson } from './plugin-json.ts';

/**
 * Modules that Grafana hands to a plugin at run time: not in the bundle.
 * @source @grafana/create-plugin 7.1.7, .config/bundler/externals.ts (those that our plugins may use)
 */
const EXTERNALS = ['react', 'react-dom', 'rxjs', '@grafana/data', '@grafana/runtime', '@grafana/ui'];

/** A plugin that was built. */
export interface BuiltPlugin {
  readonly plugin: PluginJson;
  /** Folder that Grafana loads: plugin.json, module.js, img. */
  readonly folder: string;
  /** Size of module.js. */
  readonly bytes: number;
}

/**
 * Builds the plugin of a package into its `dist`, as Grafana loads it: an AMD module whose externals are Grafana's own.
 * @param home folder of the package, with src/module.ts and src/plugin.json
 * @param into where to put it, instead of `home`/dist
 * @throws Error in one line when plugin.json is wrong; with what webpack says when the module cannot be built
 */
export async function buildPlugin(home: string, into = join(home, 'dist')): Promise<BuiltPlugin> {
  const source = join(home, 'src');
  const plugin = readPluginJson(source);
  for (const logo of new Set(Object.values(plugin.info.logos)))
    if (!existsSync(join(source, logo))) throw new Error(`${join(source, 'plugin.json')}: info.logos: there is no ${logo}`);
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  await bundle(pluginConfiguration(source, into, plugin.id));
  for (const part of ['plugin.json', 'img']) cpSync(join(source, part), join(into, part), { recursive: true });
  return { plugin, folder: into, bytes: statSync(join(into, 'module.js')).size };
}

/** The configuration of webpack that `@grafana/create-plugin` scaffolds, without what only its template needs (styles, images, Sass, servers). */
export function pluginConfiguration(source: string, into: string, id: string): Configuration {
  return {
    mode: 'production',
    context: source,
    entry: { module: './module.ts' },
    externals: EXTERNALS,
    devtool: false,
    module: { rules: [{ test: /\.ts$/, use: fileURLToPath(new URL('./strip-types.cjs', import.meta.url)) }] },
    output: {
      path: into,
      filename: '[name].js',
      library: { type: 'amd' },
      publicPath: `public/plugins/${id}/`,
      uniqueName: id,
    },
    performance: { hints: false },
  };
}

async function bundle(configuration: Configuration): Promise<void> {
  const compiler = webpack(configuration)!;
  await new Promise<void>((resolve, reject) => {
    compiler.run((error, stats) => {
      compiler.close(() => {
        if (error) reject(error);
        else if (stats?.hasErrors() === true) reject(new Error(stats.toString({ all: false, errors: true, errorDetails: false })));
        else resolve();
      });
    });
  });
}
