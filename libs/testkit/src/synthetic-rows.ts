import { ACCESS, EventColumns, FRAME_ROWS, K, LOCK, LOCK_MODE, OP, TLBI } from '@s2lab/events';

/** Deterministic 32-bit generator (xorshift), so that every run measures the same bytes. */
function generator(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const PAGE = 4096;
const VALID_PAGE = 0x7ff;
const UXN_HIGH = 0x0040_0000;

/**
 * Rows like those of four vCPUs that fault in guest memory and collapse it: walks of four levels, stores, reference counts, locks and
 * TLB invalidations, interleaved; about one event in three touches a descriptor.
 */
export function syntheticRows(seed: number, count: number = FRAME_ROWS): EventColumns {
  const rows = new EventColumns(count);
  const next = generator(seed);
  let at = seed * 1_000_000;
  let walk = seed * 1000;
  const tick = (): number => (at += 5 + (next() & 63));
  while (rows.length < count) {
    const actor = next() & 3;
    const page = next() & 0x3ffff;
    const ipa = 0x4000_0000 + page * PAGE;
    const pa = 0x8_0000_0000 + page * PAGE;
    const leaf = 100 + (page >>> 9);
    walk += 1;
    const put = (
      kind: number,
      level: number,
      slot: number,
      table: number,
      oldLo: number,
      oldHi: number,
      newLo: number,
      newHi: number,
      arg: number,
      aux: number,
    ): void => {
      if (rows.length < count) rows.append(kind, tick(), actor, walk, 1, level, slot, table, oldLo, oldHi, newLo, newHi, ipa, arg, aux);
    };
    put(K.faultTaken, 3, 0, 0, 0, 0, 0, 0, 1, ACCESS.write);
    put(K.lockAcquired, 0, 0, 0, 0, 0, 0, 0, LOCK.mmu, LOCK_MODE.read);
    put(K.readSectionEntered, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    put(K.walkBegan, 0, 0, 0, PAGE, 0, pa % 2 ** 32, 8, OP.map, 0x7000d);
    put(K.descriptorRead, 1, (page >>> 18) & 511, 1, (2 * PAGE) | 3, 0, 0, 0, 0, 0);
    put(K.descriptorRead, 2, (page >>> 9) & 511, 2, (leaf * PAGE) | 3, 0, 0, 0, 0, 0);
    put(K.descriptorRead, 3, page & 511, leaf, 0, 0, 0, 0, 0, 0);
    if ((next() & 7) === 0) {
      put(K.descriptorSwapped, 3, page & 511, leaf, (pa % 2 ** 32) | VALID_PAGE, UXN_HIGH | 8, 0x400, 0, 0, 0);
      put(K.tlbiIssued, 3, 0, 0, 0, 0, 0, 0, TLBI.ipas2e1is, 0);
      put(K.dsbCompleted, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    } else {
      put(K.descriptorSwapped, 3, page & 511, leaf, 0, 0, 0x400, 0, 0, 0);
    }
    put(K.referenceGot, 0, 0, leaf, 0, 0, 0, 0, 2 + (page & 511), 0);
    put(K.descriptorReleased, 3, page & 511, leaf, 0x400, 0, (pa % 2 ** 32) | VALID_PAGE, UXN_HIGH | 8, 0, 0);
    put(K.walkEnded, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    put(K.readSectionLeft, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    put(K.lockReleased, 0, 0, 0, 0, 0, 0, 0, LOCK.mmu, LOCK_MODE.read);
    put(K.faultHandled, 0, 0, 0, PAGE, 0, 0, 0, 0, 0);
    put(K.hardwareDescriptorRead, 3, page & 511, leaf, (pa % 2 ** 32) | VALID_PAGE, UXN_HIGH | 8, 0, 0, 0, 0);
    put(K.tlbFilled, 3, page & 511, leaf, 0, 0, (pa % 2 ** 32) | VALID_PAGE, UXN_HIGH | 8, 0, 0);
    put(K.guestAccessed, 0, 0, 0, 0, 0, pa % 2 ** 32, 8, ACCESS.write, 0);
  }
  return rows;
}
