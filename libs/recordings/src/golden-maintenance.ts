import { DSB, K, LOCK_MODE } from '@s2lab/events';
import type { EventWriter } from './event-writer.ts';
import type { GoldenLine } from './golden-line.ts';
import { RANGE_PAGES_MAX, flushIpa, flushRange, flushVmid } from './tlbi-sequences.ts';

/** What the expansion of a TLB maintenance call depends on. */
export interface FlushSetting {
  readonly pageShift: number;
  readonly lpa2: boolean;
  /** Before 6.8 a level hint of 0 stood for "unknown". */
  readonly zeroIsUnknown: boolean;
}

/** Writes what a line of TLB, barrier or cache maintenance says. Returns whether it was one. */
export function maintenance(writer: EventWriter, line: GoldenLine, setting: FlushSetting): boolean {
  switch (line.text('e')) {
    case 'tlbi':
      flush(writer, line, setting);
      return true;
    case 'dsb':
      writer.note(K.dsbCompleted, barrierDomain(line));
      return true;
    case 'isb':
      writer.note(K.isbCompleted, 0);
      return true;
    case 'dc':
      cacheMaintenance(writer, line, line.has('zeroed') ? K.pageWiped : K.dcacheCleaned);
      return true;
    case 'ic':
      cacheMaintenance(writer, line, K.icacheInvalidated);
      return true;
    default:
      return false;
  }
}

/** Writes the instructions of a recorded TLB maintenance call. */
function flush(writer: EventWriter, line: GoldenLine, setting: FlushSetting): void {
  const sink = {
    tlbi: (op: number, ipa: number, level: number, pages: number) => writer.emit(K.tlbiIssued, level, 0, 0, 0, 0, 0, 0, ipa, op, pages),
    dsb: (domain: number) => writer.note(K.dsbCompleted, domain),
    isb: () => writer.note(K.isbCompleted, 0),
  };
  switch (line.text('k')) {
    case 'ipa':
      flushIpa(sink, line.bytes('a'), hint(line, setting), false);
      return;
    case 'ipa_nsh':
      flushIpa(sink, line.bytes('a'), hint(line, setting), true);
      return;
    case 'range':
      flushRange(sink, line.bytes('a'), line.whole('pages', 1, RANGE_PAGES_MAX), setting.pageShift, setting.lpa2);
      return;
    case 'vmid':
      flushVmid(sink);
      return;
    default:
      throw line.wrong('k', 'ipa, ipa_nsh, range or vmid');
  }
}

function hint(line: GoldenLine, setting: FlushSetting): number {
  const level = line.isNull('l') ? -1 : line.whole('l', 0, 3);
  return setting.zeroIsUnknown && level === 0 ? -1 : level;
}

/** LOCK_MODE of a lock line. */
export function lockMode(line: GoldenLine): number {
  switch (line.text('k')) {
    case 'r':
      return LOCK_MODE.read;
    case 'w':
      return LOCK_MODE.write;
    default:
      throw line.wrong('k', 'r or w');
  }
}

/** DSB domain of a barrier line. */
function barrierDomain(line: GoldenLine): number {
  const domain = { ish: DSB.ish, ishst: DSB.ishst, nsh: DSB.nsh, nshst: DSB.nshst }[line.text('k')];
  if (domain === undefined) throw line.wrong('k', 'ish, ishst, nsh or nshst');
  return domain;
}

/** Writes a cache maintenance event of `kind`. */
function cacheMaintenance(writer: EventWriter, line: GoldenLine, kind: number): void {
  const pa = line.bytes('pa');
  const bytes = line.bytes('sz');
  writer.emit(kind, 0, 0, 0, bytes, Math.floor(bytes / 2 ** 32), pa, Math.floor(pa / 2 ** 32), 0, 0, 0);
}

/** The dirty bits that the VMM clears: those of 64 pages of the memslot at `base` that the mask names, one event a run of them. */
export function clearDirtyBits(writer: EventWriter, line: GoldenLine, base: number, pageBytes: number): void {
  const { lo, hi } = line.argumentHalves(2);
  const asked = (page: number): boolean => page < 64 && ((page < 32 ? lo : hi) & (1 << (page & 31))) !== 0;
  for (let page = 0; page < 64; page++) {
    if (!asked(page)) continue;
    const from = page;
    while (asked(page + 1)) page += 1;
    const bytes = (page + 1 - from) * pageBytes;
    writer.emit(K.dirtyLogCleared, 0, 0, 0, bytes, 0, 0, 0, base + (line.argument(1) + from) * pageBytes, line.argument(0), 0);
  }
}
