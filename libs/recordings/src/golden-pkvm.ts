import type { Geometry } from '@s2lab/arch';
import { addressHi, addressLo, geometry, isTable, outputAddress } from '@s2lab/arch';
import { COMPONENT, FEATURE, K, LOCK, LOCK_MODE, OP, PAGE_STATE, WALK_FLAG } from '@s2lab/events';
import { ACTOR, EventWriter } from './event-writer.ts';
import type { GoldenLine, Halves } from './golden-line.ts';
import { RecordingError } from './golden-line.ts';
import { maintenance } from './golden-maintenance.ts';
import type { GoldenOptions } from './golden-options.ts';
import { announcePages, PARANGE_BITS, pkvmOperation } from './golden-pkvm-operations.ts';
import { TableMap, unlinkCause } from './table-map.ts';

/** Where table pages seem to lie: they are numbered in the order in which they are first met, and their descriptors say so. */
const TABLE_BASE = 0x7000_0000_0000;
const HOST = 0;
const VMID_MAX = 255;
const SLOT_MAX = 8191;
const COUNT_MAX = 2 ** 31 - 1;

/** One stage-2 of the recording. */
interface Stage2 {
  readonly vmid: number;
  readonly shape: Geometry;
  readonly tables: TableMap;
  root: number;
}

/**
 * Turns a recording of pKVM's hypervisor into events: the host's stage-2 under VMID 0, a guest's under its number. The operations'
 * walks are not recorded as such; their writes, counts, locks and flushes are.
 */
export class PkvmRecording {
  readonly writer: EventWriter;
  private readonly options: GoldenOptions;
  private pageShift = 12;
  private features = 0;
  private ended = false;
  /** Frame of each page that was a table, by its address. */
  private readonly frames = new Map<number, number>();
  private readonly owners: number[] = [];
  private readonly stage2s = new Map<number, Stage2>();
  private operation: GoldenLine | undefined;
  /** Memory that the operation takes from the host next, by annotating it. */
  private taking: { readonly pa: number; readonly bytes: number } | undefined;
  private walks = 0;
  /** Stage-2 that the last allocation was for. */
  private allocatingFor = HOST;

  constructor(options: GoldenOptions) {
    this.options = options;
    this.writer = new EventWriter({ run: '', machine: options.machine ?? 0, policy: '', machineKind: 'pkvm', workload: '' });
    this.writer.stage2 = HOST;
  }

  /** Reads one line. */
  read(line: GoldenLine): void {
    if (this.ended) throw new RecordingError(line.number, 'a line after the end');
    if (line.has('trace')) this.start(line);
    else if (line.has('end')) this.end();
    else if (line.has('op')) this.begin(line);
    else if (line.has('ret')) this.finishOperation(line);
    else if (line.has('e')) this.event(line);
    else if (!line.has('boot')) throw new RecordingError(line.number, 'neither an operation, a result nor an event');
  }

  /** Checks that the recording was complete. */
  finish(lastLine: number): void {
    if (!this.ended) throw new RecordingError(lastLine, 'the recording is cut off: its {"end":1} line is missing');
  }

  private start(line: GoldenLine): void {
    if (this.writer.written > 0) throw new RecordingError(line.number, 'a second {"trace":1,…} line');
    this.pageShift = line.whole('page_shift', 12, 16);
    const script = line.text('script');
    this.writer.origin = { ...this.writer.origin, run: this.options.run ?? `golden-${script}`, policy: 'hyp-lock', workload: script };
    this.writer.note(K.machineStarted, ACTOR.vcpus, this.pageShift);
  }

  private end(): void {
    this.ended = true;
    this.writer.stage2 = HOST;
    this.writer.note(K.machineStopped, 0);
    this.writer.cut();
  }

  private begin(line: GoldenLine): void {
    const { writer } = this;
    const name = line.text('name');
    this.operation = line;
    writer.stage2 = HOST;
    if (name === 'region') this.region(line);
    else if (name === 'boot') this.boot(line);
    else if (name === 'vm_init') this.createGuest(line);
    const { code, vmid, ipa, bytes } = pkvmOperation(line, 2 ** this.pageShift);
    if (name === 'donate_guest') this.taking = { pa: line.argument(1) * 2 ** this.pageShift, bytes: 2 ** this.pageShift };
    if (code === 0) return;
    writer.stage2 = vmid;
    writer.emit(K.operationBegan, 0, 0, 0, bytes, Math.floor(bytes / 2 ** 32), 0, 0, ipa, code, 0);
  }

  private finishOperation(line: GoldenLine): void {
    const { operation, writer } = this;
    if (operation === undefined) throw new RecordingError(line.number, 'a result without an operation');
    const result = line.whole('ret', -4096, COUNT_MAX);
    const { code, vmid } = pkvmOperation(operation, 2 ** this.pageShift);
    this.endAnnotation();
    writer.stage2 = vmid;
    if (result === 0) announcePages(writer, operation, 2 ** this.pageShift);
    if (code !== 0) writer.note(K.operationEnded, code, result >>> 0);
    if (operation.text('name') === 'vm_destroy') writer.note(K.guestDestroyed, 0);
    this.operation = undefined;
  }

  private region(line: GoldenLine): void {
    const base = line.argument(0);
    const bytes = line.argument(1);
    const nomap = line.hasArgument(2) ? 1 : 0;
    this.writer.emit(K.memoryRegionAdded, 0, 0, 0, bytes, Math.floor(bytes / 2 ** 32), base, Math.floor(base / 2 ** 32), 0, 0, nomap);
  }

  private boot(line: GoldenLine): void {
    const words = new Map<string, number>();
    for (let i = 0; line.hasArgument(i); i++) {
      const [name, value] = line.argumentText(i).split('=');
      words.set(name!, Number(value));
    }
    const bits = PARANGE_BITS[words.get('parange') ?? 2];
    if (bits === undefined) throw line.wrong('args', `parange= from 0 to ${PARANGE_BITS.length - 1}`);
    const on = (name: string, bit: number): number => ((words.get(name) ?? 1) === 0 ? 0 : bit);
    this.features = on('fwb', FEATURE.fwb) | on('range', FEATURE.tlbRange) | FEATURE.xnx;
    this.prepare(line, HOST, bits);
  }

  private createGuest(line: GoldenLine): void {
    const vmid = line.argument(0);
    if (vmid < 1 || vmid > VMID_MAX) throw line.wrong('args', `a guest from 1 to ${VMID_MAX}`);
    const bits = line.argument(2);
    this.prepare(line, vmid, bits);
    this.writer.stage2 = vmid;
    this.writer.emit(K.guestCreated, 0, bits, 0, 0, 0, 0, 0, 0, line.argument(1) === 0 ? 0 : 1, this.features);
  }

  private prepare(line: GoldenLine, vmid: number, ipaBits: number): void {
    let shape: Geometry;
    try {
      shape = geometry(this.pageShift, ipaBits, false);
    } catch (error) {
      throw new RecordingError(line.number, (error as Error).message);
    }
    this.stage2s.set(vmid, { vmid, shape, tables: new TableMap(shape, TABLE_BASE), root: -1 });
  }

  private stage2(line: GoldenLine, vmid: number): Stage2 {
    const stage2 = this.stage2s.get(vmid);
    if (stage2 === undefined) throw new RecordingError(line.number, `stage-2 ${vmid === HOST ? 'of the host' : vmid} does not exist`);
    return stage2;
  }

  /** VMID behind `host` or `vmN`. */
  private vmidOf(line: GoldenLine, field: string): number {
    const name = line.text(field);
    const vmid = name === 'host' ? HOST : /^vm\d{1,3}$/.test(name) ? Number(name.slice(2)) : -1;
    if (vmid < 0 || vmid > VMID_MAX) throw line.wrong(field, 'host or vm and a number up to 255');
    return vmid;
  }

  private event(line: GoldenLine): void {
    const { writer } = this;
    switch (line.text('e')) {
      case 'wr':
        this.write(line, K.descriptorStored);
        return;
      case 'rel':
        this.write(line, K.descriptorReleased);
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
      case 'mc_pop':
        // What a destroyed guest's cache held goes back as a page, never having been a table.
        if (this.operation?.text('name') !== 'vm_destroy') this.allocatePages(line, line.bytes('t'), 1);
        return;
      case 'free':
        this.free(line);
        return;
      case 'lock':
      case 'unlock':
        this.lock(line);
        return;
      default:
        if (line.text('e') === 'tlbi') writer.stage2 = this.vmidOf(line, 'm');
        if (!maintenance(writer, line, { pageShift: this.pageShift, lpa2: false, zeroIsUnknown: false })) this.pageEvent(line);
    }
  }

  private pageEvent(line: GoldenLine): void {
    const { writer } = this;
    const kind = line.text('e');
    switch (kind) {
      case 'host_state':
      case 'hyp_state': {
        const pa = line.bytes('pa');
        const bytes = line.whole('n', 1, 2 ** 24) * 2 ** this.pageShift;
        const component = kind === 'host_state' ? COMPONENT.host : COMPONENT.hyp;
        const [from, to] = [line.whole('old', 0, 3), line.whole('new', 0, 3)];
        if (component === COMPONENT.host) this.endAnnotation();
        else if (to === PAGE_STATE.owned) this.taking = { pa, bytes };
        writer.stage2 = HOST;
        const high = (value: number): number => Math.floor(value / 2 ** 32);
        writer.emit(K.pageStateChanged, from, 0, 0, bytes, high(bytes), pa, high(pa), 0, component, to);
        return;
      }
      case 'mc_push': {
        const pa = line.bytes('t');
        const back = this.operation?.text('name') === 'vm_destroy' ? 1 : 0;
        writer.emit(K.memcachePushed, 0, 0, 0, 0, 0, pa, Math.floor(pa / 2 ** 32), 0, back, 0);
        return;
      }
      case 'cb':
      case 'zrun':
      case 'hyp_s1':
      case 'pt':
      case 'pg':
      case 'warn':
      case 'leak':
        return;
      default:
        throw new RecordingError(line.number, `unknown event "${kind}"`);
    }
  }

  private frame(line: GoldenLine): number {
    const frame = this.frames.get(line.bytes('t'));
    if (frame === undefined) throw new RecordingError(line.number, `${line.text('t')} never was a table page`);
    this.writer.stage2 = this.owners[frame]!;
    return frame;
  }

  private write(line: GoldenLine, kind: number): void {
    const table = this.frame(line);
    const { writer } = this;
    const { tables, shape } = this.stage2(line, writer.stage2);
    const slot = line.whole('i', 0, SLOT_MAX);
    const level = line.whole('l', 0, 3);
    const before = this.renamed(line, shape, level, line.halves('old'));
    const after = this.renamed(line, shape, level, line.halves('new'));
    if (writer.stage2 === HOST) this.beginAnnotation();
    else if (writer.walk !== 0) {
      this.endAnnotation();
      this.frame(line);
    }
    const ipa = tables.ipa(table, slot, level);
    writer.emit(kind, level, slot, table, before.lo, before.hi, after.lo, after.hi, ipa, 0, 0);
    const change = tables.write(table, slot, level, before.lo, before.hi, after.lo, after.hi);
    if (change.unlinked === change.linked) return;
    const { unlinked, linked, linkCause } = change;
    const cause = unlinkCause(this.operation?.text('name') ?? '');
    if (unlinked !== undefined) writer.emit(K.tableUnlinked, level, slot, unlinked, 0, 0, 0, 0, ipa, table, cause);
    if (linked !== undefined) writer.emit(K.tableLinked, level, slot, linked, 0, 0, 0, 0, ipa, table, linkCause);
  }

  /** The walk that takes memory from the host begins with its first write: walks as such are not recorded, but this one ends without a DSB. */
  private beginAnnotation(): void {
    const { taking, writer } = this;
    if (taking === undefined || writer.walk !== 0) return;
    const { pa, bytes } = taking;
    this.walks += 1;
    writer.walk = this.walks;
    writer.emit(K.walkBegan, 0, 0, 0, bytes, Math.floor(bytes / 2 ** 32), 0, 0, pa, OP.annotate, WALK_FLAG.leaf | WALK_FLAG.tablePre);
  }

  private endAnnotation(): void {
    const { writer } = this;
    this.taking = undefined;
    if (writer.walk === 0) return;
    writer.stage2 = HOST;
    writer.note(K.walkEnded, 0);
    writer.walk = 0;
  }

  /** A descriptor of a table, pointed to where its frame seems to lie. */
  private renamed(line: GoldenLine, shape: Geometry, level: number, halves: Halves): Halves {
    if (!isTable(halves.lo, level)) return halves;
    const frame = this.frames.get(outputAddress(shape, halves.lo, halves.hi));
    if (frame === undefined) throw new RecordingError(line.number, 'a table descriptor that points to no table page');
    const address = TABLE_BASE + frame * shape.pageBytes;
    return { lo: (addressLo(shape, address) | 3) >>> 0, hi: addressHi(shape, address) };
  }

  private reference(line: GoldenLine, kind: number): void {
    const table = this.frame(line);
    this.writer.emit(kind, 0, 0, table, 0, 0, 0, 0, 0, line.whole('c', -COUNT_MAX, COUNT_MAX) >>> 0, 0);
  }

  private allocate(line: GoldenLine): void {
    this.allocatingFor = this.vmidOf(line, 'pool');
    if (line.isNull('t')) {
      // A guest's pool is empty: its cache comes next.
      if (this.allocatingFor === HOST) this.writer.note(K.cacheExhausted, 0);
      return;
    }
    if (this.operation?.text('name') === 'vm_destroy') return;
    this.allocatePages(line, line.bytes('t'), 2 ** line.whole('order', 0, 4));
  }

  private allocatePages(line: GoldenLine, pa: number, count: number): void {
    const { writer } = this;
    const stage2 = this.stage2(line, this.allocatingFor);
    const isRoot = stage2.root < 0;
    writer.stage2 = stage2.vmid;
    for (let i = 0; i < count; i++) {
      const address = pa + i * 2 ** this.pageShift;
      const known = this.frames.get(address);
      const frame = known ?? this.frames.size;
      this.frames.set(address, frame);
      this.owners[frame] = stage2.vmid;
      if (isRoot) stage2.tables.addRoot(frame, i);
      else stage2.tables.add(frame);
      const level = isRoot ? stage2.shape.startLevel : -1;
      writer.emit(known === undefined ? K.tableAllocated : K.tableReused, level, 0, frame, 0, 0, 0, 0, 0, isRoot ? 1 : 0, 0);
    }
    if (isRoot) this.created(stage2, this.frames.get(pa)!, count);
  }

  private created(stage2: Stage2, root: number, rootPages: number): void {
    const { startLevel, ipaBits } = stage2.shape;
    const features = this.features | (stage2.vmid === HOST ? FEATURE.asStage1 | FEATURE.identity : FEATURE.tellsCaches);
    stage2.root = root;
    this.writer.emit(K.stage2Created, startLevel, ipaBits, root, 0, 0, 0, 0, 0, rootPages, features);
  }

  private free(line: GoldenLine): void {
    const table = this.frame(line);
    this.stage2(line, this.writer.stage2).tables.delete(table);
    this.writer.emit(K.tableFreed, -1, 0, table, 0, 0, 0, 0, 0, 0, 0);
  }

  private lock(line: GoldenLine): void {
    const { writer } = this;
    const name = line.text('k');
    const other = name === 'hyp' ? LOCK.hyp : name === 'vm_table' ? LOCK.vmTable : LOCK.mmu;
    const taken = line.text('e') === 'lock';
    writer.stage2 = other === LOCK.mmu ? this.vmidOf(line, 'k') : HOST;
    writer.note(taken ? K.lockAcquired : K.lockReleased, other, LOCK_MODE.write);
    // Nobody finds the guest any more once its lock is taken to destroy it.
    const stage2 = this.stage2s.get(writer.stage2);
    if (!taken || other !== LOCK.mmu || writer.stage2 === HOST || stage2 === undefined || stage2.root < 0) return;
    if (this.operation?.text('name') !== 'vm_destroy') return;
    writer.emit(K.stage2Destroyed, 0, 0, stage2.root, 0, 0, 0, 0, 0, 0, 0);
    stage2.root = -1;
  }
}
