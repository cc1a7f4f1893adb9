// `npm run drills [-- --only PATTERN] [--write]`: runs each drill (infra/drills/*.drill.ts) in a process of its own and prints a table.
import { spawnSync } from 'node:child_process';
import { globSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './project.ts';

const DOCUMENT = 'docs/drills.md';

/** What a drill prints: see infra/drills/drill.ts. */
interface Outcome {
  readonly drill: string;
  readonly lost: string;
  readonly recovery: string;
  readonly recoveredMs: number;
  readonly seen: string;
}

function runDrill(file: string): Outcome | undefined {
  process.stderr.write(`${basename(file, '.drill.ts')} …\n`);
  const { stdout, status } = spawnSync(process.execPath, [join(ROOT, file)], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 300_000,
  });
  const line = stdout.split('\n').find((text) => text.startsWith('{'));
  return status === 0 && line !== undefined ? (JSON.parse(line) as Outcome) : undefined;
}

function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(
    ({ drill, lost, recovery, recoveredMs, seen }) =>
      `| ${drill} | ${lost} | ${(recoveredMs / 1000).toFixed(2)} s (${recovery}) | ${seen} |`,
  );
  return ['| drill | lost | recovery | seen |', '|---|---|---|---|', ...rows].join('\n');
}

function document(outcomes: readonly Outcome[]): string {
  return `# Drills

What happens when a part of the lab fails, tried against the real parts: Kafka's broker, Prometheus, the programs of the stack, the disk. Written by
\`npm run drills -- --write\`, which runs \`infra/drills/*.drill.ts\`; \`--only PATTERN\` runs some. A drill fails when anything is lost: after each, a
reader of its own reads the whole topic or log and a verifier judges it (gaps, order, one writer a machine, every invariant).

Measured on ${cpus().length} cores, Node ${process.versions.node}.

${table(outcomes)}
`;
}

const { values } = parseArgs({ options: { only: { type: 'string', default: '' }, write: { type: 'boolean', default: false } } });
const files = globSync('infra/drills/*.drill.ts', { cwd: ROOT })
  .filter((file) => file.includes(values.only))
  .sort();
const outcomes = files.map((file) => ({ file, outcome: runDrill(file) }));
const done = outcomes.flatMap(({ outcome }) => outcome ?? []);
const failed = outcomes.filter(({ outcome }) => outcome === undefined).map(({ file }) => file);
console.log(table(done));
if (values.write && failed.length === 0) writeFileSync(join(ROOT, DOCUMENT), document(done));
if (files.length === 0 || failed.length > 0) {
  console.error(files.length === 0 ? `drills: no drill matches ${values.only}` : `drills: failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
