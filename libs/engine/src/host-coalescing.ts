import { addressHi, addressLo, alignDown, isTable, isValid, LAST_LEVEL, LO_VALID, outputAddress, spanBytes } from '@s2lab/arch';
import { K, RESULT } from '@s2lab/events';
import { visitDone } from './control.ts';
import type { Machine } from './machine.ts';
import { PC } from './pc.ts';
import type { Walker } from './walker.ts';

/*
 * Lazy coalescing of the host's stage-2, by page count, as Android's kernels do it (S. Ene, for-upstream/pkvm-coalescing, android14-6.1): what
 * the host alone has is mapped with default attributes, can be mapped again at any time, and is not counted. A page that comes back to the host
 * is not mapped but left empty, and on its way up the walk drops each table that nobody else has pages below. The next access of the host
 * aborts, and the abort maps the largest block there is. No sub-tree is ever torn down, since it holds nothing that counts.
 */

/** VMID of the host's stage-2. */
const HOST = 0;

/** Whether the walker stands on a stage-2 whose tables are dropped by their count, so that its leaves are not counted. */
export function dropsIdleTables({ config, hypervisor }: Machine, walker: Walker): boolean {
  return config.pkvm.coalesce === 'lazy' && hypervisor !== undefined && walker.vmid === HOST;
}

/**
 * Whether a descriptor of the walker's table holds a reference of it.
 * @source Linux hyp/pgtable.c stage2_pte_is_counted(); of the host android14-6.1 nvhe/mem_protect.c host_stage2_pte_is_counted()
 */
export function isCounted(machine: Machine, walker: Walker, lo: number, hi: number): boolean {
  if (lo === 0 && hi === 0) return false;
  return !isValid(lo) || isTable(lo, walker.level) || !dropsIdleTables(machine, walker);
}

/** After the new table is allocated: what the block mapped outside the range of the walk is put into it first, so that it needs no abort. */
export function needsPrefill(machine: Machine, walker: Walker): boolean {
  return isValid(walker.oldLo) && dropsIdleTables(machine, walker);
}

/**
 * Writes the next descriptor of the table that is to replace a block of the host; the table is nobody's yet. False once it is full.
 * walker.page is the slot. @source android14-6.1 hyp/pgtable.c stage2_map_prefault_idmap()
 */
export function prefill(machine: Machine, walker: Walker): boolean {
  const { shape } = machine.world;
  const level = walker.level + 1;
  const span = spanBytes(shape, level);
  const slot = walker.page;
  const offset = slot * span;
  const address = alignDown(walker.visitAddr, spanBytes(shape, walker.level)) + offset;
  const isWalks = address >= walker.addr && address + span <= walker.end;
  if (!isWalks) {
    const block = outputAddress(shape, walker.oldLo, walker.oldHi);
    const attributes = walker.oldLo & ~addressLo(shape, block) & ~LO_VALID;
    const type = level === LAST_LEVEL ? 3 : LO_VALID;
    const lo = attributes | addressLo(shape, block + offset) | type;
    const hi = (walker.oldHi & ~addressHi(shape, block)) | addressHi(shape, block + offset);
    machine.commit(walker, K.descriptorStored, level, slot, walker.child, 0, 0, lo, hi, address, 0, 0);
  }
  walker.page = slot + 1 < shape.entries ? slot + 1 : 0;
  return walker.page !== 0;
}

/** The way up from a table below which pages were given back: where a block could be, it goes if nothing in it counts. @source stage2_coalesce_walk_table_post() */
export function visitGivenBack(machine: Machine, walker: Walker): void {
  if (walker.level < machine.world.shape.minBlockLevel) visitDone(walker, RESULT.ok);
  else walker.pc = PC.unmapCount;
}
