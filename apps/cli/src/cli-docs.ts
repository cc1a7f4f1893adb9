import type { Command } from 'commander';
import { buildProgram } from './program.ts';

/** Width of the help texts in the documentation. */
const WIDTH = 120;

/** What `--json` prints, by command: TypeScript shapes, `?` for fields that may be absent. */
const SHAPES: Readonly<Record<string, string>> = {
  start: `One JSON object a line.
{ event: 'listening', url: string, run: string, log: string | null }
{ event: 'ended', frames: number, events: number, virtualNs: number, interrupted: boolean,
  log: { path: string, bytes: number, stopped: string | null } | null, verdict: Verdict }   // Verdict as of verify`,
  run: `{ run: string, scenario: string, seed: number, frames: number, events: number, virtualNs: number, interrupted: boolean, wallSeconds: number,
  machines: { machine: number, policy: string, machineKind: string, workload: string, events: number, virtualNs: number, faults: number,
    collapses: number, splits: number, pendingFrees: number, pendingFreesPeak: number, reclaims: number, gracePeriods: number,
    tlbInvalidations: number, barriers: number, walkRetries: number, lockWaits: number, lockWaitNs: number, tlbHits: number, tlbMisses: number,
    tables: number }[],
  verdict: Verdict | null }   // null with --no-verify`,
  compare: `{ scenario: string, seed: number, report: string | null, runs: { policy: string, vcpus: number, verdict: string, events: number,
  virtualNs: number, faults: number, collapses: number, collapseRate: number, splits: number, tlbInvalidations: number, barriers: number,
  walkRetries: number, lockWaits: number, lockWaitNs: number, waits: { below: number | null, count: number }[],   // seconds
  pendingPeak: number, pendingIntegral: number, oldestPendingNs: number, pending: { at: number[], pending: number[] }, tablesPeak: number }[] }`,
  reproduce: `{ report: string | null, experiments: { name: string, title: string, source: string, method: string,
  costs: { cost: string, ns: number, fitted: boolean, why: string }[],          // besides the defaults
  figures: { name: string, simulated: number,
    published?: number, deviation: number | null,                               // simulated / published - 1; absent: the lab's own
    tolerance?: number,                                                         // 0: must be equal; absent: not judged
    fitted?: boolean, roundedFrom?: [number, number],                           // what the rounded published figure may stand for
    judgement: 'equal' | 'within' | 'rounding' | 'miss' | 'shown' }[] }[] }`,
  record: `{ run: string, log: string, bytes: number, frames: number, events: number, virtualNs: number, interrupted: boolean, machines: number, wallSeconds: number }`,
  verify: `Verdict = {
  verdict: 'holds' | 'violated' | 'unreadable',
  events: number,                                       // checked, without duplicates
  violations: { invariant: string, run: string, machine: number, seq: number, because: string,
    witness: { seq: number, text: string }[],           // the fewest events that prove it
    show: string }[],                                   // the first 100; show: the command that prints the events around seq
  counts: { [invariant: string]: number },              // all violations
  cut: string | null,                                   // what was cut off at the end of a killed run's log
  gaps: { run: string, machine: number, from: number, to: number }[],
  duplicates: number,
  damage: { damage: 'torn' | 'corrupt' | 'unsupported', where: string, because: string }[],
  machines: { run: string, machine: number, policy: string, events: number, violations: number, stopped: boolean, liveTables: number }[] }`,
  check: `{ verdict: 'safe' | 'violated' | 'unfinished',
  scenario: string, bounds: { walkers: number, collapsers: number, entries: number, mappers: number },
  strategy: 'bfs' | 'dfs' | 'dpor', reductions: ('symmetry' | 'partial-order')[],
  reachedStates: number | null,                         // those that a stored one stands for included; null with dpor
  storedStates: number, transitions: number,
  executions: number | null,                            // null without dpor
  counterexampleSteps: number | null, shortest: boolean,
  counterexample: { kind: 'assertion' | 'deadlock', because: string, steps: { process: string, does: string, changes: string[] }[] } | null,
  unfinishedBecause: string | null,
  log: null,                                            // small models have no event log
  seconds: number }
With --policy, on the full engine:
{ verdict: 'safe' | 'violated' | 'unfinished', scenario: string, policy: string,
  bounds: { walkers: number, collapsers: number, entries: number, slots: number, hardware: boolean, memory: 'sc' | 'tso' | 'pso',
    preemptions: number | null },                       // all schedules with at most so many were seen; null: all schedules
  except: string[],                                     // rules that were not judged
  strategy: 'bfs' | 'dfs' | 'preemptions', reductions: ('local-steps' | 'judge-once' | 'tables' | 'walkers' | 'sleep-sets')[], liveness: boolean,
  reachedStates: null, executions: null, storedStates: number, transitions: number, judgedPaths: number,
  counterexampleSteps: number | null,                   // steps of the machine
  shortest: boolean,                                    // none that breaks the same rule has fewer choices
  counterexample: { kind: 'violation' | 'deadlock' | 'livelock' | 'found', invariant: string | null, because: string,
    schedule: number[],                                 // who has the turn, choice by choice
    loop: number | null } | null,                       // how many of the last choices come again and again
  unfinishedBecause: string | null, log: string | null, seconds: number }
With --strategy random or pct:
{ verdict: 'violated' | 'unfinished', scenario: string, policy: string, bounds: (as above), except: string[], strategy: 'random' | 'pct',
  seed: number, depth: number, executions: number, transitions: number,
  unendedExecutions: number,                            // given up after 20,000 steps
  pairs: number, lastNewPair: number,                   // pairs of steps seen; the execution that brought the last new one
  counterexampleSteps: number | null, counterexample: (as above), unfinishedBecause: string | null, log: string | null, seconds: number }
With --all: { seconds: number, cells: (the above without log and seconds)[],
  refused: { scenario: string, policy: string, because: string }[] }`,
  replay: `One JSON object a line: { kind, seq, machine, at, actor, walk, stage2, … }; the fields of each kind are in docs/EVENTS.md.`,
  ui: `One JSON object.
{ event: 'listening', url: string, log: string | null }
{ event: 'written', folder: string, files: number, log: string | null }               // with --export`,
  show: `{ run: string, machine: number, at: number, virtualNs: number, liveTables: number,
  stage2s: { vmid: number, exists: boolean,
    lock: { readers: number, writer: number | null }, waiting: number[],           // actors, in order of arrival
    gracePeriod: { number: number, open: boolean, awaits: number[] } }[],
  actors: { actor: number,                                                         // since: the event that began it
    walks: { walk: number, op: number, ipa: number, bytes: number, flags: number, since: number }[],   // innermost first
    place: { table: number, slot: number, level: number, ipa: number, hardware: boolean, since: number } | null,
    operation: { operation: number, ipa: number, bytes: number, since: number } | null,
    fault: { fault: number, access: number, ipa: number, since: number } | null,
    lock: { mode: number, since: number } | null, waits: { mode: number, since: number } | null,
    section: { since: number } | null, reclaim: { table: number, since: number } | null,
    last: { seq: number, kind: number, at: number } | null }[],
  pending: { vmid: number, table: number, level: number, gracePeriod: number }[],
  trees: TableNode[],                                                              // one per root page, or that of --table
  tlb: { vmid: number, cache: 'tlb' | 'walk-cache', ipa: number, bytes: number, level: number, next: number | null, text: string }[] | null }
TableNode = { vmid: number, table: number, ipa: number, level: number, references: number, state: 'live' | 'freed' | 'never allocated',
  slots: { table: number, slot: number, count: number, level: number, ipa: number, bytes: number, kind: Descriptor['kind'],
    descriptor: Descriptor, child: TableNode | null }[] }                          // count: slots that go on as the first does
Descriptor = { bits: string, kind: 'empty' | 'locked' | 'annotated' | 'table' | 'block' | 'page', output: number | null,
  permissions: string | null, text: string }`,
  history: `{ run: string, machine: number, writes: { seq: number, at: number, actor: number, who: string, kind: string, table: number,
  slot: number, level: number, ipa: number, why: string, old: Descriptor | null, new: Descriptor | null }[] }   // Descriptor as of show`,
  diff: `{ equal: boolean, machines: { machine: number, events: [number, number], equal: boolean,
  divergence: null | { seq: number,                                       // the first event that differs, or that one log lacks
    events: [Event | null, Event | null],                                 // as of replay; null: this log has ended
    fields: string[],                                                     // fields in which they differ
    before: Event[], after: [Event[], Event[]] } }[] }                    // common events before it; what each log goes on with`,
  bisect: `{ found: null | { run: string, machine: number, seq: number, because: string | null,
    witness: { seq: number, text: string }[], events: Event[] } }         // Event as of replay; the events around seq`,
  index: `{ log: string, checkpoints: number, bytes: number, logBytes: number }`,
  'import trace-cmd': `{ run: string, log: string, bytes: number, frames: number, events: number, virtualNs: number, interrupted: boolean, machines: number, wallSeconds: number }`,
  'import golden': `{ log: string, events: number, frames: number, bytes: number }`,
  'import casemate': `{ log: string, events: number, frames: number, bytes: number }`,
  conform: `{ file: string, operations: number, events: number,   // compared: events, results, entries of dumps
  agreed: boolean,
  exceptions: { [name: string]: number },               // differences on purpose (docs/adr/0013), and how often each was met
  firstDifference: { operation: string, line: number, event: string, expected: string, got: string, around: string[] } | null }[]`,
  export: `{ output: string, format: 'jsonl' | 'arrow' | 'perfetto' | 'parquet' | 'casemate', events: number, damages: number }`,
  repair: `{ log: string, frames: number, cutBytes: number, damages: Verdict['damage'] }`,
  scenarios: `{ name: string, description: string, machines: number, policies: string[] }[]; with --show: the scenario, as its schema says`,
  policies: `{ name: string, summary: string, capabilities: { needsRcu: boolean, usableAtEl2: boolean, collapsesInParallel: boolean } }[]`,
  schema: `the JSON Schema (draft 2020-12) of scenario files`,
};

const HEAD = `# The command line

Generated from \`apps/cli/src\` by \`UPDATE_DOCS=1 npx node --test apps/cli/src/*.spec.ts\`; a test compares.

In the project, \`npx s2lab …\`; \`npm start\` is \`s2lab start\`.

| exit status | meaning |
|---|---|
| 0 | done; of \`verify\`, \`run\` and \`start\`: every invariant holds; of \`conform\`: every recording agrees; of \`check\`: safe within its bounds; of \`diff\`: the logs are equal; of \`bisect\`: the event was found |
| 1 | \`verify\`, \`run\`, \`start\`: an invariant is violated; \`conform\`: a recording differs; \`check\`: there is a counterexample; \`diff\`: the logs differ; \`bisect\`: there is no such event |
| 2 | bad usage or bad input, or a log that cannot be read: one line on standard error says what, where, why and what to do; no log was made |
| 3 | \`check\`: a limit ended the search before there was a verdict |
| 70 | a mistake in the program: please report it |
| 130 | stopped by Ctrl-C before the end; what was recorded is whole |

Results go to standard output, everything else to standard error. Progress is shown on a terminal only. A second Ctrl-C, a second later, stops at once.
Recording is deterministic: equal scenario, seed and options give byte-identical logs.
`;

/** docs/CLI.md: the help of every command, and what its --json prints. */
export async function cliMarkdown(): Promise<string> {
  const parts = [HEAD];
  for (const [name, command] of leaves(await buildProgram(), '')) {
    parts.push(`## s2lab ${name}\n\n\`\`\`text\n${helpText(command)}\n\`\`\``);
    const shape = SHAPES[name];
    if (shape !== undefined) parts.push(`\nWith \`--json\`:\n\n\`\`\`ts\n${shape}\n\`\`\``);
    parts.push('');
  }
  return parts.join('\n');
}

/** Commands that do something, with their full names. */
function leaves(command: Command, prefix: string): [string, Command][] {
  return command.commands.flatMap((child) => {
    const name = `${prefix}${child.name()}`;
    return child.commands.length > 0 ? leaves(child, `${name} `) : [[name, child] as [string, Command]];
  });
}

function helpText(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trimEnd();
}
