import { HINT, INVALIDATION, REGISTER } from '@s2lab/events';

/** Names of registers and hints in a trace, by code. */
export const REGISTER_NAMES: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(REGISTER).map(([name, code]) => [`${name}_el2`, code]),
);
/** Names of hints in a trace. */
export const HINT_NAMES: Readonly<Record<string, number>> = {
  set_root_lock: HINT.setRootLock,
  set_owner_root: HINT.setOwnerRoot,
  release_table: HINT.releaseTable,
  set_pte_thread_owner: HINT.setPteThreadOwner,
};
/** TLBI operations that carry an operand in a trace. */
export const WITH_OPERAND: readonly number[] = [INVALIDATION.ipas2e1is, INVALIDATION.vae2is, INVALIDATION.vale2is];

/** Writes records of a casemate trace. Numbers are hexadecimal text without 0x, as casemate 3.0.2 prints them. */
export class CasemateLines {
  private lines: string[] = [];
  /** Event of our log that the next records stand for. */
  seq = 0;
  /** Records written so far. */
  records = 0;

  write(thread: number, address: string, value: string, order: 'plain' | 'release'): void {
    this.put('mem-write', thread, `(mem-order ${order}) (address ${address}) (value ${value})`);
  }

  barrier(thread: number, kind: 'ish' | 'ishst' | 'nsh'): void {
    this.put('barrier', thread, `dsb (kind ${kind})`);
  }

  tlbi(thread: number, op: string, operand?: string): void {
    this.put('tlbi', thread, operand === undefined ? op : `${op} (value ${operand})`);
  }

  register(thread: number, name: string, value: string): void {
    this.put('sysreg-write', thread, `(sysreg ${name}) (value ${value})`);
  }

  hint(thread: number, kind: string, location: string, value: string): void {
    this.put('hint', thread, `(kind ${kind}) (location ${location}) (value ${value})`);
  }

  /** Records of the form `head (address A)`, with `(size S)` when there is one. */
  about(head: string, thread: number, address: string, size?: string): void {
    this.put(head, thread, size === undefined ? `(address ${address})` : `(address ${address}) (size ${size})`);
  }

  /** Any other record. */
  put(head: string, thread: number, fields: string): void {
    this.lines.push(`(${head} (id ${this.records}) (tid ${thread})${fields === '' ? '' : ` ${fields}`} (src "s2lab:${this.seq}"))\n`);
    this.records += 1;
  }

  /** What was written since the last call. */
  take(): string {
    const text = this.lines.join('');
    this.lines = [];
    return text;
  }
}

/** 64 bits as hexadecimal digits. */
export function digits(lo: number, hi: number): string {
  const high = hi >>> 0;
  const low = (lo >>> 0).toString(16);
  return high === 0 ? low : `${high.toString(16)}${low.padStart(8, '0')}`;
}
