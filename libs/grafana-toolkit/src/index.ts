export { buildPlugin, type BuiltPlugin, pluginConfiguration } from './build-plugin.ts';
export { PLUGIN_JSON, readPluginJson, type PluginJson } from './plugin-json.ts';
