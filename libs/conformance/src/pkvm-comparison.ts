import { hex64, hexAddress, isTable, isValid } from '@s2lab/arch';
import type { MachineConfig, MemoryRegion } from '@s2lab/engine';
import { DEFAULT_COSTS, machineConfig } from '@s2lab/engine';
import { policyByName } from '@s2lab/policies';
import type { GoldenLine } from '@s2lab/recordings';
import { RecordingError } from '@s2lab/recordings';
import { DifferenceFound } from './difference.ts';
import { EnginePlayer } from './engine-player.ts';
import { expectedPkvmItems, nameOf, observedPkvmItem, recordedHalves } from './pkvm-items.ts';
import { bootConfig, hypervisorCommand, memoryRegion } from './pkvm-operations.ts';
import type { TreeEntry } from './tree-digest.ts';
import { Fnv1a, leafAtWalker, treeEntries } from './tree-digest.ts';

const NOTHING = '(nothing)';
const RESULT_MIN = -4096;
const RESULT_MAX = 2 ** 31 - 1;
/** The core that every operation is played on. */
const CORE = 0;

/**
 * Plays a recording of the hypervisor through the engine, operation by operation, and compares what it does with what the lines say.
 * Table pages keep the addresses of the recording: the engine allocates them as the recorded allocator did.
 */
export class PkvmComparison {
  operations = 0;
  events = 0;
  /** The operation being compared, for messages. */
  operation = '(before the first operation)';
  /** There are no differences on purpose. */
  readonly exceptions: Record<string, number> = {};
  private readonly lines: readonly GoldenLine[];
  private readonly pageShift: number;
  private readonly regions: MemoryRegion[] = [];
  private player: EnginePlayer | undefined;

  /** @param lines all lines, the `trace` line first */
  constructor(lines: readonly GoldenLine[]) {
    this.lines = lines;
    this.pageShift = lines[0]!.whole('page_shift', 12, 16);
  }

  /** Compares everything. @throws DifferenceFound at the first difference, RecordingError for a line that makes no sense */
  run(): void {
    let i = 1;
    while (i < this.lines.length) {
      const line = this.lines[i]!;
      if (line.has('end')) return;
      i = this.compareOperation(line, i);
    }
    throw new RecordingError(this.lines.length, 'the recording is cut off: its {"end":1} line is missing');
  }

  /** Plays the operation that begins at line `at`; returns the index of the line after its result. */
  private compareOperation(op: GoldenLine, at: number): number {
    if (!op.has('op')) throw new RecordingError(op.number, 'an operation must begin here');
    const name = op.text('name');
    this.operations += 1;
    this.operation = `${op.whole('op', 0, RESULT_MAX)} ${name}`;
    const next = this.begin(op, name);
    const setting = { pageShift: this.pageShift, lpa2: false, old: false };
    for (let i = at + 1; i < this.lines.length; i += 1) {
      const line = this.lines[i]!;
      if (line.has('ret')) {
        this.same(line, NOTHING, next(line) ?? NOTHING);
        this.compareResult(op, name, line);
        return i + 1;
      }
      if (line.has('boot')) {
        this.compareBoot(line);
        continue;
      }
      for (const item of expectedPkvmItems(line, setting, name)) this.same(line, item, next(line) ?? NOTHING);
    }
    throw new RecordingError(op.number, 'the operation has no result');
  }

  /** Begins an operation; what it returns says what the engine does next. */
  private begin(op: GoldenLine, name: string): (line: GoldenLine) => string | undefined {
    if (name === 'region') {
      this.regions.push(memoryRegion(op, 2 ** this.pageShift, this.regions));
      return () => undefined;
    }
    if (name === 'boot') {
      const player = this.boot(op);
      return (line) => this.advance(line, player.machine.vmmActor);
    }
    const player = this.engine(op);
    if (name === 'digest') return () => undefined;
    if (name === 'dump') {
      const items = dumpItems(player, this.vmidOf(op));
      return () => items.next().value ?? undefined;
    }
    player.begin(CORE, hypervisorCommand(op, 2 ** this.pageShift));
    return (line) => this.advance(line, CORE);
  }

  private boot(op: GoldenLine): EnginePlayer {
    let config: MachineConfig;
    try {
      config = machineConfig({
        ...bootConfig(op, this.pageShift, this.regions),
        vcpus: 1,
        reuseFrames: false,
        costs: DEFAULT_COSTS,
      });
    } catch (error) {
      throw error instanceof RecordingError ? error : new RecordingError(op.number, (error as Error).message);
    }
    // What recordings of the hypervisor lack: reads.
    const player: EnginePlayer = new EnginePlayer(config, policyByName('hyp-lock'), (rows, i, walker) =>
      observedPkvmItem(player.machine, rows, i, walker),
    );
    player.compared.locks = true;
    this.player = player;
    return player;
  }

  /** What the recorded code says of its boot. */
  private compareBoot(line: GoldenLine): void {
    const { config, world, hypervisor } = this.engine(line).machine;
    const { shape, root } = world.stage2(0);
    const first = this.regions[0]!;
    const carve = first.base + first.bytes - config.pkvm.carvedPages * shape.pageBytes;
    const got: Readonly<Record<string, number>> = {
      ia_bits: shape.ipaBits,
      start_level: shape.startLevel,
      pgd: hypervisor?.frameAddresses[root] ?? 0,
      pgd_pages: shape.rootPages,
      carve,
    };
    for (const [key, value] of Object.entries(got)) {
      const said = key === 'pgd' || key === 'carve' ? line.bytes(key) : line.whole(key, 0, RESULT_MAX);
      this.same(line, `${key}=${said}`, `${key}=${value}`);
    }
  }

  private engine(line: GoldenLine): EnginePlayer {
    if (this.player === undefined) throw new RecordingError(line.number, 'an operation before "boot"');
    return this.player;
  }

  private vmidOf(op: GoldenLine): number {
    const vmid = op.argument(0);
    if (this.engine(op).machine.world.stage2s[vmid] === undefined) throw op.wrong('args', 'a guest that exists, or 0 for the host');
    return vmid;
  }

  private compareResult(op: GoldenLine, name: string, line: GoldenLine): void {
    const field = (key: string, got: string | number) => {
      if (!line.has(key)) return;
      this.same(line, `${key}=${typeof got === 'number' ? line.whole(key, RESULT_MIN, RESULT_MAX) : line.text(key)}`, `${key}=${got}`);
    };
    const silent = name === 'region' || name === 'boot' || name === 'digest' || name === 'dump';
    if (name === 'digest' || name === 'dump') {
      for (const [key, value] of Object.entries(digestOf(this.engine(op), this.vmidOf(op)))) field(key, value);
    }
    if (silent) {
      field('ret', 0);
      return;
    }
    const walker = this.engine(op).machine.walkers[CORE]!;
    field('ret', walker.commandResult);
    if (name === 'vm_destroy') field('returned', walker.rangeCursor);
    if (name === 'host_leaf') {
      const { pte, level } = leafAtWalker(walker);
      field('pte', pte);
      field('level', level);
    }
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

/** What `dump` prints: each table page with its count, then its descriptors, each with the page it links. */
function* dumpItems({ machine }: EnginePlayer, vmid: number): Generator<string> {
  const { world } = machine;
  const { root, shape } = world.stage2(vmid);
  let rootsShown = 0;
  const page = (table: number) => `pg t=${nameOf(machine, table)} c=${world.pages.references[table]}`;
  const showRoots = function* (upTo: number): Generator<string> {
    for (; rootsShown < upTo; rootsShown += 1) yield page(root + rootsShown);
  };
  for (const entry of treeEntries(world, vmid)) {
    const { table, slot, level, ipa, lo, hi } = entry;
    if (table >= root && table < root + shape.rootPages) yield* showRoots(table - root + 1);
    yield `pt t=${nameOf(machine, table)} i=${slot} l=${level} a=${hexAddress(ipa)} v=${hex64(...recordedHalves(machine, level, lo, hi))}`;
    if (isTable(lo, level)) yield page(world.pages.frameOf(lo, hi));
  }
  yield* showRoots(root < 0 ? 0 : shape.rootPages);
}

/** Digest of the tree as recordings of the hypervisor have it, and counts of what is in it. */
function digestOf({ machine }: EnginePlayer, vmid: number): Readonly<Record<string, string | number>> {
  const { world } = machine;
  const { root, shape } = world.stage2(vmid);
  const hash = new Fnv1a();
  const counts = { tables: root < 0 ? 0 : shape.rootPages, entries: 0, valid: 0, blocks: 0, annotations: 0 };
  for (const entry of treeEntries(world, vmid)) {
    const { level, ipa, lo, hi } = entry;
    hash.entry(level, ipa, ...recordedHalves(machine, level, lo, hi));
    counts.entries += 1;
    count(counts, entry);
  }
  return { digest: hash.text, ...counts };
}

function count(counts: { tables: number; valid: number; blocks: number; annotations: number }, { level, lo }: TreeEntry): void {
  if (isTable(lo, level)) counts.tables += 1;
  else if (isValid(lo)) {
    counts.valid += 1;
    if (level < 3) counts.blocks += 1;
  } else counts.annotations += 1;
}
