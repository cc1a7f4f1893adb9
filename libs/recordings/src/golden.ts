import type { Geometry } from '@s2lab/arch';
import { geometry, outputAddress } from '@s2lab/arch';
import type { Frame } from '@s2lab/events';
import { FEATURE, K, LOCK } from '@s2lab/events';
import { ACTOR, EventWriter } from './event-writer.ts';
import type { Running } from './golden-faults.ts';
import { faultHandled, faultTaken } from './golden-faults.ts';
import { GoldenLine, RecordingError } from './golden-line.ts';
import { accessCode, operationCode, walkFlags, walkOp } from './golden-operations.ts';
import type { GoldenOptions } from './golden-options.ts';
import { PkvmRecording } from './golden-pkvm.ts';
import { TableMap, unlinkCause } from './table-map.ts';
import { clearDirtyBits, lockMode, maintenance } from './golden-maintenance.ts';

export { RecordingError } from './golden-line.ts';

const TABLE_MAX = 2 ** 24 - 1;
const SLOT_MAX = 8191;

/** Walker number of lines outside parallel blocks. */
const SEQUENTIAL = -1;

/**
 * Turns a recording of the upstream stage-2 code (JSON lines) into frames of our events: one machine, in the order of the lines.
 * TLB maintenance calls become their instructions; links and unlinks are derived from the stores. Callback, warning and dump lines say
 * nothing that the other lines do not, and are left out. Memory grows with live tables only.
 * @throws RecordingError that names the line: malformed JSON, a missing or impossible field, an unknown line, a missing end.
 */
export function* importGolden(lines: Iterable<string>, options: GoldenOptions = {}): Generator<Frame, void, undefined> {
  let recording: GoldenRecording | PkvmRecording | undefined;
  let number = 0;
  for (const text of lines) {
    number += 1;
    if (text.trim() === '') continue;
    const line = new GoldenLine(number, text);
    recording ??= line.lists('files', 'mem_protect.c') ? new PkvmRecording(options) : new GoldenRecording(options);
    recording.read(line);
    for (let frame = recording.writer.take(); frame !== undefined; frame = recording.writer.take()) yield frame;
  }
  recording ??= new GoldenRecording(options);
  recording.finish(number);
  for (let frame = recording.writer.take(); frame !== undefined; frame = recording.writer.take()) yield frame;
}

class GoldenRecording {
  readonly writer: EventWriter;
  private readonly options: GoldenOptions;
  private started = false;
  private ended = false;
  private old = false;
  private pageShift = 12;
  private tableBase = 0;
  private shape: Geometry | undefined = undefined;
  private tables: TableMap | undefined = undefined;
  private features = 0;
  private lpa2 = false;
  private root = -1;
  private rootPages = 0;
  private walks = 0;
  private parallel = false;
  /** 1: dirty logs begin with all bits set. */
  private initiallyAllSet = 0;
  /** Input address of each memslot, by number. */
  private readonly memslots = new Map<number, number>();
  private readonly running = new Map<number, Running>();
  /** Table whose teardown the reclaim worker is in, or -1. */
  private reclaiming = -1;

  constructor(options: GoldenOptions) {
    this.options = options;
    this.writer = new EventWriter({ run: '', machine: options.machine ?? 0, policy: '', machineKind: 'library', workload: '' });
  }

  /** Reads one line. */
  read(line: GoldenLine): void {
    if (this.ended) throw new RecordingError(line.number, 'a line after the end');
    if (line.has('trace')) this.start(line);
    else if (!this.started) throw new RecordingError(line.number, 'the first line must be {"trace":1,…}');
    else if (line.has('end')) this.end();
    else if (line.has('par')) this.parallel = line.text('par') === 'begin';
    else this.step(line);
  }

  /** Checks that the recording was complete. */
  finish(lastLine: number): void {
    if (!this.started) throw new RecordingError(Math.max(1, lastLine), 'empty: the first line must be {"trace":1,…}');
    if (!this.ended) throw new RecordingError(lastLine, 'the recording is cut off: its {"end":1} line is missing');
  }

  private start(line: GoldenLine): void {
    if (this.started) throw new RecordingError(line.number, 'a second {"trace":1,…} line');
    if (!line.has('table_base'))
      throw new RecordingError(line.number, 'no "table_base", and no mem_protect.c among "files" as a recording of pKVM has it');
    this.started = true;
    this.pageShift = line.whole('page_shift', 12, 16);
    this.tableBase = line.bytes('table_base');
    this.old = line.text('kernel').startsWith('v6.1');
    const script = line.text('script');
    this.writer.origin = {
      run: this.options.run ?? `golden-${script}`,
      machine: this.options.machine ?? 0,
      policy: this.old ? 'rwlock' : 'rcu',
      machineKind: line.has('files') ? 'kvm' : 'library',
      workload: script,
    };
    this.writer.note(K.machineStarted, ACTOR.vcpus, this.pageShift);
  }

  private end(): void {
    this.ended = true;
    this.writer.actor = ACTOR.thread;
    this.writer.walk = 0;
    this.endReclaim();
    this.writer.note(K.machineStopped, 0);
    this.writer.cut();
  }

  private step(line: GoldenLine): void {
    const walker = line.has('w') ? line.whole('w', 0, ACTOR.vcpus) : SEQUENTIAL;
    const running = this.running.get(walker);
    this.writer.actor = walker === SEQUENTIAL ? (running?.kind === 'access' ? 0 : ACTOR.thread) : walker === 0 ? ACTOR.worker : walker - 1;
    this.writer.walk = running?.walk ?? 0;
    if (line.has('op')) this.begin(line, walker);
    else if (line.has('ret')) this.finishOperation(line, walker, running);
    else if (line.has('e')) this.event(line, running);
    else throw new RecordingError(line.number, 'neither an operation, a result nor an event');
  }

  private begin(line: GoldenLine, walker: number): void {
    const name = line.text('name');
    if (name === 'init') this.init(line);
    else if (name === 'initset') this.initiallyAllSet = line.argument(0) === 0 ? 0 : 1;
    const op = walkOp(line, name);
    const { writer } = this;
    let kind: Running['kind'] = 'silent';
    let code = op;
    let ipa = 0;
    if (op !== 0) {
      kind = 'walk';
      this.walks += 1;
      writer.walk = this.walks;
      ipa = line.has('addr') ? line.bytes('addr') : 0;
      if (name === 'destroy') this.detach();
      const bytes = line.has('size') ? line.bytes('size') : name === 'destroy' ? this.geometry(line).ipaBytes : 2 ** this.pageShift;
      const pa = line.has('phys') ? line.bytes('phys') : 0;
      writer.emit(
        K.walkBegan,
        0,
        0,
        0,
        bytes,
        Math.floor(bytes / 2 ** 32),
        pa,
        Math.floor(pa / 2 ** 32),
        ipa,
        op,
        walkFlags(line, this.old),
      );
    } else if (name === 'access') {
      kind = 'access';
      ipa = line.argument(0);
      writer.actor = 0;
    } else {
      code = operationCode(name);
      if (code !== 0) {
        kind = 'operation';
        this.beginOperation(line, name, code);
      }
    }
    const access = kind === 'access' ? accessCode(line) : 0;
    this.running.set(walker, { name, kind, code, walk: kind === 'walk' ? this.walks : 0, ipa, access, mappingBytes: 0 });
  }

  private beginOperation(line: GoldenLine, name: string, code: number): void {
    const { writer } = this;
    const pageBytes = 2 ** this.pageShift;
    const range = name === 'unmap_gfn' || name === 'age' || name === 'test_age';
    const ipa = range ? line.argument(0) * pageBytes : line.has('addr') ? line.bytes('addr') : 0;
    const bytes = range ? line.argument(1) * pageBytes : line.has('size') ? line.bytes('size') : 0;
    writer.emit(K.operationBegan, 0, 0, 0, bytes, Math.floor(bytes / 2 ** 32), 0, 0, ipa, code, 0);
    if (name === 'slot') {
      this.memslots.set(line.argument(0), line.argument(1) * pageBytes);
      const size = line.argument(2) * pageBytes;
      const pa = line.argument(6) * pageBytes;
      writer.emit(
        K.memslotCreated,
        0,
        0,
        0,
        size,
        Math.floor(size / 2 ** 32),
        pa,
        Math.floor(pa / 2 ** 32),
        line.argument(1) * pageBytes,
        line.argument(0),
        line.hasArgument(7) ? 1 : 0,
      );
    } else if (name === 'delete') writer.note(K.memslotDeleted, line.argument(0));
    else if (name === 'log_on') writer.note(K.dirtyLogStarted, line.argument(0), this.initiallyAllSet);
    else if (name === 'clear_dirty') this.clearDirty(line);
    else if (name === 'log_off') writer.note(K.dirtyLogStopped, line.argument(0));
    else if (name === 'destroy_vm') this.detach();
  }

  private clearDirty(line: GoldenLine): void {
    const base = this.memslots.get(line.argument(0));
    if (base === undefined) throw line.wrong('args', 'those of a memslot that exists');
    clearDirtyBits(this.writer, line, base, 2 ** this.pageShift);
  }

  private finishOperation(line: GoldenLine, walker: number, running: Running | undefined): void {
    if (running === undefined) throw new RecordingError(line.number, 'a result without an operation');
    const result = line.whole('ret', -4096, 2 ** 31 - 1);
    const { writer } = this;
    this.running.delete(walker);
    if (running.name === 'init') this.created(line);
    if (running.name === 'rcu_gp') this.endReclaim();
    writer.actor = walker === SEQUENTIAL && running.kind !== 'access' ? ACTOR.thread : writer.actor;
    if (running.kind === 'walk') writer.note(K.walkEnded, result >>> 0);
    else if (running.kind === 'operation') writer.note(K.operationEnded, running.code, result >>> 0);
    else if (running.kind === 'access' && result === 0 && line.has('pte')) this.accessed(line, running);
  }

  private accessed(line: GoldenLine, running: Running): void {
    const { lo, hi } = line.halves('pte');
    if ((lo & 1) === 0) return;
    const span = 2 ** ((this.pageShift - 3) * (4 - line.whole('level', 0, 3)) + 3);
    const pa = outputAddress(this.geometry(line), lo, hi) + (running.ipa % span);
    this.writer.emit(K.guestAccessed, 0, 0, 0, 0, 0, pa, Math.floor(pa / 2 ** 32), running.ipa, running.access, 0);
  }

  private init(line: GoldenLine): void {
    const on = (name: string, bit: number): number => (line.whole(name, 0, 1) === 1 ? bit : 0);
    const flags = line.text('pgt_flags');
    this.features =
      FEATURE.tellsCaches |
      on('fwb', FEATURE.fwb) |
      on('tlbrange', FEATURE.tlbRange) |
      on('lpa2', FEATURE.lpa2) |
      on('xnx', FEATURE.xnx) |
      (flags.includes('as_s1') ? FEATURE.asStage1 : 0) |
      (flags.includes('idmap') ? FEATURE.identity : 0);
    this.lpa2 = (this.features & FEATURE.lpa2) !== 0;
    try {
      this.shape = geometry(this.pageShift, line.whole('ia_bits', 32, 52), this.lpa2);
    } catch (error) {
      throw new RecordingError(line.number, (error as Error).message);
    }
    this.tables = new TableMap(this.shape, this.tableBase);
  }

  private geometry(line: GoldenLine): Geometry {
    if (this.shape === undefined) throw new RecordingError(line.number, 'an event before the operation "init"');
    return this.shape;
  }

  private map(line: GoldenLine): TableMap {
    if (this.tables === undefined) throw new RecordingError(line.number, 'an event before the operation "init"');
    return this.tables;
  }

  private created(line: GoldenLine): void {
    const shape = this.geometry(line);
    if (this.root < 0) throw new RecordingError(line.number, 'init ended without "alloc_pgd"');
    this.writer.emit(K.stage2Created, shape.startLevel, shape.ipaBits, this.root, 0, 0, 0, 0, 0, this.rootPages, this.features);
  }

  private detach(): void {
    if (this.root >= 0) this.writer.emit(K.stage2Destroyed, 0, 0, this.root, 0, 0, 0, 0, 0, 0, 0);
  }

  private event(line: GoldenLine, running: Running | undefined): void {
    const { writer } = this;
    // In sequential recordings the callbacks run inside the operation that waits for the grace period.
    if (this.reclaiming >= 0 && !this.parallel) writer.actor = ACTOR.worker;
    const kind = line.text('e');
    switch (kind) {
      case 'wr':
        this.write(line, K.descriptorStored, running);
        return;
      case 'rel':
        this.write(line, K.descriptorReleased, running);
        return;
      case 'cas':
        this.write(line, line.whole('ok', 0, 1) === 1 ? K.descriptorSwapped : K.descriptorSwapFailed, running);
        return;
      case 'hw_af':
        this.write(line, K.descriptorHardwareUpdated, running);
        return;
      case 'rd':
        this.readSlot(line);
        return;
      case 'zrun':
        if (this.parallel) this.readEmpty(line);
        return;
      case 'get':
        this.reference(line, K.referenceGot);
        return;
      case 'put':
        this.reference(line, K.referencePut);
        return;
      case 'cnt':
        this.reference(line, K.referenceRead);
        return;
      case 'alloc':
        this.allocate(line);
        return;
      case 'alloc_pgd':
        this.allocateRoot(line);
        return;
      case 'free':
        this.free(line);
        return;
      case 'free_pgd':
        this.freeRoot(line);
        return;
      case 'call_rcu':
        writer.emit(K.tableRetired, line.whole('l', -1, 3), 0, line.whole('t', 0, TABLE_MAX), 0, 0, 0, 0, 0, 0, 0);
        return;
      case 'rcu_cb':
        this.beginReclaim(line);
        return;
      case 'cb':
      case 'warn':
      case 'leak':
      case 'pt':
      case 'pg':
      case 'resched':
      case 'cache_free':
        return;
      default:
        this.systemEvent(line, kind, running);
    }
  }

  private systemEvent(line: GoldenLine, kind: string, running: Running | undefined): void {
    const { writer } = this;
    switch (kind) {
      case 'rcu':
        writer.note(line.text('k') === 'lock' ? K.readSectionEntered : K.readSectionLeft, 0);
        return;
      case 'lock':
        writer.note(K.lockAcquired, LOCK.mmu, lockMode(line));
        return;
      case 'unlock':
        writer.note(K.lockReleased, LOCK.mmu, lockMode(line));
        return;
      case 'dirty':
        writer.emit(
          K.pageDirtied,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          line.bytes('gfn') * 2 ** this.pageShift,
          line.whole('slot', 0, 2 ** 31),
          line.whole('was', 0, 1),
        );
        return;
      case 'topup':
        writer.note(K.cacheToppedUp, line.whole('from', 0, 2 ** 31), line.whole('to', 0, 2 ** 31));
        return;
      case 'fault':
        faultTaken(writer, line, running);
        return;
      case 'vma':
        if (running !== undefined) running.mappingBytes = line.bytes('vma_pagesize');
        return;
      case 'abort_ret':
        faultHandled(writer, line, running);
        return;
      default:
        if (!maintenance(writer, line, { pageShift: this.pageShift, lpa2: this.lpa2, zeroIsUnknown: this.old }))
          throw new RecordingError(line.number, `unknown event "${kind}"`);
    }
  }

  private write(line: GoldenLine, kind: number, running: Running | undefined): void {
    const { writer } = this;
    const tables = this.map(line);
    const table = line.whole('t', 0, TABLE_MAX);
    const slot = line.whole('i', 0, SLOT_MAX);
    const level = line.whole('l', 0, 3);
    const before = line.halves('old');
    const after = line.halves('new');
    const ipa = tables.ipa(table, slot, level);
    writer.emit(kind, level, slot, table, before.lo, before.hi, after.lo, after.hi, ipa, 0, 0);
    if (kind === K.descriptorSwapFailed) return;
    const change = tables.write(table, slot, level, before.lo, before.hi, after.lo, after.hi);
    if (change.unlinked !== undefined && change.unlinked !== change.linked) {
      const name = writer.actor === ACTOR.worker ? 'rcu_gp' : (running?.name ?? '');
      this.link(line, K.tableUnlinked, change.unlinked, table, slot, level, ipa, unlinkCause(name));
    }
    if (change.linked !== undefined && change.unlinked !== change.linked)
      this.link(line, K.tableLinked, change.linked, table, slot, level, ipa, change.linkCause);
  }

  private link(
    line: GoldenLine,
    kind: number,
    child: number,
    parent: number,
    slot: number,
    level: number,
    ipa: number,
    cause: number,
  ): void {
    if (!Number.isInteger(child) || child < 0 || child > TABLE_MAX)
      throw new RecordingError(line.number, 'a table descriptor that points to no table page');
    this.writer.emit(kind, level, slot, child, 0, 0, 0, 0, ipa, parent, cause);
  }

  private readSlot(line: GoldenLine): void {
    const { lo, hi } = line.halves('v');
    this.writer.emit(K.descriptorRead, 0, line.whole('i', 0, SLOT_MAX), line.whole('t', 0, TABLE_MAX), lo, hi, 0, 0, 0, 0, 0);
  }

  private readEmpty(line: GoldenLine): void {
    const table = line.whole('t', 0, TABLE_MAX);
    const first = line.whole('i', 0, SLOT_MAX);
    const count = line.whole('n', 1, SLOT_MAX + 1 - first);
    const level = line.whole('l', 0, 3);
    for (let i = 0; i < count; i++)
      this.writer.emit(K.descriptorRead, level, first + i, table, 0, 0, 0, 0, this.map(line).ipa(table, first + i, level), 0, 0);
  }

  private reference(line: GoldenLine, kind: number): void {
    this.writer.emit(kind, 0, 0, line.whole('t', 0, TABLE_MAX), 0, 0, 0, 0, 0, line.whole('c', -(2 ** 31), 2 ** 31 - 1) >>> 0, 0);
  }

  private allocate(line: GoldenLine): void {
    if (line.isNull('t')) {
      this.writer.note(K.cacheExhausted, 0);
      return;
    }
    const table = line.whole('t', 0, TABLE_MAX);
    this.map(line).add(table);
    this.writer.emit(K.tableAllocated, -1, 0, table, 0, 0, 0, 0, 0, 0, 0);
  }

  private allocateRoot(line: GoldenLine): void {
    const level = this.geometry(line).startLevel;
    this.root = line.whole('t', 0, TABLE_MAX);
    this.rootPages = line.whole('n', 1, 16);
    for (let i = 0; i < this.rootPages; i++) {
      this.map(line).addRoot(this.root + i, i);
      this.writer.emit(K.tableAllocated, level, 0, this.root + i, 0, 0, 0, 0, 0, 1, 0);
    }
  }

  private free(line: GoldenLine): void {
    const table = line.whole('t', 0, TABLE_MAX);
    this.map(line).delete(table);
    this.writer.emit(K.tableFreed, -1, 0, table, 0, 0, 0, 0, 0, 0, 0);
    if (table === this.reclaiming) this.endReclaim();
  }

  private freeRoot(line: GoldenLine): void {
    const first = line.whole('t', 0, TABLE_MAX);
    const pages = line.whole('n', 1, 16);
    for (let i = 0; i < pages; i++) {
      this.map(line).delete(first + i);
      this.writer.emit(K.tableFreed, this.geometry(line).startLevel, 0, first + i, 0, 0, 0, 0, 0, 0, 0);
    }
    this.root = -1;
  }

  private beginReclaim(line: GoldenLine): void {
    this.endReclaim();
    this.writer.actor = ACTOR.worker;
    this.reclaiming = line.whole('t', 0, TABLE_MAX);
    this.writer.emit(K.reclaimBegan, line.whole('l', -1, 3), 0, this.reclaiming, 0, 0, 0, 0, 0, 0, 0);
  }

  private endReclaim(): void {
    if (this.reclaiming < 0) return;
    this.writer.actor = ACTOR.worker;
    this.writer.emit(K.reclaimEnded, 0, 0, this.reclaiming, 0, 0, 0, 0, 0, 0, 0);
    this.reclaiming = -1;
  }
}
