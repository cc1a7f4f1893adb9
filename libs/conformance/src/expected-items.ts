import { hex64 } from '@s2lab/arch';
import type { GoldenLine, InstructionSink } from '@s2lab/recordings';
import { RANGE_PAGES_MAX, flushIpa, flushRange, flushVmid } from '@s2lab/recordings';
import { barrierText, tlbiText } from './item-text.ts';

/** What the reading of a recorded event depends on. */
export interface RecordedSetting {
  readonly pageShift: number;
  readonly lpa2: boolean;
  /** Before 6.2: a level hint of 0 stood for "unknown". */
  readonly old: boolean;
}

const COUNT_MAX = 2 ** 40;

/**
 * What a recorded event says, as items that are compared one by one: usually one; a TLB maintenance call is its instructions. Callbacks
 * say nothing that other lines do not.
 * @throws RecordingError that names the line
 */
export function expectedItems(line: GoldenLine, setting: RecordedSetting): string[] {
  const kind = line.text('e');
  const value = (name: string) => {
    const { lo, hi } = line.halves(name);
    return hex64(lo, hi);
  };
  const whole = (name: string) => line.whole(name, -COUNT_MAX, COUNT_MAX);
  switch (kind) {
    case 'wr':
    case 'rel':
    case 'hw_af':
      return [`${kind} ${place(line)} l=${whole('l')} old=${value('old')} new=${value('new')}`];
    case 'cas':
      return [
        `cas ${place(line)} l=${whole('l')} exp=${value('exp')} old=${value('old')} new=${value('new')} ${whole('ok') === 1 ? 'won' : 'lost'}`,
      ];
    case 'rd':
      return [`rd ${place(line)} v=${value('v')}`];
    case 'get':
    case 'put':
    case 'cnt':
      return [`${kind} t=${whole('t')} c=${whole('c')}`];
    case 'alloc':
      return [`alloc t=${line.isNull('t') ? 'null' : whole('t')}`];
    case 'free':
      return [`free t=${whole('t')}`];
    case 'alloc_pgd':
    case 'free_pgd':
      return Array.from({ length: line.whole('n', 1, 16) }, (_, i) => `${kind} t=${whole('t') + i}`);
    case 'call_rcu':
    case 'rcu_cb':
      return [`${kind} t=${whole('t')} l=${whole('l')}`];
    case 'rcu':
    case 'lock':
    case 'unlock':
    case 'dsb':
      return [`${kind} ${line.text('k')}`];
    case 'isb':
    case 'resched':
      return [kind];
    case 'tlbi':
      return instructions(line, setting);
    case 'dc':
    case 'ic':
      return [`${kind} pa=${value('pa')} sz=${value('sz')}`];
    case 'topup':
      return [`topup from=${whole('from')} to=${whole('to')}`];
    case 'cache_free':
      return [`cache_free n=${whole('n')}`];
    case 'dirty':
      return [`dirty slot=${whole('slot')} gfn=${value('gfn')} was=${whole('was')}`];
    case 'fault':
      return [`fault ${line.text('k')} l=${whole('l')}`];
    case 'vma':
      return [`vma vma_pagesize=${value('vma_pagesize')} max_map=${value('max_map')}`];
    case 'abort_ret':
      return [`abort_ret r=${whole('r')}`];
    case 'pt':
      return [`pt ${place(line)} l=${whole('l')} a=${value('a')} v=${value('v')}`];
    case 'pg':
      return [`pg t=${whole('t')} c=${whole('c')}`];
    case 'cb':
    case 'zrun':
      return [];
    default:
      // A warning, a leaked page or whatever no kernel should do: nothing the engine does is equal to it.
      return [`${kind} (the engine has no such event)`];
  }
}

function place(line: GoldenLine): string {
  return `t=${line.whole('t', 0, COUNT_MAX)} i=${line.whole('i', 0, 8191)}`;
}

/**
 * Reads of a run of callbacks in a parallel block: each descriptor before and after its callback. The first and the last read of a run
 * have lines of their own when another walker came in between.
 * @param before the walker's line before the run
 * @param after the walker's line after it
 */
export function emptyReads(line: GoldenLine, before: GoldenLine | undefined, after: GoldenLine | undefined): string[] {
  const table = line.whole('t', 0, COUNT_MAX);
  const first = line.whole('i', 0, 8191);
  const reads = 2 * line.whole('n', 1, 8192);
  const from = isRead(before, table, first) ? 1 : 0;
  const to = isRead(after, table, first + reads / 2 - 1) ? reads - 1 : reads;
  const items: string[] = [];
  for (let i = from; i < to; i += 1) items.push(`rd t=${table} i=${first + (i >> 1)} v=0x0`);
  return items;
}

function isRead(line: GoldenLine | undefined, table: number, slot: number): boolean {
  if (line === undefined || !line.has('e') || line.text('e') !== 'rd') return false;
  return line.whole('t', 0, COUNT_MAX) === table && line.whole('i', 0, 8191) === slot;
}

/** A TLB maintenance call as the instructions behind it. */
export function instructions(line: GoldenLine, setting: RecordedSetting): string[] {
  const items: string[] = [];
  const sink: InstructionSink = {
    tlbi: (op, ipa, level, pages) => items.push(tlbiText(op, ipa, level, pages)),
    dsb: (domain) => items.push(barrierText(domain)),
    isb: () => items.push('isb'),
  };
  const level = line.isNull('l') || (setting.old && line.has('l') && line.whole('l', 0, 3) === 0) ? -1 : 0;
  const kind = line.text('k');
  switch (kind) {
    case 'ipa':
    case 'ipa_nsh':
      flushIpa(sink, line.bytes('a'), level < 0 ? -1 : line.whole('l', 0, 3), kind === 'ipa_nsh');
      return items;
    case 'range':
      flushRange(sink, line.bytes('a'), line.whole('pages', 1, RANGE_PAGES_MAX), setting.pageShift, setting.lpa2);
      return items;
    case 'vmid':
      flushVmid(sink);
      return items;
    default:
      throw line.wrong('k', 'ipa, ipa_nsh, range or vmid');
  }
}
