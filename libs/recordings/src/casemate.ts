import type { Frame } from '@s2lab/events';
import { DSB, INVALIDATION, K, STORE_ORDER } from '@s2lab/events';
import { HINT_NAMES, REGISTER_NAMES, WITH_OPERAND } from './casemate-lines.ts';
import { CasemateScanner, TOKEN } from './casemate-records.ts';
import { EventWriter } from './event-writer.ts';

/** How an imported trace names itself. */
export interface CasemateOptions {
  /** Run id of the frames; default `casemate`. */
  readonly run?: string;
  /** What was traced; default `trace`. */
  readonly workload?: string;
}

/** Threads that a trace may have. @source casemate 3.0.2 MAX_CPU */
const THREADS = 4;
const PAGE_SHIFT = 12;
const TWO_32 = 0x1_0000_0000;

/**
 * Turns a trace of casemate (text) into frames of our events: one machine, one event a record, after `machine-started`. Identifiers and
 * source places of the records are not kept.
 * @throws RecordingError that names line and record when the text is no trace of version 3.0.2.
 */
export function* importCasemate(text: string, options: CasemateOptions = {}): Generator<Frame, void, undefined> {
  const reader = new CasemateReader(text, options);
  while (reader.read()) for (let frame = reader.writer.take(); frame !== undefined; frame = reader.writer.take()) yield frame;
  for (let frame = reader.writer.take(); frame !== undefined; frame = reader.writer.take()) yield frame;
}

class CasemateReader {
  readonly writer: EventWriter;
  private readonly scanner: CasemateScanner;
  private lo = 0;
  private hi = 0;

  constructor(text: string, options: CasemateOptions) {
    this.scanner = new CasemateScanner(text);
    this.writer = new EventWriter({
      run: options.run ?? 'casemate',
      machine: 0,
      policy: 'none',
      machineKind: 'casemate',
      workload: options.workload ?? 'trace',
    });
    this.writer.actor = 0;
    this.writer.note(K.machineStarted, THREADS, PAGE_SHIFT);
  }

  /** Reads one record. Returns false at the end of the trace. */
  read(): boolean {
    const { scanner, writer } = this;
    if (!scanner.begin()) {
      writer.actor = 0;
      writer.note(K.machineStopped, 0);
      writer.cut();
      return false;
    }
    const head = scanner.take(TOKEN.word, 'the kind of a record');
    this.decimal('id');
    const thread = this.decimal('tid');
    if (!(thread < THREADS)) throw scanner.wrong(`a thread from 0 to ${THREADS - 1} before it`);
    writer.actor = thread;
    this.record(head);
    if (!scanner.field('src', TOKEN.string).includes(':')) throw scanner.wrong('(src "file:line")');
    scanner.end();
    return true;
  }

  private record(head: string): void {
    const { scanner } = this;
    switch (head) {
      case 'mem-write': {
        const order = this.oneOf('mem-order', STORE_ORDER);
        this.addressed(K.memoryWritten, 'value', order);
        return;
      }
      case 'mem-read':
        this.addressed(K.memoryRead, 'value', 0);
        return;
      case 'mem-init':
        this.addressed(K.memoryInitialised, 'size', 0);
        return;
      case 'mem-free':
        this.addressed(K.memoryFreed, 'size', 0);
        return;
      case 'mem-set':
        this.fill();
        return;
      case 'barrier':
        this.barrier();
        return;
      case 'tlbi':
        this.invalidation();
        return;
      case 'sysreg-write': {
        const register = this.oneOf('sysreg', REGISTER_NAMES);
        this.hex('value');
        this.writer.emit(K.registerWritten, 0, 0, 0, 0, 0, this.lo, this.hi, 0, register, 0);
        return;
      }
      case 'hint': {
        const hint = this.oneOf('kind', HINT_NAMES);
        this.addressed(K.hintGiven, 'value', hint, 'location');
        return;
      }
      case 'lock':
      case 'trylock':
      case 'unlock':
        this.hex('address');
        this.writer.emit(
          head === 'unlock' ? K.addressUnlocked : K.addressLocked,
          0,
          0,
          0,
          this.lo,
          this.hi,
          0,
          0,
          0,
          head === 'trylock' ? 1 : 0,
          0,
        );
        return;
      default:
        throw scanner.wrong(`a kind of record before it (${JSON.stringify(head.slice(0, 40))} is none)`);
    }
  }

  /** A record of an address and another 64-bit number. */
  private addressed(kind: number, second: string, arg: number, first = 'address'): void {
    this.hex(first);
    const { lo, hi } = this;
    this.hex(second);
    this.writer.emit(kind, 0, 0, 0, lo, hi, this.lo, this.hi, 0, arg, 0);
  }

  private fill(): void {
    this.hex('address');
    const { lo, hi } = this;
    this.hex('size');
    const bytes = this.hi * TWO_32 + this.lo;
    if (bytes > Number.MAX_SAFE_INTEGER) throw this.scanner.wrong('a size below 2^53 before it');
    this.hex('value');
    this.writer.emit(K.memoryFilled, 0, 0, 0, lo, hi, this.lo, this.hi, bytes, 0, 0);
  }

  private barrier(): void {
    const kind = this.scanner.take(TOKEN.word, 'dsb or isb');
    if (kind === 'isb') this.writer.note(K.isbCompleted, 0);
    else if (kind === 'dsb') this.writer.note(K.dsbCompleted, this.oneOf('kind', { ish: DSB.ish, ishst: DSB.ishst, nsh: DSB.nsh }));
    else throw this.scanner.wrong(`dsb or isb (not ${JSON.stringify(kind.slice(0, 40))})`);
  }

  private invalidation(): void {
    const name = this.scanner.take(TOKEN.word, 'a TLBI operation');
    const op = INVALIDATION[name as keyof typeof INVALIDATION] as number | undefined;
    if (op === undefined) throw this.scanner.wrong(`a TLBI operation before it (${JSON.stringify(name.slice(0, 40))} is none)`);
    this.lo = 0;
    this.hi = 0;
    if (WITH_OPERAND.includes(op)) this.hex('value');
    this.writer.emit(K.invalidationIssued, 0, 0, 0, 0, 0, this.lo, this.hi, 0, op, 0);
  }

  private oneOf(key: string, codes: Readonly<Record<string, number>>): number {
    const word = this.scanner.field(key, TOKEN.word);
    if (!Object.hasOwn(codes, word)) throw this.scanner.wrong(`one of ${Object.keys(codes).join(', ')} as ${key} before it`);
    return codes[word]!;
  }

  /** Leading digits of a decimal number. */
  private decimal(key: string): number {
    const digits = /^\d+/.exec(this.scanner.field(key, TOKEN.word));
    if (digits === null) throw this.scanner.wrong(`a decimal ${key} before it`);
    return Number(digits[0]);
  }

  /** A hexadecimal number of 64 bits, with or without 0x, into `lo` and `hi`; more bits are dropped. */
  private hex(key: string): void {
    const word = this.scanner.field(key, TOKEN.word);
    const digits = /^(?:0[xX])?([0-9a-fA-F]+)$/.exec(word)?.[1];
    if (digits === undefined) throw this.scanner.wrong(`a hexadecimal ${key} before it`);
    this.lo = Number.parseInt(digits.slice(-8), 16);
    this.hi = digits.length > 8 ? Number.parseInt(digits.slice(-16, -8), 16) : 0;
  }
}
