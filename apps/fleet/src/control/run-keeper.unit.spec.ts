import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventSink, Frame } from '@s2lab/events';
import { K, MemoryLog } from '@s2lab/events';
import { Verifier } from '@s2lab/invariants';
import { assembleFleet } from '../assemble.ts';
import { pump } from '../pump.ts';
import { loadScenario } from '../scenario-source.ts';
import type { KeptRun, RunKeeperOptions } from './run-keeper.ts';
import { ControlError, RunKeeper } from './run-keeper.ts';

/** A keeper whose runs are kept in memory, with a hand on the moment at which each run has got a few frames. */
class KeptRuns {
  readonly keeper: RunKeeper;
  readonly log = new MemoryLog();
  readonly begun: KeptRun[] = [];
  readonly ended: string[] = [];
  readonly stop = new AbortController();
  readonly done: Promise<void>;
  private readonly verifier = new Verifier();
  private readonly moments: { readonly run: string; readonly frames: number; readonly reached: () => void }[] = [];

  constructor(scenario: string, options: Partial<RunKeeperOptions> = {}) {
    const loaded = { scenario: parsed.get(scenario)!, recordings: new Map() };
    const nameRun: RunKeeperOptions['nameRun'] = (derived, _scenario, _seed, number) => `${derived}-${number}`;
    this.keeper = new RunKeeper({ loaded, policy: null, seed: 3, speed: 0, repeat: false, nameRun, ...options });
    const sink: EventSink = { write: async (frame) => this.write(frame), close: async () => {} };
    this.done = this.keeper.keep(
      {
        begin: async (run) => {
          this.begun.push(run);
          return [sink];
        },
        ended: async (run) => {
          this.ended.push(run.fleet.run);
        },
      },
      this.stop.signal,
    );
  }

  /** Resolves when `run` has made so many frames. */
  async frames(run: string, frames: number): Promise<void> {
    await new Promise<void>((reached) => {
      this.moments.push({ run, frames, reached });
    });
  }

  framesOf(run: string): Frame[] {
    return this.log.kept.filter(({ origin }) => origin.run === run);
  }

  async end(): Promise<Verifier> {
    this.stop.abort();
    await this.done;
    return this.verifier;
  }

  private async write(frame: Frame): Promise<void> {
    await this.log.write(frame);
    this.verifier.fold(frame);
    const count = this.framesOf(frame.origin.run).length;
    for (const { run, frames, reached } of this.moments) if (run === frame.origin.run && frames === count) reached();
    await new Promise((resolve) => {
      setImmediate(resolve); // a control may come in between
    });
  }
}

const parsed = new Map(
  await Promise.all(['smoke', 'demo', 'migration'].map(async (name) => [name, (await loadScenario(name)).scenario] as const)),
);

/** The first `count` events of a machine, however its frames were cut: a line each, as one text, which is quick to compare. */
function eventsOf(frames: readonly Frame[], machine: number, count: number): string {
  const events: string[] = [];
  for (const { origin, rows } of frames) {
    if (origin.machine !== machine) continue;
    for (let i = 0; i < rows.length && events.length < count; i += 1)
      events.push([rows.kind[i], rows.at[2 * i], rows.at[2 * i + 1], rows.actor[i], rows.table[i], rows.new[2 * i], rows.arg[i]].join());
  }
  return events.join('\n');
}

test('another policy ends the run with its reason and begins one under its own name, whose events are those it has alone', async () => {
  const runs = new KeptRuns('demo');
  const first = runs.keeper.run.fleet.run;
  await runs.frames(first, 6);
  const { run, began } = await runs.keeper.change({ policy: 'hazard' });
  assert.equal(run, first);
  assert.notEqual(began, first);
  await runs.frames(began!, 8);
  const verifier = await runs.end();

  for (const ended of [first, began!]) {
    for (let machine = 0; machine < 4; machine += 1) {
      const last = runs.framesOf(ended).findLast(({ origin }) => origin.machine === machine)!.rows;
      assert.deepEqual([last.kind[last.length - 1], last.arg[last.length - 1]], [K.machineStopped, 1], `${ended}, machine ${machine}`);
    }
  }
  assert.deepEqual(new Set(runs.framesOf(began!).map(({ origin }) => origin.policy)), new Set(['hazard']));
  assert.equal(verifier.finish().verdict, 'holds', 'no gap, no second writer, no rule broken');

  const alone = new MemoryLog();
  const { producer } = assembleFleet(parsed.get('demo')!, { seed: 3, policy: 'hazard' });
  await pump(producer, [alone], { speed: 0, untilNs: 16e6 });
  const expected = eventsOf(alone.kept, 0, 20_000);
  assert.equal(expected.split('\n').length, 20_000);
  assert.ok(eventsOf(runs.framesOf(began!), 0, 20_000) === expected);
  const { because } = runs.begun[1]!;
  assert.deepEqual(because?.change, { policy: 'hazard' });
  assert.equal(because?.began, began);
});

test('speed and pause change no event of the run that goes on', async () => {
  const runs = new KeptRuns('smoke');
  const { run } = runs.keeper.run.fleet;
  await runs.frames(run, 1);
  assert.equal((await runs.keeper.change({ paused: true })).began, null);
  assert.equal((await runs.keeper.change({ speed: 0.5, paused: false })).began, null);
  await runs.keeper.change({ speed: 0 });
  while (runs.keeper.isRunning)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  await runs.end();
  const alone = new MemoryLog();
  await pump(assembleFleet(parsed.get('smoke')!, { seed: 3 }).producer, [alone], { speed: 0 });
  assert.equal(runs.begun.length, 1);
  assert.ok(eventsOf(runs.framesOf(run), 0, Infinity) === eventsOf(alone.kept, 0, Infinity));
  assert.deepEqual(
    runs.keeper.history.map(({ change }) => change),
    [{ paused: true }, { speed: 0.5, paused: false }, { speed: 0 }],
  );
});

test('a control that cannot be obeyed changes nothing', async () => {
  const runs = new KeptRuns('demo');
  const before = runs.keeper.state;
  const { run } = runs.keeper.run.fleet;
  await runs.frames(run, 1);
  await assert.rejects(runs.keeper.change({ policy: 'no-such', speed: 7 }), /policy 'no-such' does not exist; there are rcu, /);
  await assert.rejects(runs.keeper.change({ scenario: '/etc/passwd' }), ControlError);
  assert.deepEqual(runs.keeper.state, before);
  assert.equal(runs.keeper.run.fleet.run, run);
  assert.deepEqual(runs.keeper.history, []);
  await runs.end();
  assert.equal(runs.begun.length, 1);
});

test('injected faults are part of the run that they begin, and of no other', async () => {
  const runs = new KeptRuns('migration');
  await runs.frames(runs.keeper.run.fleet.run, 2);
  const { began } = await runs.keeper.change({ faults: [{ kind: 'preempted-walkers', durationNs: 1000, level: 0, oneIn: 5 }] });
  await runs.frames(began!, 2);
  const next = await runs.keeper.change({ faults: [] });
  await runs.frames(next.began!, 2);
  await runs.end();
  const injected = runs.begun.map(({ fleet }) =>
    runs.framesOf(fleet.run).some(({ rows }) => rows.kind.subarray(0, rows.length).includes(K.faultInjected)),
  );
  assert.deepEqual(injected, [false, true, false]);
});

test('a run that ended is followed by one with the next seed, or waits for a control', async () => {
  const repeated = new KeptRuns('smoke', { repeat: true });
  while (repeated.begun.length < 3)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  await repeated.end();
  assert.deepEqual(
    repeated.begun.slice(0, 3).map(({ seed }) => seed),
    [3, 4, 5],
  );
  assert.equal(new Set(repeated.begun.map(({ fleet }) => fleet.run)).size, repeated.begun.length);

  const once = new KeptRuns('smoke');
  while (once.ended.length === 0)
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  assert.equal(once.keeper.isRunning, false);
  await once.keeper.change({ seed: 9 });
  assert.deepEqual(
    once.begun.map(({ seed }) => seed),
    [3, 9],
  );
  await once.end();
});
