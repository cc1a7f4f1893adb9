import type { MachineConfig } from '@s2lab/engine';
import { COMMAND, DEFAULT_COSTS, machineConfig } from '@s2lab/engine';
import { policyByName } from '@s2lab/policies';
import type { GoldenLine } from '@s2lab/recordings';
import { RecordingError } from '@s2lab/recordings';
import { DifferenceFound } from './difference.ts';
import { EnginePlayer } from './engine-player.ts';
import { emptyReads, expectedItems } from './expected-items.ts';
import type { RecordedConfig } from './recorded-operations.ts';
import { changedConfig, initialConfig, kvmCommand, libraryCommand } from './recorded-operations.ts';
import { leafAtWalker, lookUp, digestTree, dumpItems } from './tree-digest.ts';

/** Nothing where something was expected, or the other way round. */
const NOTHING = '(nothing)';
/** VMID of the recorded stage-2. */
const GUEST = 1;
const RESULT_MIN = -4096;
const RESULT_MAX = 2 ** 31 - 1;
/** Name of the one difference on purpose; docs/adr/0013 argues it. */
const UNLINK_LOCK = 'destroy_vm without its lock';

/** A walker of a parallel block, between its operations or in one. */
interface ParallelWalker {
  operation: string;
  running: boolean;
  result: number | undefined;
  /** The walker's last event line. */
  last: GoldenLine | undefined;
}

/**
 * Plays a recording through the engine line by line and compares what it does with what the lines say. In sequence one actor runs to the
 * end of its operation; in a parallel block each line lets its walker run to its next event, so that the recorded order is the schedule.
 */
export class Comparison {
  operations = 0;
  events = 0;
  /** The operation being compared, for messages. */
  operation = '(before the first operation)';
  /** Differences on purpose, by name, and how often they were met. */
  readonly exceptions: Record<string, number> = {};
  private readonly lines: readonly GoldenLine[];
  private readonly old: boolean;
  private readonly kvm: boolean;
  private config: RecordedConfig;
  private player: EnginePlayer | undefined;
  private parallel = false;
  private readonly walkers = new Map<number, ParallelWalker>();

  /** @param lines all lines, the `trace` line first */
  constructor(lines: readonly GoldenLine[]) {
    this.lines = lines;
    const trace = lines[0]!;
    this.old = trace.text('kernel').startsWith('v6.1');
    this.kvm = trace.has('files');
    const vcpus = lines.reduce((most, line) => (line.has('walkers') ? Math.max(most, line.whole('walkers', 1, 1024)) : most), 1);
    this.config = { vcpus, dic: false, reuseFrames: false, costs: DEFAULT_COSTS };
  }

  /** Compares everything. @throws DifferenceFound at the first difference, RecordingError for a line that makes no sense */
  run(): void {
    let i = 1;
    while (i < this.lines.length) {
      const line = this.lines[i]!;
      if (line.has('end')) return;
      if (line.has('par')) this.switchMode(line);
      else if (this.parallel) this.parallelLine(line, i);
      else {
        i = this.sequentialOperation(line, i);
        continue;
      }
      i += 1;
    }
    throw new RecordingError(this.lines.length, 'the recording is cut off: its {"end":1} line is missing');
  }

  private setting() {
    const { pageShift = 12, lpa2 = false } = this.config;
    return { pageShift, lpa2, old: this.old };
  }

  private engine(line: GoldenLine): EnginePlayer {
    if (this.player === undefined) throw new RecordingError(line.number, 'an operation before "init"');
    return this.player;
  }

  /** Plays the operation that begins at line `at`; returns the index of the line after its result. */
  private sequentialOperation(op: GoldenLine, at: number): number {
    if (!op.has('op')) throw new RecordingError(op.number, 'an operation must begin here');
    const name = op.text('name');
    this.beginOperation(op, '');
    const actor = this.beginSequential(op, name);
    if (name === 'destroy_vm' && !this.beginsLocked(at)) this.unlinkUnrecorded(op, actor);
    const dumped = name === 'dump' ? dumpItems(this.engine(op).machine.world, GUEST) : undefined;
    const next = (): string | undefined => {
      if (dumped !== undefined) return dumped.next().value ?? undefined;
      return actor < 0 ? undefined : this.advance(op, actor);
    };
    for (let i = at + 1; i < this.lines.length; i += 1) {
      const line = this.lines[i]!;
      if (line.has('ret')) {
        this.same(line, NOTHING, next() ?? NOTHING);
        this.sequentialResult(op, name, line, actor);
        return i + 1;
      }
      for (const item of expectedItems(line, this.setting())) this.same(line, item, next() ?? NOTHING);
    }
    throw new RecordingError(op.number, 'the operation has no result');
  }

  /** Whether the operation at line `at` begins with a lock. */
  private beginsLocked(at: number): boolean {
    const first = this.lines[at + 1];
    return first !== undefined && first.has('e') && first.text('e') === 'lock';
  }

  /** What was recorded follows the unlinking of the stage-2: the lock around that is the engine's, and nothing else is. */
  private unlinkUnrecorded(op: GoldenLine, actor: number): void {
    for (const item of ['lock w', 'unlock w']) this.same(op, item, this.advance(op, actor) ?? NOTHING);
    this.exceptions[UNLINK_LOCK] = (this.exceptions[UNLINK_LOCK] ?? 0) + 1;
  }

  /** Begins an operation; returns the actor that carries it out, -1 for none. */
  private beginSequential(op: GoldenLine, name: string): number {
    if (name === 'init') return this.boot(op);
    const player = this.engine(op);
    const changed = changedConfig(op);
    if (changed !== undefined) {
      Object.assign(player.machine.config, changed);
      return -1;
    }
    if (name === 'digest' || name === 'dump') return -1;
    player.compared.locks = this.kvm;
    if (name === 'rcu_gp') return player.machine.reclaimActor;
    const library = !this.kvm || name === 'leaf';
    if (library) player.compared.locks = false;
    const command = library ? libraryCommand(op, this.old) : kvmCommand(op, player.machine.world.shape.pageBytes);
    const actor = library || command.kind === COMMAND.access ? 0 : player.machine.vmmActor;
    player.begin(actor, command);
    return actor;
  }

  private boot(op: GoldenLine): number {
    this.config = { ...this.config, ...initialConfig(op) };
    try {
      const config: MachineConfig = machineConfig(this.config);
      this.player = new EnginePlayer(config, policyByName(this.old ? 'v6.1' : 'rcu'));
    } catch (error) {
      throw new RecordingError(op.number, (error as Error).message);
    }
    this.player.compared.locks = this.kvm;
    return this.player.machine.vmmActor;
  }

  private sequentialResult(op: GoldenLine, name: string, line: GoldenLine, actor: number): void {
    const { machine } = this.engine(op);
    const { world } = machine;
    const field = (key: string, got: string | number) => {
      if (line.has(key))
        this.same(line, `${key}=${typeof got === 'number' ? line.whole(key, RESULT_MIN, RESULT_MAX) : line.text(key)}`, `${key}=${got}`);
    };
    const quiet = actor < 0 || name === 'init' || name === 'rcu_gp';
    const walker = machine.walkers[Math.max(actor, 0)]!;
    field('ret', quiet ? 0 : walker.commandResult);
    field('start_level', world.shape.startLevel);
    field('pgd_pages', world.shape.rootPages);
    if (name === 'split') field('mc_left', Math.max(0, walker.cachePages));
    if (name === 'leaf' && walker.commandResult === 0) {
      const leaf = leafAtWalker(walker);
      field('pte', leaf.pte);
      field('level', leaf.level);
    }
    if (name === 'access' && walker.commandResult === 0) {
      const leaf = lookUp(world, GUEST, op.argument(0));
      field('pte', leaf.pte);
      field('level', leaf.level);
    }
    if (name === 'digest' || name === 'dump') {
      for (const [key, value] of Object.entries(digestTree(world, GUEST))) field(key, value as string | number);
    }
  }

  private switchMode(line: GoldenLine): void {
    const player = this.engine(line);
    for (const walker of this.walkers.keys()) this.settle(line, walker);
    this.walkers.clear();
    this.parallel = line.text('par') === 'begin';
    player.compared.locks = this.parallel || this.kvm;
    player.compared.reads = this.parallel;
  }

  private parallelLine(line: GoldenLine, at: number): void {
    const number = line.whole('w', 0, 1024);
    const { machine } = this.engine(line);
    const actor = number === 0 ? machine.reclaimActor : number - 1;
    const walker = this.walkers.get(number) ?? { operation: '(reclaim)', running: number === 0, result: undefined, last: undefined };
    this.walkers.set(number, walker);
    if (line.has('ret')) {
      walker.result = line.whole('ret', RESULT_MIN, RESULT_MAX);
      return;
    }
    if (!walker.running || (walker.result !== undefined && !this.releases(line))) this.beginParallel(line, at, number, walker);
    if (line.has('op')) return;
    this.operation = walker.operation;
    const run = line.text('e') === 'zrun';
    const items = run ? emptyReads(line, walker.last, this.nextOf(number, at)) : expectedItems(line, this.setting());
    for (const item of items) this.same(line, item, this.advance(line, actor) ?? NOTHING);
    walker.last = line;
  }

  /** The next line of a walker after line `at`. */
  private nextOf(number: number, at: number): GoldenLine | undefined {
    for (let i = at + 1; i < this.lines.length; i += 1) {
      const line = this.lines[i]!;
      if (line.has('par')) return undefined;
      if (line.has('w') && line.whole('w', 0, 1024) === number) return line;
    }
    return undefined;
  }

  /** Whether the line is the unlock that follows an operation's result. */
  private releases(line: GoldenLine): boolean {
    return line.has('e') && line.text('e') === 'unlock';
  }

  /** Begins the next operation of a walker: the lock it takes is recorded before the operation's own line. */
  private beginParallel(line: GoldenLine, at: number, number: number, walker: ParallelWalker): void {
    this.settle(line, number);
    let i = at;
    while (i < this.lines.length && !(this.lines[i]!.has('op') && this.lines[i]!.whole('w', 0, 1024) === number)) i += 1;
    const op = this.lines[i];
    if (op === undefined) throw new RecordingError(line.number, `walker ${number} takes part without an operation`);
    this.beginOperation(op, ` of walker ${number}`);
    walker.operation = this.operation;
    walker.running = true;
    walker.result = undefined;
    this.engine(line).begin(number - 1, libraryCommand(op, this.old));
  }

  /** The last operation of a walker is over: nothing may come after, and its result is known now. */
  private settle(line: GoldenLine, number: number): void {
    const walker = this.walkers.get(number);
    if (walker?.result === undefined) return;
    this.operation = walker.operation;
    const actor = number - 1;
    this.same(line, NOTHING, this.advance(line, actor) ?? NOTHING);
    this.same(line, `ret=${walker.result}`, `ret=${this.engine(line).machine.walkers[actor]!.commandResult}`);
    walker.result = undefined;
    walker.running = false;
  }

  private beginOperation(op: GoldenLine, who: string): void {
    this.operations += 1;
    this.operation = `${op.whole('op', 0, RESULT_MAX)} ${op.text('name')}${who}`;
  }

  private advance(line: GoldenLine, actor: number): string | undefined {
    try {
      return this.engine(line).nextItem(actor);
    } catch (error) {
      // An assertion of the engine: it cannot go on from where it differs.
      throw new DifferenceFound(line.number, 'an engine that goes on', (error as Error).message);
    }
  }

  private same(line: GoldenLine, expected: string, got: string): void {
    this.events += 1;
    if (expected !== got) throw new DifferenceFound(line.number, expected, got);
  }
}
