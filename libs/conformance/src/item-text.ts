import type { Geometry } from '@s2lab/arch';
import { hex64, hexAddress } from '@s2lab/arch';
import type { EventRows } from '@s2lab/events';
import { DSB, FAULT, K, LOCK_MODE, TLBI } from '@s2lab/events';
import type { Walker } from '@s2lab/engine';

const TLBI_NAMES: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(TLBI).map(([name, code]) => [code, name]));
const DSB_NAMES: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(DSB).map(([name, code]) => [code, name]));
const FAULT_NAMES: Readonly<Record<number, string>> = {
  [FAULT.translation]: 'trans',
  [FAULT.permission]: 'perm',
  [FAULT.accessFlag]: 'af',
};

/** Item of a TLBI instruction; `level` -1 = no hint. */
export function tlbiText(op: number, ipa: number, level: number, pages: number): string {
  return `tlbi ${TLBI_NAMES[op]} a=${hexAddress(ipa)} l=${level < 0 ? 'null' : level} pages=${pages}`;
}

/** Item of a barrier. */
export function barrierText(domain: number): string {
  return `dsb ${DSB_NAMES[domain]}`;
}

/**
 * Item of the engine's event in row `i`, in the words of the recordings; undefined for events that recordings do not have.
 * @param walker who made it: it still knows what its compare-and-exchange expected
 * @param shape its root pages are the tables from 0 on, and are named otherwise
 */
export function observedItem(rows: EventRows, i: number, walker: Walker, shape: Geometry): string | undefined {
  const table = rows.table[i]!;
  const isRoot = table < shape.rootPages;
  const arg = rows.arg[i]!;
  const aux = rows.aux[i]!;
  switch (rows.kind[i]) {
    case K.descriptorStored:
      return change('wr', rows, i);
    case K.descriptorReleased:
      return change('rel', rows, i);
    case K.descriptorHardwareUpdated:
      return change('hw_af', rows, i);
    case K.descriptorSwapped:
    case K.descriptorSwapFailed: {
      const outcome = rows.kind[i] === K.descriptorSwapped ? 'won' : 'lost';
      return `cas t=${table} i=${rows.slot[i]} l=${rows.level[i]} exp=${hex64(walker.oldLo, walker.oldHi)} old=${before(rows, i)} new=${after(rows, i)} ${outcome}`;
    }
    case K.descriptorRead:
      return `rd t=${table} i=${rows.slot[i]} v=${before(rows, i)}`;
    case K.referenceGot:
      return `get t=${table} c=${arg}`;
    case K.referencePut:
      return `put t=${table} c=${arg}`;
    case K.referenceRead:
      return `cnt t=${table} c=${arg}`;
    case K.tableAllocated:
      return isRoot ? `alloc_pgd t=${table}` : `alloc t=${table}`;
    case K.cacheExhausted:
      return 'alloc t=null';
    case K.tableFreed:
      return isRoot ? `free_pgd t=${table}` : `free t=${table}`;
    case K.tableRetired:
      return `call_rcu t=${table} l=${rows.level[i]}`;
    case K.reclaimBegan:
      return `rcu_cb t=${table} l=${rows.level[i]}`;
    case K.readSectionEntered:
      return 'rcu lock';
    case K.readSectionLeft:
      return 'rcu unlock';
    case K.lockAcquired:
      return `lock ${aux === LOCK_MODE.write ? 'w' : 'r'}`;
    case K.lockReleased:
      return `unlock ${aux === LOCK_MODE.write ? 'w' : 'r'}`;
    case K.tlbiIssued:
      return tlbiText(arg, address(rows, i), rows.level[i]!, aux);
    case K.dsbCompleted:
      return barrierText(arg);
    case K.isbCompleted:
      return 'isb';
    case K.dcacheCleaned:
      return `dc pa=${after(rows, i)} sz=${before(rows, i)}`;
    case K.icacheInvalidated:
      return `ic pa=${after(rows, i)} sz=${before(rows, i)}`;
    default:
      return rareItem(rows, i, walker, shape);
  }
}

function rareItem(rows: EventRows, i: number, walker: Walker, shape: Geometry): string | undefined {
  const arg = rows.arg[i]!;
  switch (rows.kind[i]) {
    case K.cacheToppedUp:
      return `topup from=${arg} to=${rows.aux[i]}`;
    case K.cacheReleased:
      return `cache_free n=${arg}`;
    case K.yieldOffered:
      return 'resched';
    case K.faultTaken:
      return `fault ${FAULT_NAMES[arg]} l=${rows.level[i]}`;
    case K.mappingSizeChosen:
      return `vma vma_pagesize=${before(rows, i)} max_map=${after(rows, i)}`;
    case K.pageDirtied:
      return `dirty slot=${arg} gfn=${hexAddress(address(rows, i) / shape.pageBytes)} was=${rows.aux[i]}`;
    // The handler of an access flag fault returns nothing.
    case K.faultHandled:
      return walker.faultKind === FAULT.accessFlag ? undefined : `abort_ret r=${arg | 0}`;
    default:
      return undefined;
  }
}

function address(rows: EventRows, i: number): number {
  return rows.ipa[2 * i + 1]! * 2 ** 32 + rows.ipa[2 * i]!;
}

function change(name: string, rows: EventRows, i: number): string {
  return `${name} t=${rows.table[i]} i=${rows.slot[i]} l=${rows.level[i]} old=${before(rows, i)} new=${after(rows, i)}`;
}

/** Column `old` of row `i` as text. */
export function before(rows: EventRows, i: number): string {
  return hex64(rows.old[2 * i]!, rows.old[2 * i + 1]!);
}

/** Column `new` of row `i` as text. */
export function after(rows: EventRows, i: number): string {
  return hex64(rows.new[2 * i]!, rows.new[2 * i + 1]!);
}
