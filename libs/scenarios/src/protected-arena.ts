/*
 * How the memory of a pKVM machine is divided: each core has an arena of its own, in which its guests live one after the other.
 */

/** Most cores: each has a guest at a time, and VMIDs of guests are 1 to 255. */
export const CORES_MAX = 255;
/** Blocks of 2 MiB: what arenas are cut in. */
export const BLOCK_BYTES = 0x20_0000;

/** What the hypervisor keeps at least, and what is left for the host alone. */
const REST_BYTES = 4 * BLOCK_BYTES;
/** One byte in so many is in table pages of the host's stage-2, at most. */
const TABLE_SHARE = 256;

/** Bytes of one core's arena: the guest's memory, then a block for its table pages. */
export function arenaBytes(guestBytes: number): number {
  return Math.ceil(guestBytes / BLOCK_BYTES) * BLOCK_BYTES + BLOCK_BYTES;
}

/** Least memory of a machine with so many cores. */
export function leastMemory(cores: number, guestBytes: number): number {
  const arenas = cores * arenaBytes(guestBytes) + REST_BYTES;
  return arenas + Math.ceil(arenas / TABLE_SHARE / BLOCK_BYTES) * BLOCK_BYTES;
}
