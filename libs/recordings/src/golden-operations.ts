import { PROT } from '@s2lab/arch';
import { ACCESS, OP, OPERATION, PROT_SHIFT, WALK_FLAG } from '@s2lab/events';
import type { GoldenLine } from './golden-line.ts';

/** Operations of the page-table library that are one walk. */
const WALKS: Readonly<Record<string, number>> = {
  map: OP.map,
  unmap: OP.unmap,
  wrprotect: OP.wrprotect,
  relax: OP.relax,
  mkyoung: OP.mkyoung,
  age: OP.age,
  split: OP.split,
  annotate: OP.annotate,
  set_owner: OP.annotate,
  destroy: OP.destroy,
  flush: OP.flush,
  leaf: OP.leaf,
};

/** Operations of the fault path and of scripts that are no single walk. */
const OPERATIONS: Readonly<Record<string, number>> = {
  rcu_gp: OPERATION.waitGracePeriod,
  tlbflush: OPERATION.tlbFlush,
  log_on: OPERATION.dirtyLogOn,
  log_off: OPERATION.dirtyLogOff,
  clear_dirty: OPERATION.dirtyLogClear,
  unmap_gfn: OPERATION.unmapRange,
  delete: OPERATION.memslotDelete,
  slot: OPERATION.memslotCreate,
  test_age: OPERATION.testAgeRange,
  age: OPERATION.ageRange,
  destroy_vm: OPERATION.destroy,
};

const LETTERS: Readonly<Record<string, number>> = {
  r: PROT.r,
  w: PROT.w,
  x: PROT.x,
  p: PROT.px,
  u: PROT.ux,
  d: PROT.device,
  n: PROT.normalNc,
  '0': PROT.sw0,
  '1': PROT.sw1,
  '2': PROT.sw2,
  '3': PROT.sw3,
};

/** OP of a recorded operation that is one walk, or 0. In recordings of the fault path `age` is an operation with arguments. */
export function walkOp(line: GoldenLine, name: string): number {
  return line.has('args') ? 0 : (WALKS[name] ?? 0);
}

/** OPERATION of a recorded operation, or 0 for one that the events do not tell (a digest, an option). */
export function operationCode(name: string): number {
  return OPERATIONS[name] ?? 0;
}

/** WALK_FLAG bits plus PROT of a recorded walk. Before 6.2 there were no shared walks: the recorded flags mean nothing then. */
export function walkFlags(line: GoldenLine, old: boolean): number {
  const flags = line.has('flags') && !old ? line.text('flags') : '';
  const prot = line.has('prot') ? line.text('prot') : '';
  let bits = 0;
  for (const letter of prot) {
    if (letter === '-') continue;
    const bit = LETTERS[letter];
    if (bit === undefined) throw line.wrong('prot', 'letters of r w x p u d n 0 1 2 3, or -');
    bits |= bit;
  }
  return (
    (flags.includes('shared') ? WALK_FLAG.shared : 0) |
    (flags.includes('ignore_eagain') ? WALK_FLAG.ignoreEagain : 0) |
    (bits << PROT_SHIFT)
  );
}

/** ACCESS bits of a recorded access. */
export function accessCode(line: GoldenLine): number {
  switch (line.argumentText(1)) {
    case 'r':
      return ACCESS.read;
    case 'w':
      return ACCESS.write;
    case 'x':
      return ACCESS.execute;
    default:
      throw line.wrong('args', 'an address and r, w or x');
  }
}
