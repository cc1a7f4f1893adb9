import type { MachineConfig } from '@s2lab/engine';
import { COMMAND, COMMAND_FLAG } from '@s2lab/engine';
import { PROT_SHIFT, WALK_FLAG } from '@s2lab/events';
import type { GoldenLine } from '@s2lab/recordings';
import { accessCode, RecordingError, walkFlags } from '@s2lab/recordings';
import type { CommandFields } from './engine-player.ts';

/** Everything of a machine's configuration that an operation line may set. */
export type RecordedConfig = { -readonly [Field in keyof MachineConfig]?: MachineConfig[Field] };

const PAGES_MAX = 2 ** 20;

/** Configuration that an `init` line asks for. */
export function initialConfig(line: GoldenLine): RecordedConfig {
  const force = line.text('force');
  if (force !== 'none' && force !== 'all' && force !== 'nonrwx') throw line.wrong('force', 'none, all or nonrwx');
  const bit = (name: string) => line.whole(name, 0, 1) === 1;
  return {
    pageShift: line.whole('page_shift', 12, 16),
    ipaBits: line.whole('ia_bits', 32, 52),
    fwb: bit('fwb'),
    tlbRange: bit('tlbrange'),
    lpa2: bit('lpa2'),
    xnx: bit('xnx'),
    asStage1: line.text('pgt_flags').includes('as_s1'),
    forcePages: force,
  };
}

/** Configuration that a setting of the fault path changes, undefined for another operation. */
export function changedConfig(line: GoldenLine): RecordedConfig | undefined {
  switch (line.text('name')) {
    case 'chunk':
      return { eagerSplitBytes: line.argument(0) };
    case 'initset':
      return { initiallyAllSet: line.argument(0) !== 0 };
    case 'ha':
      return { hardwareAccessFlag: line.argument(0) !== 0 };
    default:
      return undefined;
  }
}

/** What an operation line of the page-table library asks for. @throws RecordingError for an operation that is not known */
export function libraryCommand(line: GoldenLine, old: boolean): CommandFields {
  const name = line.text('name');
  const ipa = line.has('addr') ? line.bytes('addr') : 0;
  const bytes = line.has('size') ? line.bytes('size') : 0;
  const flags = walkFlags(line, old);
  const walk = { ipa, bytes, prot: flags >>> PROT_SHIFT, flags: flags & (WALK_FLAG.shared | WALK_FLAG.ignoreEagain) };
  switch (name) {
    case 'map':
      return { ...walk, kind: COMMAND.map, pa: line.bytes('phys'), cachePages: cachePages(line) };
    case 'unmap':
      return { ...walk, kind: COMMAND.unmap };
    case 'wrprotect':
      return { ...walk, kind: COMMAND.wrprotect };
    case 'relax':
      return { ...walk, kind: COMMAND.relax };
    case 'mkyoung':
      return { ...walk, kind: COMMAND.mkyoung };
    case 'age':
      return { ...walk, kind: COMMAND.age, makeOld: line.whole('mkold', 0, 1) };
    case 'split':
      return { ...walk, kind: COMMAND.split, cachePages: cachePages(line) };
    case 'annotate':
    case 'set_owner':
      return {
        ...walk,
        kind: COMMAND.annotate,
        annotationType: line.has('type') ? line.whole('type', 0, 15) : 0,
        annotation: line.bytes('annot'),
        cachePages: cachePages(line),
      };
    case 'flush':
      return { ...walk, kind: COMMAND.flush };
    case 'leaf':
      return { ...walk, kind: COMMAND.leaf };
    case 'tlbflush':
      return { ...walk, kind: COMMAND.tlbFlush };
    case 'destroy':
      return { kind: COMMAND.destroy };
    default:
      throw unknown(line, name);
  }
}

/** What an operation line of the fault path asks for. @throws RecordingError for an operation that is not known */
export function kvmCommand(line: GoldenLine, pageBytes: number): CommandFields {
  const name = line.text('name');
  const range = () => ({ ipa: line.argument(0) * pageBytes, bytes: line.argument(1) * pageBytes });
  switch (name) {
    case 'slot':
      return {
        kind: COMMAND.memslotCreate,
        memslot: line.argument(0),
        ipa: line.argument(1) * pageBytes,
        bytes: line.argument(2) * pageBytes,
        hva: line.argument(3),
        vmaShift: line.argument(4),
        thp: line.argument(5),
        pa: line.argument(6) * pageBytes,
        readOnly: line.hasArgument(7) ? 1 : 0,
      };
    case 'access':
      return {
        kind: COMMAND.access,
        ipa: line.argument(0),
        access: accessCode(line),
        flags: line.hasArgument(2) ? COMMAND_FLAG.stale : 0,
      };
    case 'log_on':
      return { kind: COMMAND.dirtyLogOn, memslot: line.argument(0) };
    case 'log_off':
      return { kind: COMMAND.dirtyLogOff, memslot: line.argument(0) };
    case 'clear_dirty': {
      const mask = BigInt.asUintN(64, BigInt(line.argumentText(2)));
      const [maskLo, maskHi] = [Number(mask & 0xffff_ffffn), Number(mask >> 32n)];
      return { kind: COMMAND.dirtyLogClear, memslot: line.argument(0), firstPage: line.argument(1), maskLo, maskHi };
    }
    case 'unmap_gfn':
      return { kind: COMMAND.unmapRange, ...range(), flags: line.argument(2) !== 0 ? 0 : COMMAND_FLAG.atomic };
    case 'age':
      return { kind: COMMAND.ageRange, ...range(), makeOld: 1, flags: flushes(line) };
    case 'test_age':
      return { kind: COMMAND.ageRange, ...range() };
    case 'delete':
      return { kind: COMMAND.memslotDelete, memslot: line.argument(0) };
    case 'destroy_vm':
      return { kind: COMMAND.destroyVm };
    default:
      throw unknown(line, name);
  }
}

function flushes(line: GoldenLine): number {
  return line.hasArgument(2) && line.argument(2) !== 0 ? COMMAND_FLAG.flushIfYoung : 0;
}

function cachePages(line: GoldenLine): number {
  return !line.has('mc') || line.isNull('mc') ? -1 : line.whole('mc', 0, PAGES_MAX);
}

function unknown(line: GoldenLine, name: string): RecordingError {
  return new RecordingError(line.number, `the operation "${name}" is not known`);
}
