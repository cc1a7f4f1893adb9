import type { Damage, Frame } from '@s2lab/events';
import { SequenceGuard } from '@s2lab/events';
import type { Ledger, MachineState } from './machine-fold.ts';
import { MachineFold } from './machine-fold.ts';
import { brokenSequence, secondWriter } from './rules/i17-log-order.ts';
import { CASEMATE_PROFILES } from './casemate/profile.ts';
import type { Rule } from './rule.ts';
import { RULES } from './rules/index.ts';
import { Bookmark } from './snapshot/bookmark.ts';
import { SNAPSHOT_CLASSES } from './snapshot/classes.ts';
import type { GraphRecord } from './snapshot/object-graph.ts';
import { decodeGraph, encodeGraph } from './snapshot/object-graph.ts';
import type { MissingEvents, Verdict, Violation } from './verdict.ts';
import { missingEvents } from './verdict.ts';

/** What to check. */
export interface VerifierOptions {
  /** Ids of the rules to check, such as `I3`. Default: all. */
  readonly rules?: readonly string[];
  /** A set of further rules, for traces of other programs: one of PROFILES. Default: none. */
  readonly profile?: string;
  /** How many violations to keep with their proofs; all are counted. Default 100. */
  readonly maxViolations?: number;
  /** The log, as the commands that show a violation are to name it: a file or `kafka://…`. Default `LOG`. */
  readonly log?: string;
}

/** How far a verifier has come. */
export interface VerifierProgress {
  readonly events: number;
  readonly violations: number;
  readonly machines: number;
  readonly liveTables: number;
}

/** Raised when the meaning of a state changes that its fields do not show. */
const SNAPSHOT_VERSION = 3;

/** The state of a verifier between two frames: plain data, for a checkpoint. */
export interface VerifierSnapshot {
  readonly version: number;
  readonly rules: readonly string[];
  readonly records: readonly GraphRecord[];
}

interface VerifierState {
  readonly positions: readonly (readonly [string, number])[];
  readonly machines: readonly (readonly [string, MachineState])[];
  readonly violations: readonly Violation[];
  readonly counts: readonly (readonly [string, number])[];
  readonly gaps: readonly MissingEvents[];
  readonly damage: readonly Damage[];
  readonly cut: string | null;
  readonly duplicates: number;
}

/**
 * Folds frames of any number of machines into shadow worlds and collects violations. Frames of one machine come in order; frames of
 * different machines may be mixed. Memory grows with live tables and machines, never with the length of the log.
 */
export class Verifier {
  private readonly rules: readonly Rule[];
  private readonly guard = new SequenceGuard();
  private readonly machines = new Map<string, MachineFold>();
  private readonly ledger: Ledger;
  private readonly gaps: MissingEvents[] = [];
  private readonly damage: Damage[] = [];
  private cut: string | null = null;
  private duplicates = 0;

  /** @throws RangeError when an option names a rule or profile that does not exist or a negative bound. */
  constructor(options: VerifierOptions = {}) {
    const rules = options.rules === undefined ? RULES : options.rules.map(ruleById);
    this.rules = options.profile === undefined ? rules : [...rules, profileByName(options.profile)];
    const maxViolations = options.maxViolations ?? 100;
    if (!Number.isInteger(maxViolations) || maxViolations < 0)
      throw new RangeError(`maxViolations ${maxViolations}: needs a whole number, 0 or more`);
    this.ledger = { violations: [], counts: new Map(), maxViolations, log: options.log ?? 'LOG' };
  }

  /** All that judging the rest of the log needs, as records that structured clone takes. */
  snapshot(): VerifierSnapshot {
    const state: VerifierState = {
      positions: [...this.guard.positions()],
      machines: [...this.machines].map(([key, machine]) => [key, machine.state()]),
      violations: this.ledger.violations,
      counts: [...this.ledger.counts],
      gaps: this.gaps,
      damage: this.damage,
      cut: this.cut,
      duplicates: this.duplicates,
    };
    return { version: SNAPSHOT_VERSION, rules: this.rules.map(({ id }) => id), records: encodeGraph(state, SNAPSHOT_CLASSES) };
  }

  /**
   * A verifier that goes on where `snapshot` was taken; the options must be those of the verifier that took it.
   * @throws RangeError when the snapshot is of another version of this program, or of other rules
   */
  static resume(snapshot: VerifierSnapshot, options: VerifierOptions = {}): Verifier {
    const verifier = new Verifier(options);
    const rules = verifier.rules.map(({ id }) => id).join();
    if (snapshot.version !== SNAPSHOT_VERSION)
      throw new RangeError(`a snapshot of version ${snapshot.version}; this program has ${SNAPSHOT_VERSION}`);
    if (snapshot.rules.join() !== rules) throw new RangeError(`a snapshot of the rules ${snapshot.rules.join()}; asked for are ${rules}`);
    const state = decodeGraph(snapshot.records, SNAPSHOT_CLASSES) as VerifierState;
    verifier.guard.restore(state.positions);
    for (const [key, machine] of state.machines) verifier.resumeMachine(key, machine);
    verifier.ledger.violations.push(...state.violations);
    for (const [id, count] of state.counts) verifier.ledger.counts.set(id, count);
    verifier.gaps.push(...state.gaps);
    verifier.damage.push(...state.damage);
    verifier.cut = state.cut;
    verifier.duplicates = state.duplicates;
    return verifier;
  }

  /** Notes where the fold is. What this returns takes the verifier back there, as often as it is called. */
  bookmark(): () => void {
    const states = [...this.machines].map(([key, machine]) => [key, machine, machine.state()] as const);
    const positions = [...this.guard.positions()];
    const kept = new Bookmark([states.map(([, , { world, kept: ofRules }]) => [world, ofRules]), this.ledger, this.gaps, this.damage]);
    const { cut, duplicates } = this;
    return () => {
      kept.putBack();
      this.guard.restore(positions);
      this.machines.clear();
      for (const [key, machine, state] of states) {
        // One that had not begun has no rules attached, and they cannot be detached.
        if (state.world === undefined) this.resumeMachine(key, { ...state, kept: {} });
        else {
          machine.rewind(state);
          this.machines.set(key, machine);
        }
      }
      this.cut = cut;
      this.duplicates = duplicates;
    };
  }

  /** Folds one frame. Rows that were seen before are dropped; a gap is a violation of I17 and ends the judging of that machine. */
  fold(frame: Frame): void {
    const { frame: fresh, duplicates, gap } = this.guard.admit(frame);
    this.duplicates += duplicates;
    const machine = this.machineOf(frame);
    if (gap !== undefined) {
      this.gaps.push(missingEvents(gap));
      machine.accuse('I17', gap.found, brokenSequence(gap.expected, gap.found));
      machine.blind = true;
    }
    if (fresh !== undefined) machine.fold(fresh.rows, fresh.firstSeq);
  }

  /** Notes a part of the log that could not be read. */
  noteDamage(damage: Damage): void {
    if (damage.damage === 'torn') this.cut = `${damage.where}: ${damage.because}`;
    else this.damage.push(damage);
  }

  /** Figures so far, for progress lines and metrics. */
  progress(): VerifierProgress {
    let events = 0;
    let liveTables = 0;
    let violations = 0;
    for (const machine of this.machines.values()) {
      events += machine.events;
      violations += machine.violations;
      liveTables += machine.world?.tables.live ?? 0;
    }
    return { events, violations, machines: this.machines.size, liveTables };
  }

  /** Violations found so far, exact. */
  get violationCount(): number {
    let found = 0;
    for (const count of this.ledger.counts.values()) found += count;
    return found;
  }

  /** Violations found so far by invariant, exact. */
  counts(): ReadonlyMap<string, number> {
    return this.ledger.counts;
  }

  /** The verdict on what was folded so far. May be asked more than once. */
  finish(): Verdict {
    const { events, violations } = this.progress();
    const unreadable = this.damage.length > 0 || events === 0;
    return {
      verdict: violations > 0 ? 'violated' : unreadable ? 'unreadable' : 'holds',
      events,
      violations: [...this.ledger.violations],
      counts: Object.fromEntries([...this.ledger.counts].toSorted(([a], [b]) => this.place(a) - this.place(b))),
      cut: this.cut,
      gaps: [...this.gaps],
      duplicates: this.duplicates,
      damage: [...this.damage],
      machines: [...this.machines.values()].map((machine) => ({
        run: machine.origin.run,
        machine: machine.origin.machine,
        policy: machine.origin.policy,
        events: machine.events,
        violations: machine.violations,
        stopped: machine.stopped,
        liveTables: machine.world?.tables.live ?? 0,
      })),
    };
  }

  private resumeMachine(key: string, state: MachineState): void {
    const fold = new MachineFold(state.origin, this.rules, this.ledger);
    fold.resume(state);
    this.machines.set(key, fold);
  }

  private place(id: string): number {
    return this.rules.findIndex((rule) => rule.id === id);
  }

  private machineOf(frame: Frame): MachineFold {
    const { origin } = frame;
    const key = `${origin.run}/${origin.machine}`;
    let machine = this.machines.get(key);
    if (machine === undefined) {
      machine = new MachineFold(origin, this.rules, this.ledger);
      this.machines.set(key, machine);
    } else if (
      origin.policy !== machine.origin.policy ||
      origin.machineKind !== machine.origin.machineKind ||
      origin.workload !== machine.origin.workload
    ) {
      if (!machine.blind) machine.accuse('I17', frame.firstSeq, secondWriter(frame.firstSeq, machine.origin, origin));
      machine.blind = true;
    }
    return machine;
  }
}

function ruleById(id: string): Rule {
  const rule = RULES.find((known) => known.id === id);
  if (rule === undefined) throw new RangeError(`no rule ${id}; there are ${RULES.map((known) => known.id).join(', ')}`);
  return rule;
}

/** Sets of rules for traces of other programs, by name. */
export const PROFILES: readonly string[] = Object.keys(CASEMATE_PROFILES);

function profileByName(name: string): Rule {
  const rule = CASEMATE_PROFILES[name];
  if (rule === undefined) throw new RangeError(`no profile ${name}; there are ${PROFILES.join(', ')}`);
  return rule;
}
