import { COMMAND, COMMAND_FLAG } from '@s2lab/engine';
import { ACCESS } from '@s2lab/events';
import type { TapeCommand } from './command-tape.ts';
import { CommandTape } from './command-tape.ts';
import { eachLine } from './line-reader.ts';
import type { RecordedMachine, Recording } from './recording.ts';
import { RecordingError } from './recording.ts';
import { ScriptWords, wholeNumber } from './script-words.ts';

/** Walkers that one `par` block may have. */
const WALKERS_MAX = 64;

const ACCESS_LETTERS: Readonly<Record<string, number>> = { r: ACCESS.read, w: ACCESS.write, x: ACCESS.execute };

/** Operations of the page-table library, straight: in sequence and in par blocks. */
const WALKS: Readonly<Record<string, (w: ScriptWords) => TapeCommand>> = {
  map: (w) => ({
    kind: COMMAND.map,
    ipa: address(w),
    bytes: size(w),
    pa: w.number('a physical address'),
    prot: w.prot(),
    flags: w.flags(),
    cachePages: w.cachePages(),
  }),
  unmap: (w) => ({ kind: COMMAND.unmap, ipa: address(w), bytes: size(w) }),
  wrprotect: (w) => ({ kind: COMMAND.wrprotect, ipa: address(w), bytes: size(w) }),
  flush: (w) => ({ kind: COMMAND.flush, ipa: address(w), bytes: size(w) }),
  relax: (w) => ({ kind: COMMAND.relax, ipa: address(w), prot: w.prot(), flags: w.flags() }),
  mkyoung: (w) => ({ kind: COMMAND.mkyoung, ipa: address(w), flags: w.flags() }),
  age: (w) => ({ kind: COMMAND.age, ipa: address(w), bytes: size(w), makeOld: w.number('0 or 1', 1) }),
  split: (w) => ({ kind: COMMAND.split, ipa: address(w), bytes: size(w), cachePages: w.cachePages() }),
  annotate: (w) => ({
    kind: COMMAND.annotate,
    ipa: address(w),
    bytes: size(w),
    annotationType: w.number('an annotation type', 15),
    annotation: w.number('an annotation'),
    cachePages: w.cachePages(),
  }),
  leaf: (w) => ({ kind: COMMAND.leaf, ipa: address(w) }),
  tlbflush: (w) => ({ kind: COMMAND.tlbFlush, ipa: address(w), bytes: size(w) }),
};

/** Operations of KVM above the library. */
const KVM: Readonly<Record<string, (w: ScriptWords, pageBytes: number) => TapeCommand>> = {
  slot: (w, page) => {
    const slot = {
      kind: COMMAND.memslotCreate,
      memslot: slotId(w),
      ipa: pages(w, 'a first guest page', page),
      bytes: pages(w, 'a number of pages', page),
      hva: w.number('a host virtual address'),
      vmaShift: w.number('log2 of the VMA’s page size', 48),
      thp: w.number('a huge page rule', 1 << 20),
      pa: pages(w, 'a first host page', page),
    };
    return w.more ? { ...slot, readOnly: word(w, 'ro') } : slot;
  },
  access: (w) => {
    const access = { kind: COMMAND.access, ipa: address(w), access: accessKind(w) };
    return w.more ? { ...access, flags: word(w, 'stale') * COMMAND_FLAG.stale } : access;
  },
  log_on: (w) => ({ kind: COMMAND.dirtyLogOn, memslot: slotId(w) }),
  log_off: (w) => ({ kind: COMMAND.dirtyLogOff, memslot: slotId(w) }),
  clear_dirty: (w) => {
    const memslot = slotId(w);
    const firstPage = w.number('a first page', 2 ** 40);
    const [maskLo, maskHi] = w.mask('a mask');
    return { kind: COMMAND.dirtyLogClear, memslot, firstPage, maskLo, maskHi };
  },
  unmap_gfn: (w, page) => ({
    kind: COMMAND.unmapRange,
    ...gfnRange(w, page),
    flags: w.number('may-block, 0 or 1', 1) === 1 ? 0 : COMMAND_FLAG.atomic,
  }),
  age: (w, page) => ({
    kind: COMMAND.ageRange,
    ...gfnRange(w, page),
    makeOld: 1,
    flags: w.more && w.number('flush, 0 or 1', 1) === 1 ? COMMAND_FLAG.flushIfYoung : 0,
  }),
  test_age: (w, page) => {
    const range = gfnRange(w, page);
    if (w.more) w.number('flush, 0 or 1', 1);
    return { kind: COMMAND.ageRange, ...range };
  },
  delete: (w) => ({ kind: COMMAND.memslotDelete, memslot: slotId(w) }),
  leaf: WALKS['leaf']!,
};

/** Words that say how the machine is set up; they come before the first operation. */
const SETTINGS: Readonly<Record<string, (w: ScriptWords) => Partial<RecordedMachine>>> = {
  chunk: (w) => ({ eagerSplitBytes: w.number('a chunk size') }),
  initset: (w) => ({ initiallyAllSet: w.number('0 or 1', 1) === 1 }),
  ha: (w) => ({ hardwareAccessFlag: w.number('0 or 1', 1) === 1 }),
};

/** Operations that only look; they change nothing, so they give no command. */
const QUERIES: ReadonlySet<string> = new Set(['dump', 'digest']);

const PKVM: ReadonlySet<string> = new Set([
  'region',
  'boot',
  'host_fault',
  'host_leaf',
  'share_hyp',
  'unshare_hyp',
  'donate_hyp',
  'hyp_donate_host',
  'share_ffa',
  'unshare_ffa',
  'vm_init',
  'topup',
  'donate_guest',
  'share_guest',
  'unshare_guest',
  'reclaim',
  'force_reclaim',
  'guest_share_host',
  'guest_unshare_host',
  'relax_guest',
  'wrprotect_guest',
  'young_guest',
  'mkyoung_guest',
  'vm_destroy',
]);

/**
 * Reads an operation script of the page-table library (`map`, `par` …) or of KVM above it (`slot`, `access` …).
 *
 * Lines in sequence run on actor 0, each when the one before is complete; walker w of a `par` block runs on actor w-1, and the
 * block ends when all walkers have ended. `dump` and `digest` only look and give no command; seed and switch rate of `par` belong
 * to the recording scheduler and are not used.
 * @param name name of the file; `.ps14` or `.ps16` in it says that the granule is 16K or 64K, otherwise it is 4K
 * @throws RecordingError with the line
 */
export function parseGoldenScript(text: string, name: string): Recording {
  const reader = new ScriptReader(name);
  eachLine(text, (line, number) => reader.read(line, number));
  return reader.finish();
}

class ScriptReader {
  private readonly name: string;
  private readonly pageShift: number;
  private readonly tape = new CommandTape();
  private readonly lines: Record<string, number> = {};
  private readonly skipped: Record<string, number> = {};
  private line = 0;
  private machine: Partial<RecordedMachine> | undefined;
  private dialect: 'library' | 'kvm' | undefined;
  private epoch = 0;
  private parLine = 0;
  private vcpus = 1;
  private destroyed = false;

  constructor(name: string) {
    this.name = name;
    this.pageShift = Number(/\.ps(1[246])\b/.exec(name)?.[1] ?? 12);
  }

  read(text: string, line: number): void {
    this.line = line;
    const words = text.trim().split(/\s+/);
    if (words[0] === '' || words[0]!.startsWith('#')) return;
    const walker = this.parLine > 0 && words[0] !== 'end' ? this.walker(words[0]!) : 0;
    const w = new ScriptWords(words, walker > 0 ? 1 : 0, this.refuse);
    this.lines[w.operation] = (this.lines[w.operation] ?? 0) + 1;
    if (walker > 0) this.walk(w, walker - 1);
    else this.sequential(w);
    w.end();
  }

  finish(): Recording {
    if (this.parLine > 0) throw new RecordingError(this.name, this.parLine, 'par: this block has no end');
    if (this.machine === undefined) throw new RecordingError(this.name, 0, "expected a script that begins with 'init', found none");
    const machine = { ...this.machine, vcpus: this.vcpus, pageShift: this.pageShift, ipaBits: this.machine.ipaBits ?? 40 };
    return { format: 'script', name: this.name, machine, tape: this.tape, lines: this.lines, skipped: this.skipped };
  }

  private readonly refuse = (problem: string): never => {
    throw new RecordingError(this.name, this.line, problem);
  };

  private sequential(w: ScriptWords): void {
    const { operation } = w;
    if (PKVM.has(operation)) this.refuse(`${operation}: pKVM operations are not supported by recorded KVM workloads`);
    if (operation === 'init') return this.init(w);
    if (this.machine === undefined) this.refuse(`expected 'init' before any operation, found '${operation}'`);
    if (QUERIES.has(operation)) return this.skip(operation);
    if (this.destroyed) this.refuse(`${operation}: nothing may follow the end of the stage-2`);
    const setting = SETTINGS[operation];
    if (setting !== undefined && Object.hasOwn(SETTINGS, operation)) return this.set(operation, setting(w));
    switch (operation) {
      case 'par':
        return this.beginPar(w);
      case 'end':
        return this.endPar();
      case 'rcu_gp':
        return this.add(0, { kind: COMMAND.waitGracePeriod });
      case 'destroy':
        return this.end('library', { kind: COMMAND.destroy });
      case 'destroy_vm':
        return this.end('kvm', { kind: COMMAND.destroyVm });
      default:
        return this.operate(w);
    }
  }

  private operate(w: ScriptWords): void {
    const { operation } = w;
    // `age` is in both dialects with different arguments; `leaf` is the same in both.
    const kvm = Object.hasOwn(KVM, operation) && operation !== 'leaf' && (this.dialect === 'kvm' || !Object.hasOwn(WALKS, operation));
    if (kvm) {
      this.speak('kvm', operation);
      return this.add(0, KVM[operation]!(w, 2 ** this.pageShift));
    }
    if (!Object.hasOwn(WALKS, operation)) this.refuse(`'${operation}' is not a known operation`);
    if (operation !== 'leaf') this.speak('library', operation);
    this.add(0, WALKS[operation]!(w));
  }

  private walk(w: ScriptWords, actor: number): void {
    const walk = Object.hasOwn(WALKS, w.operation) ? WALKS[w.operation] : undefined;
    if (walk === undefined) return this.refuse(`'${w.operation}' is not an operation of a walker in a par block`);
    this.tape.add(actor, this.epoch, 0, walk(w));
  }

  private add(actor: number, command: TapeCommand): void {
    this.tape.add(actor, this.epoch, 0, command);
    this.epoch += 1;
  }

  private init(w: ScriptWords): void {
    if (this.machine !== undefined) this.refuse('init: a script has one, at its beginning');
    // As the recordings were made: no FEAT_DIC, and a table id is never handed out twice.
    let machine: Partial<RecordedMachine> = { ipaBits: 40, dic: false, reuseFrames: false };
    while (w.more) machine = { ...machine, ...this.initOption(w.text('an option')) };
    this.machine = machine;
  }

  private initOption(word: string): Partial<RecordedMachine> {
    const [key, value = ''] = word.split('=', 2);
    const bit = () =>
      value === '0' || value === '1' ? value === '1' : this.refuse(`init: expected ${key}=0 or ${key}=1, found '${word}'`);
    switch (key) {
      case 'ia': {
        const bits = wholeNumber(value);
        return bits >= 32 && bits <= 52 ? { ipaBits: bits } : this.refuse(`init: expected ia=32 to ia=52, found '${word}'`);
      }
      case 'fwb':
        return { fwb: bit() };
      case 'range':
        return { tlbRange: bit() };
      case 'lpa2':
        return { lpa2: bit() };
      case 'xnx':
        return { xnx: bit() };
      case 'pa52':
        // Only widens physical addresses, which the descriptor formats here always allow.
        bit();
        return {};
      case 'flags':
        return value === '-'
          ? {}
          : value === 'as_s1'
            ? { asStage1: true }
            : this.refuse(`init: expected flags=- or flags=as_s1, found '${word}'`);
      case 'force':
        return value === 'none' || value === 'all' || value === 'nonrwx'
          ? { forcePages: value }
          : this.refuse(`init: expected force=none, force=all or force=nonrwx, found '${word}'`);
      default:
        return this.refuse(`init: '${word}' is not a known option`);
    }
  }

  private set(operation: string, values: Partial<RecordedMachine>): void {
    this.speak('kvm', operation);
    if (this.tape.length > 0) this.refuse(`${operation}: expected before the first operation, since a machine keeps its set-up`);
    this.machine = { ...this.machine, ...values };
  }

  private beginPar(w: ScriptWords): void {
    this.speak('library', 'par');
    w.number('a seed');
    w.number('a switch rate in percent', 100);
    this.parLine = this.line;
  }

  private endPar(): void {
    if (this.parLine === 0) this.refuse("end: there is no 'par' before it");
    this.parLine = 0;
    this.epoch += 1;
  }

  private walker(word: string): number {
    const walker = wholeNumber(word);
    if (!(walker >= 1 && walker <= WALKERS_MAX))
      this.refuse(`expected a walker from 1 to ${WALKERS_MAX} or 'end' in a par block, found '${word}'`);
    this.vcpus = Math.max(this.vcpus, walker);
    return walker;
  }

  private end(dialect: 'library' | 'kvm', command: TapeCommand): void {
    this.speak(dialect, dialect === 'kvm' ? 'destroy_vm' : 'destroy');
    this.add(0, command);
    this.destroyed = true;
  }

  private skip(operation: string): void {
    this.skipped[operation] = (this.skipped[operation] ?? 0) + 1;
  }

  /** A script speaks of the library or of KVM above it; both at once have no meaning. */
  private speak(dialect: 'library' | 'kvm', operation: string): void {
    this.dialect ??= dialect;
    if (this.dialect !== dialect) {
      this.refuse(`${operation}: expected operations of ${this.dialect === 'kvm' ? 'KVM' : 'the page-table library'} only, as above`);
    }
  }
}

function address(w: ScriptWords): number {
  return w.number('an address');
}

function size(w: ScriptWords): number {
  return w.number('a size in bytes');
}

function slotId(w: ScriptWords): number {
  return w.number('a memslot id', 0xffff);
}

function pages(w: ScriptWords, what: string, pageBytes: number): number {
  return w.number(what, 2 ** 52 / pageBytes) * pageBytes;
}

function gfnRange(w: ScriptWords, pageBytes: number): { ipa: number; bytes: number } {
  return { ipa: pages(w, 'a first guest page', pageBytes), bytes: pages(w, 'a number of pages', pageBytes) };
}

function accessKind(w: ScriptWords): number {
  const letter = w.text('an access: r, w or x');
  return Object.hasOwn(ACCESS_LETTERS, letter) ? ACCESS_LETTERS[letter]! : w.reject('an access: r, w or x', letter);
}

/** Takes the word `expected`, gives 1. */
function word(w: ScriptWords, expected: string): number {
  const found = w.text(expected);
  return found === expected ? 1 : w.reject(`'${expected}' or the end of the line`, found);
}
