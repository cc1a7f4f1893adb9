import { addressHi, addressLo, hex64, hexAddress, isTable } from '@s2lab/arch';
import type { Machine, Walker } from '@s2lab/engine';
import type { EventRows } from '@s2lab/events';
import { COMPONENT, K, LOCK } from '@s2lab/events';
import type { GoldenLine } from '@s2lab/recordings';
import type { RecordedSetting } from './expected-items.ts';
import { expectedItems, instructions } from './expected-items.ts';
import { after, before, observedItem } from './item-text.ts';

const COUNT_MAX = 2 ** 40;

/** What an event of a recording of the hypervisor says. Its own map and the callbacks say nothing that other lines do not. */
export function expectedPkvmItems(line: GoldenLine, setting: RecordedSetting, operation: string): string[] {
  const kind = line.text('e');
  const whole = (name: string) => line.whole(name, -COUNT_MAX, COUNT_MAX);
  const value = (name: string) => {
    const { lo, hi } = line.halves(name);
    return hex64(lo, hi);
  };
  // Pages that a destroyed guest's tables lay in are not allocated as tables: what counts is where they go (mc_push).
  const returns = operation === 'vm_destroy';
  switch (kind) {
    case 'wr':
    case 'rel':
      return [`${kind} t=${value('t')} i=${whole('i')} l=${whole('l')} old=${value('old')} new=${value('new')}`];
    case 'get':
    case 'put':
    case 'cnt':
      return [`${kind} t=${value('t')} c=${whole('c')}`];
    case 'alloc':
      if (returns) return [];
      // A guest's pool is empty: its cache comes next (mc_pop).
      if (line.isNull('t')) return line.text('pool') === 'host' ? ['alloc t=null'] : [];
      return pagesFrom(line.bytes('t'), 2 ** line.whole('order', 0, 10), setting).map((page) => `alloc t=${page}`);
    case 'mc_pop':
      return returns ? [] : [`alloc t=${value('t')}`];
    case 'mc_push':
      return [`mc_push t=${value('t')}`];
    case 'free':
      return [`free t=${value('t')}`];
    case 'host_state':
    case 'hyp_state':
      return [`${kind} pa=${value('pa')} n=${whole('n')} old=${whole('old')} new=${whole('new')}`];
    case 'tlbi':
      return instructions(line, setting).map((item) => ofStage2(item, line.text('m')));
    case 'dc':
      return [`dc pa=${value('pa')} sz=${value('sz')}${line.has('zeroed') ? ' zeroed' : ''}`];
    case 'pt':
      return [`pt t=${value('t')} i=${whole('i')} l=${whole('l')} a=${value('a')} v=${value('v')}`];
    case 'pg':
      return [`pg t=${value('t')} c=${whole('c')}`];
    case 'hyp_s1':
      return [];
    default:
      return expectedItems(line, setting);
  }
}

function pagesFrom(first: number, count: number, { pageShift }: RecordedSetting): string[] {
  return Array.from({ length: count }, (_, i) => hexAddress(first + i * 2 ** pageShift));
}

/** TLB maintenance names the stage-2 it is for; its barriers are for all. */
function ofStage2(item: string, name: string): string {
  return item.startsWith('tlbi') ? `${item} m=${name}` : item;
}

/** Name of the stage-2 with `vmid` in recordings. */
function stage2Name(vmid: number): string {
  return vmid === 0 ? 'host' : `vm${vmid}`;
}

/** Item of the engine's event in row `i`, in the words of the recordings: tables are named by the address of their page. */
export function observedPkvmItem(machine: Machine, rows: EventRows, i: number, walker: Walker): string | undefined {
  const table = nameOf(machine, rows.table[i]!);
  const { pageBytes } = machine.world.shape;
  const arg = rows.arg[i]!;
  switch (rows.kind[i]) {
    case K.descriptorStored:
    case K.descriptorReleased: {
      const old = descriptorText(machine, rows.level[i]!, rows.old[2 * i]!, rows.old[2 * i + 1]!);
      const now = descriptorText(machine, rows.level[i]!, rows.new[2 * i]!, rows.new[2 * i + 1]!);
      const kind = rows.kind[i] === K.descriptorStored ? 'wr' : 'rel';
      return `${kind} t=${table} i=${rows.slot[i]} l=${rows.level[i]} old=${old} new=${now}`;
    }
    case K.referenceGot:
      return `get t=${table} c=${arg}`;
    case K.referencePut:
      return `put t=${table} c=${arg}`;
    case K.referenceRead:
      return `cnt t=${table} c=${arg}`;
    case K.tableAllocated:
    case K.tableReused:
      return `alloc t=${table}`;
    case K.tableFreed:
      return `free t=${table}`;
    case K.memcachePushed:
      return `mc_push t=${after(rows, i)}`;
    case K.lockAcquired:
      return `lock ${lockName(arg, rows.stage2[i]!)}`;
    case K.lockReleased:
      return `unlock ${lockName(arg, rows.stage2[i]!)}`;
    case K.pageStateChanged: {
      const pages = (rows.old[2 * i + 1]! * 2 ** 32 + rows.old[2 * i]!) / pageBytes;
      const kind = arg === COMPONENT.host ? 'host_state' : 'hyp_state';
      return `${kind} pa=${after(rows, i)} n=${pages} old=${rows.level[i]} new=${rows.aux[i]}`;
    }
    case K.pageWiped:
      return `dc pa=${after(rows, i)} sz=${before(rows, i)} zeroed`;
    // What follows from the sub-tree's unlinking: the recorded code tears it down on the spot.
    case K.reclaimBegan:
    case K.faultTaken:
      return undefined;
    default: {
      const item = observedItem(rows, i, walker, machine.world.shape);
      return item === undefined ? undefined : ofStage2(item, stage2Name(rows.stage2[i]!));
    }
  }
}

function lockName(lock: number, vmid: number): string {
  return lock === LOCK.hyp ? 'hyp' : lock === LOCK.vmTable ? 'vm_table' : stage2Name(vmid);
}

/** Address of the page behind a table. */
export function nameOf(machine: Machine, table: number): string {
  return hexAddress(machine.hypervisor?.frameAddresses[table] ?? 0);
}

/** A descriptor as the recorded code has it: one of a table points to the page behind it. */
export function recordedHalves(machine: Machine, level: number, lo: number, hi: number): readonly [lo: number, hi: number] {
  if (!isTable(lo, level)) return [lo >>> 0, hi >>> 0];
  const { shape, pages } = machine.world;
  const page = machine.hypervisor?.frameAddresses[pages.frameOf(lo, hi)] ?? 0;
  return [(addressLo(shape, page) | 3) >>> 0, addressHi(shape, page) >>> 0];
}

function descriptorText(machine: Machine, level: number, lo: number, hi: number): string {
  return hex64(...recordedHalves(machine, level, lo, hi));
}
