import { fileURLToPath } from 'node:url';
import { buildPlugin } from '@s2lab/grafana-toolkit';

/* Builds the plugin: `nx grafana-toolkit @s2lab/stage2-datasource`. With an argument, into that folder. */
const { plugin, folder, bytes } = await buildPlugin(fileURLToPath(new URL('..', import.meta.url)), process.argv[2]);
console.log(`${plugin.id} ${plugin.info.version}: ${folder}/module.js, ${bytes} bytes`);
