/**
 * Who may import whom: package → the packages it may import, in source and as dependencies in its package.json.
 * This table is the architecture's one statement of it; docs/ARCHITECTURE.md draws it. Specs and benches may import `testkit` and anything else besides.
 */
export const EDGES: Readonly<Record<string, readonly string[]>> = {
  arch: [],
  events: ['arch'],
  // The oracle never sees the code that it judges: an oracle that shares the engine's code shares its bugs.
  invariants: ['arch', 'events'],
  engine: ['arch', 'events'],
  policies: ['arch', 'events', 'engine'],
  scheduler: ['arch', 'events', 'engine'],
  // Designs in a few bytes, and every schedule of them: no engine.
  'small-models': [],
  // What the engine may do, searched: beside the engine it knows the rules that judge.
  checker: ['arch', 'events', 'engine', 'scheduler', 'invariants', 'small-models'],
  scenarios: ['arch', 'events', 'engine'],
  // Workloads recorded elsewhere: the kernel's own operation scripts and tracepoints.
  recordings: ['arch', 'events'],
  // The engine held against recordings of the kernel's own code.
  conformance: ['arch', 'events', 'engine', 'policies', 'scheduler', 'scenarios', 'recordings'],
  // Published measurements repeated on the engine.
  experiments: ['arch', 'events', 'engine', 'policies', 'scheduler'],
  frame: ['arch', 'events'],
  'transport-file': ['arch', 'events', 'frame'],
  'transport-kafka': ['arch', 'events', 'frame'],
  metrics: ['arch', 'events'],
  // Views of the metrics: what Grafana and the page draw.
  dashboards: ['metrics'],
  // Replays: the world at any event, by the engine's own evolve.
  timeline: ['arch', 'events', 'engine'],
  // A stage-2 as a map: what the page and the panel draw, and what the fleet answers.
  'stage2-map': ['arch', 'events', 'engine', 'timeline'],
  // One pass over a log for verdict, checkpoints and overview, and seeks in it; runs in a browser as well.
  survey: ['events', 'timeline', 'invariants', 'frame'],
  seek: ['frame', 'survey', 'timeline', 'transport-file'],
  testkit: anyLibraryAnd(),
  // Builds and checks the plugins for Grafana.
  'grafana-toolkit': [],
  'stage2-panel': ['stage2-map', 'grafana-toolkit'],
  'stage2-datasource': ['stage2-map', 'grafana-toolkit'],
  infra: ['metrics', 'dashboards', 'stage2-panel', 'stage2-datasource'],
  explorer: anyLibraryAnd(),
  fleet: anyLibraryAnd(),
  // As the oracle: nothing that decides what happens.
  verifier: ['arch', 'events', 'invariants', 'frame', 'transport-file', 'transport-kafka', 'metrics'],
  cli: anyLibraryAnd('explorer', 'fleet', 'verifier'),
};

/** Edges that should not be and are borne for now, `from → to: why, and until when`. Empty is the aim. */
export const DEBT: Readonly<Record<string, string>> = {};

/** Packages that only specs and benches may import. */
export const SPEC_ONLY: readonly string[] = ['testkit'];

/** Packages of pure code: no Node built-in, no clock, no timer, no chance, no I/O. The workspace check (workspace.ts) compares this with the `plane:pure` tags. */
export const PURE: readonly string[] = [
  'arch',
  'events',
  'engine',
  'policies',
  'scheduler',
  'scenarios',
  'recordings',
  'invariants',
  'conformance',
  'experiments',
  'checker',
  'small-models',
  'timeline',
  'stage2-map',
];

/** Libraries from outside that pure packages may use, being pure themselves. */
export const PURE_LIBRARIES: readonly string[] = ['zod'];

/** Whether `from` may import `to`. */
export function mayImport(from: string, to: string): boolean {
  return from === to || (EDGES[from]?.includes(to) ?? false) || `${from} → ${to}` in DEBT;
}

function anyLibraryAnd(...apps: string[]): string[] {
  return [
    'arch',
    'events',
    'invariants',
    'engine',
    'policies',
    'scheduler',
    'checker',
    'small-models',
    'scenarios',
    'recordings',
    'conformance',
    'experiments',
    'frame',
    'transport-file',
    'transport-kafka',
    'metrics',
    'dashboards',
    'timeline',
    'stage2-map',
    'survey',
    'seek',
    ...apps,
  ];
}
