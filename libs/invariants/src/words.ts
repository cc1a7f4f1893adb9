import { hex64, isLocked, isTable, isValid } from '@s2lab/arch';
import type { World } from './shadow/world.ts';

/** An actor in words. */
export function actorName(actor: number, vcpus: number): string {
  if (actor < vcpus) return `vCPU ${actor}`;
  if (actor === vcpus) return 'the VMM thread';
  return actor === vcpus + 1 ? 'the reclaim worker' : `actor ${actor}`;
}

/** A descriptor in words: what it is and its bits. */
export function descriptorWords(lo: number, hi: number, level: number): string {
  if ((lo | hi) === 0) return 'empty';
  const bits = hex64(lo, hi);
  if (isLocked(lo, hi)) return `locked (${bits})`;
  if (!isValid(lo)) return `an annotation (${bits})`;
  return `${isTable(lo, level) ? 'a table' : level === 3 ? 'a page' : 'a block'} (${bits})`;
}

/** A slot in words. */
export function slotWords(table: number, slot: number, level: number): string {
  return `slot ${slot} of table ${table} (level ${level})`;
}

/** An event that is not under the cursor any more, told from what a rule kept of it. */
export function remembered(seq: number, world: World, actor: number, what: string): { seq: number; text: string } {
  return { seq, text: `${actorName(actor, world.vcpus)} ${what}` };
}
