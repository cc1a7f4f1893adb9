import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildPlugin, PLUGIN_JSON, readPluginJson } from './index.ts';

const APPS = fileURLToPath(new URL('../../../apps/', import.meta.url));
const PLUGINS = ['stage2-panel', 'stage2-datasource'];
const dir = mkdtempSync(join(tmpdir(), 's2lab-toolkit-'));
after(() => rmSync(dir, { recursive: true, force: true }));

test('the plugins of the lab describe themselves as Grafana wants it, under the ids that the code knows', async () => {
  for (const name of PLUGINS) {
    const { id, type } = readPluginJson(join(APPS, name, 'src'));
    assert.equal(`s2lab-${name}`, id);
    assert.ok(id.endsWith(type));
    assert.match(readFileSync(join(APPS, name, 'src/plugin-id.ts'), 'utf8'), new RegExp(`'${id}'`));
  }
});

test('a plugin is built into one AMD module that asks Grafana for its own modules and contains none of them', async () => {
  for (const name of PLUGINS) {
    const { folder, plugin, bytes } = await buildPlugin(join(APPS, name), join(dir, name));
    const module = readFileSync(join(folder, 'module.js'), 'utf8');
    const [, asked] = /^define\((\[[^\]]*\]),/.exec(module) ?? [];
    assert.ok(asked !== undefined, module.slice(0, 200));
    for (const dependency of JSON.parse(asked) as string[]) assert.match(dependency, /^(react|@grafana\/(data|runtime|ui))$/);
    assert.ok(bytes < 60_000, `${plugin.id}: ${bytes} bytes`);
    assert.deepEqual(readPluginJson(folder), plugin);
    assert.ok(readFileSync(join(folder, plugin.info.logos.small)).length > 0);
  }
});

test('a plugin.json that Grafana would refuse is refused in one line that names the field', () => {
  const good = readPluginJson(join(APPS, 'stage2-panel/src'));
  assert.ok(PLUGIN_JSON.safeParse(good).success);
  for (const [change, said] of [
    [{ id: 'Stage2' }, /plugin\.json: id: is ORGANISATION-NAME-TYPE/],
    [{ id: 's2lab-stage2-datasource' }, /plugin\.json: id: ends in the type/],
    [{ metrics: true }, /plugin\.json: metrics: is true for a data source/],
    [{ dependencies: { grafanaDependency: '12', plugins: [] } }, /plugin\.json: dependencies\.grafanaDependency: /],
    [{ backend: true }, /plugin\.json: : Unrecognized key/],
  ] as const) {
    writeFileSync(join(dir, 'plugin.json'), JSON.stringify({ ...good, ...change }));
    assert.throws(() => readPluginJson(dir), said);
  }
  writeFileSync(join(dir, 'plugin.json'), '{');
  assert.throws(() => readPluginJson(dir), /plugin\.json: /);
});

test('a logo that is not there and a module that cannot be built are said', async () => {
  const home = join(dir, 'broken');
  mkdirSync(home);
  cpSync(join(APPS, 'stage2-panel/src/plugin.json'), join(home, 'src/plugin.json'), { recursive: true });
  await assert.rejects(buildPlugin(home), /info\.logos: there is no img\/logo\.svg/);
  cpSync(join(APPS, 'stage2-panel/src/img'), join(home, 'src/img'), { recursive: true });
  writeFileSync(join(home, 'src/module.ts'), "import { missing } from './missing.ts';\nmissing();\n");
  await assert.rejects(buildPlugin(home), /Can't resolve '\.\/missing\.ts'/);
});
