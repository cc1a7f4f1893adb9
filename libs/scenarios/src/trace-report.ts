import { COMMAND, COMMAND_FLAG } from '@s2lab/engine';
import { ACCESS, PHASE } from '@s2lab/events';
import type { TapeCommand } from './command-tape.ts';
import { CommandTape } from './command-tape.ts';
import { eachLine } from './line-reader.ts';
import type { TracedMemslot } from './memslot-map.ts';
import { memslotProblem } from './memslot-map.ts';
import type { RecordedMachine, Recording } from './recording.ts';
import { RecordingError } from './recording.ts';
import { accessOfSyndrome, eventNumbers, TRACE_EVENTS, UNRELATED_EVENTS } from './trace-events.ts';
import type { TraceLine } from './trace-line.ts';
import { isFrameLine, lossIn, traceLine } from './trace-line.ts';
import type { Marker } from './trace-marker.ts';
import { MARKER_FORMS, markerText, parseMarker } from './trace-marker.ts';

/** What the user says about a trace. */
export interface TraceOptions {
  /** Where guest memory was; without it, and without markers, one memslot over all faults is assumed. */
  readonly memslots?: readonly TracedMemslot[] | undefined;
  /** Lines that are not understood are counted and left out, instead of refused. */
  readonly ignoreUnknown?: boolean | undefined;
  /** A trace that says events were lost is played all the same. */
  readonly acceptLostEvents?: boolean | undefined;
  /** log2 of the granule of the traced host, 12 unless given. */
  readonly pageShift?: number | undefined;
}

const GIB = 2 ** 30;
/** Derived memslots begin and end at multiples of this: the level-2 block of the 4K granule. */
const DERIVED_ALIGN = 2 ** 21;
const DERIVED_HVA = 0x7f00_0000_0000;
const MARKER_EVENTS: ReadonlySet<string> = new Set(['tracing_mark_write', 'print', 'bprint', 'bputs']);
const VCPUS_MAX = 512;

/**
 * Reads the text of `trace-cmd report`, or of the tracefs `trace` file, with arm64 KVM tracepoints, as a workload: faults become
 * guest accesses of their vCPU (threads are vCPUs in order of appearance), notifier calls become host operations of the VMM thread,
 * spacing in time is kept.
 * @param name name of the file, for messages
 * @throws RecordingError with the line
 */
export function parseTraceReport(text: string, name: string, options: TraceOptions = {}): Recording {
  const reader = new TraceReader(name, options, text.includes('s2lab memslot create'));
  eachLine(text, (line, number) => reader.read(line, number));
  return reader.finish();
}

/** A command before its actor number is known: the VMM's number is that of the vCPUs. */
interface Draft {
  readonly vcpu: number;
  readonly epoch: number;
  readonly atNs: number;
  readonly command: TapeCommand;
}

const VMM = -1;

class TraceReader {
  private readonly name: string;
  private readonly options: TraceOptions;
  private readonly pageShift: number;
  private readonly pageBytes: number;
  private readonly derive: boolean;
  private readonly drafts: (Draft | undefined)[] = [];
  private readonly live = new Map<number, TracedMemslot>();
  private readonly vcpuOf = new Map<number, number>();
  /** Index of the draft of a thread's present fault, until it enters the guest again. */
  private readonly present = new Map<number, { readonly draft: number; readonly page: number }>();
  private readonly lines: Record<string, number> = {};
  private readonly skipped: Record<string, number> = {};
  private line = 0;
  private start: TraceLine | undefined;
  private atNs = 0;
  private epoch = 0;
  private nextPa = 4 * GIB;
  private ipaMin = Infinity;
  private ipaMax = 0;

  constructor(name: string, options: TraceOptions, marked: boolean) {
    this.name = name;
    this.options = options;
    this.pageShift = options.pageShift ?? 12;
    this.pageBytes = 2 ** this.pageShift;
    this.derive = options.memslots === undefined && !marked;
    for (const slot of options.memslots ?? []) this.create(slot);
    if (this.derive) this.epoch = 1;
  }

  read(text: string, number: number): void {
    this.line = number;
    const loss = lossIn(text);
    if (loss !== undefined) {
      if (this.options.acceptLostEvents !== true)
        this.refuse(`${loss}; a workload with gaps is not what ran (accept lost events to use it)`);
      return this.skip('lost-events markers');
    }
    if (isFrameLine(text)) return;
    const parsed = traceLine(text);
    if (parsed === undefined) return this.unknown(`expected an event of a printed trace, found '${text.trim().slice(0, 60)}'`);
    const known =
      Object.hasOwn(TRACE_EVENTS, parsed.event) ||
      UNRELATED_EVENTS.has(parsed.event) ||
      MARKER_EVENTS.has(parsed.event) ||
      parsed.event === 'kvm_mmio';
    if (!known) return this.unknown(`event '${parsed.event}' is not known`);
    this.advance(parsed);
    this.lines[parsed.event] = (this.lines[parsed.event] ?? 0) + 1;
    this.event(parsed);
  }

  finish(): Recording {
    if (this.start === undefined) throw new RecordingError(this.name, 0, 'expected events of arm64 KVM, found none');
    const vcpus = Math.max(1, this.vcpuOf.size);
    const tape = new CommandTape();
    tape.add(vcpus, 0, 0, { kind: COMMAND.phase, phase: PHASE.recorded });
    if (this.derive && this.ipaMin <= this.ipaMax) this.createCommands(this.derivedSlot(), (command) => tape.add(vcpus, 0, 0, command));
    for (const draft of this.drafts) {
      if (draft !== undefined) tape.add(draft.vcpu === VMM ? vcpus : draft.vcpu, draft.epoch, draft.atNs, draft.command);
    }
    tape.add(vcpus, this.epoch + 1, this.atNs, { kind: COMMAND.phase, phase: PHASE.teardown });
    tape.add(vcpus, this.epoch + 2, this.atNs, { kind: COMMAND.destroyVm });
    return { format: 'trace', name: this.name, machine: this.machine(vcpus), tape, lines: this.lines, skipped: this.skipped };
  }

  private machine(vcpus: number): RecordedMachine {
    let end = this.derive && this.ipaMin <= this.ipaMax ? this.derivedSlot().ipa + this.derivedSlot().bytes : 0;
    for (const draft of this.drafts) {
      if (draft?.command.kind === COMMAND.memslotCreate) end = Math.max(end, (draft.command.ipa ?? 0) + (draft.command.bytes ?? 0));
    }
    let ipaBits = 40;
    while (2 ** ipaBits < end) ipaBits += 1;
    return { vcpus, pageShift: this.pageShift, ipaBits, lpa2: ipaBits > 48 && this.pageShift !== 16 };
  }

  private event(line: TraceLine): void {
    if (MARKER_EVENTS.has(line.event)) return this.marker(line.text);
    if (line.event === 'kvm_mmio') return this.deviceAccess(line.thread);
    const kind = TRACE_EVENTS[line.event];
    if (kind === undefined) return this.skip(line.event);
    const numbers = eventNumbers(kind, line.text);
    if (numbers === undefined) return this.unknown(`${line.event}: its text is not as the kernel prints it: '${line.text.slice(0, 80)}'`);
    const [first = 0, second = 0] = numbers;
    switch (kind) {
      case 'guestFault':
        return this.fault(line.thread, first, second);
      case 'accessFault':
        return this.accessFault(line.thread, first);
      case 'entry':
        this.present.delete(this.vcpu(line.thread));
        return this.skip(line.event);
      case 'exit':
        this.vcpu(line.thread);
        return this.skip(line.event);
      case 'nisv':
        this.deviceAccess(line.thread);
        return this.skip(line.event);
      case 'unmap':
        return this.notifier(line.event, first, second, { kind: COMMAND.unmapRange });
      case 'age':
        return this.notifier(line.event, first, second, { kind: COMMAND.ageRange, makeOld: 1, flags: COMMAND_FLAG.flushIfYoung });
      case 'testAge':
        return this.notifier(line.event, first, first + this.pageBytes, { kind: COMMAND.ageRange });
      // The page behind the address changed: the old mapping goes, the next access brings the new one.
      case 'setSpte':
        return this.notifier(line.event, first, first + this.pageBytes, { kind: COMMAND.unmapRange });
    }
  }

  private fault(thread: number, ipa: number, hsr: number): void {
    const vcpu = this.vcpu(thread);
    const access = accessOfSyndrome(hsr);
    if (access === 0)
      return this.unknown(
        `kvm_guest_fault: expected a syndrome of a data (EC 0x24) or instruction abort (EC 0x20), found hsr 0x${hsr.toString(16)}`,
      );
    this.access(vcpu, ipa, access);
  }

  private accessFault(thread: number, ipa: number): void {
    const vcpu = this.vcpu(thread);
    // The handler reports a fault first as kvm_guest_fault, then, if the access flag was it, once more as kvm_access_fault.
    if (this.present.get(vcpu)?.page === Math.floor(ipa / this.pageBytes))
      return this.skip('kvm_access_fault of a fault that was reported');
    this.access(vcpu, ipa, ACCESS.read);
  }

  private access(vcpu: number, ipa: number, access: number): void {
    if (!(ipa < 2 ** 52)) this.refuse(`expected an IPA below 2^52, found 0x${ipa.toString(16)}`);
    if (!this.derive && this.slotAt(ipa) === undefined) return this.skip('faults outside all memslots (devices)');
    this.present.set(vcpu, { draft: this.drafts.length, page: Math.floor(ipa / this.pageBytes) });
    if (this.derive) {
      this.ipaMin = Math.min(this.ipaMin, ipa);
      this.ipaMax = Math.max(this.ipaMax, ipa);
    }
    this.drafts.push({ vcpu, epoch: this.epoch, atNs: this.atNs, command: { kind: COMMAND.access, ipa, access } });
  }

  /** A fault that went on to a device was no access to memory. */
  private deviceAccess(thread: number): void {
    const vcpu = this.vcpuOf.get(thread);
    const fault = vcpu === undefined ? undefined : this.present.get(vcpu);
    if (fault === undefined) return;
    this.drafts[fault.draft] = undefined;
    this.present.delete(vcpu!);
    this.skip('faults that went on to a device');
  }

  private notifier(event: string, from: number, to: number, command: { kind: number; makeOld?: number; flags?: number }): void {
    if (!(from < to))
      this.refuse(`${event}: expected a range of host virtual addresses, found 0x${from.toString(16)} to 0x${to.toString(16)}`);
    if (this.derive)
      this.refuse(
        `${event}: a host virtual address means nothing without a memslot map (give one, or 's2lab memslot create' markers in the trace)`,
      );
    let hit = false;
    for (const slot of this.live.values()) {
      const first = Math.max(from - (from % this.pageBytes), slot.hva);
      const end = Math.min(Math.ceil(to / this.pageBytes) * this.pageBytes, slot.hva + slot.bytes);
      if (first >= end) continue;
      hit = true;
      this.drafts.push({
        vcpu: VMM,
        epoch: this.epoch,
        atNs: this.atNs,
        command: { ...command, ipa: slot.ipa + (first - slot.hva), bytes: end - first },
      });
    }
    if (!hit) this.skip('notifier calls outside all memslots');
  }

  private marker(text: string): void {
    const ours = markerText(text);
    if (ours === undefined) return this.skip('markers of others');
    const marker =
      parseMarker(ours, this.pageShift) ?? this.refuse(`expected a marker ${MARKER_FORMS}, found 's2lab ${ours.slice(0, 80)}'`);
    if (marker.kind === 'create') return this.create(marker.slot);
    if (!this.live.has(marker.id)) this.refuse(`s2lab marker: there is no memslot ${marker.id} at this point`);
    if (marker.kind === 'delete') this.live.delete(marker.id);
    this.slotChange(markerCommand(marker));
  }

  private create(slot: TracedMemslot): void {
    const problem = memslotProblem(slot, this.live.values(), this.pageShift);
    if (problem !== undefined) this.refuse(`memslot ${slot.id}: ${problem}`);
    this.live.set(slot.id, slot);
    this.createCommands(slot, (command) => this.slotChange(command));
  }

  private createCommands(slot: TracedMemslot, use: (command: TapeCommand) => void): void {
    // Congruent to the HVA modulo 1 GiB, so that blocks fit as they did on the host; memslots share no memory.
    const pa = this.nextPa + (slot.hva % GIB);
    this.nextPa = Math.ceil((pa + slot.bytes) / GIB) * GIB;
    use({
      kind: COMMAND.memslotCreate,
      memslot: slot.id,
      ipa: slot.ipa,
      bytes: slot.bytes,
      pa,
      hva: slot.hva,
      vmaShift: slot.vmaShift,
      thp: slot.thp,
      readOnly: slot.readOnly ? 1 : 0,
    });
  }

  /** Memslots and logging change between accesses, not amid them: accesses before are complete, those after come later. */
  private slotChange(command: TapeCommand): void {
    this.epoch += 1;
    this.drafts.push({ vcpu: VMM, epoch: this.epoch, atNs: this.atNs, command });
    this.epoch += 1;
  }

  private derivedSlot(): TracedMemslot {
    const ipa = this.ipaMin - (this.ipaMin % DERIVED_ALIGN);
    const end = Math.floor(this.ipaMax / DERIVED_ALIGN + 1) * DERIVED_ALIGN;
    return { id: 0, ipa, bytes: end - ipa, hva: DERIVED_HVA + (ipa % GIB), vmaShift: this.pageShift, thp: 1, readOnly: false };
  }

  private slotAt(ipa: number): TracedMemslot | undefined {
    for (const slot of this.live.values()) if (ipa >= slot.ipa && ipa < slot.ipa + slot.bytes) return slot;
    return undefined;
  }

  private vcpu(thread: number): number {
    let vcpu = this.vcpuOf.get(thread);
    if (vcpu === undefined) {
      vcpu = this.vcpuOf.size;
      if (vcpu === VCPUS_MAX) this.refuse(`expected at most ${VCPUS_MAX} vCPU threads, found one more`);
      this.vcpuOf.set(thread, vcpu);
    }
    return vcpu;
  }

  private advance(line: TraceLine): void {
    this.start ??= line;
    const atNs = (line.seconds - this.start.seconds) * 1e9 + line.fractionNs - this.start.fractionNs;
    if (atNs < this.atNs) this.refuse('its time is before that of the event above: expected a trace in order of time');
    if (!(atNs < 2 ** 52)) this.refuse('its time is more than 52 days after the first event');
    this.atNs = atNs;
  }

  private unknown(problem: string): void {
    if (this.options.ignoreUnknown !== true) this.refuse(problem);
    this.skip('lines not understood');
  }

  private skip(reason: string): void {
    this.skipped[reason] = (this.skipped[reason] ?? 0) + 1;
  }

  private refuse(problem: string): never {
    throw new RecordingError(this.name, this.line, problem);
  }
}

function markerCommand(marker: Exclude<Marker, { kind: 'create' }>): TapeCommand {
  switch (marker.kind) {
    case 'delete':
      return { kind: COMMAND.memslotDelete, memslot: marker.id };
    case 'log-on':
      return { kind: COMMAND.dirtyLogOn, memslot: marker.id };
    case 'log-off':
      return { kind: COMMAND.dirtyLogOff, memslot: marker.id };
    case 'log-clear':
      return { kind: COMMAND.dirtyLogClear, memslot: marker.id, firstPage: marker.firstPage, maskLo: marker.maskLo, maskHi: marker.maskHi };
  }
}
