import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TLBI } from '@s2lab/events';
import { flushIpa, flushRange, flushVmid } from './tlbi-sequences.ts';

interface Recorded {
  readonly mode: string;
  readonly page_shift: number;
  readonly tlbrange: number;
  readonly call: { readonly k: string; readonly a?: string; readonly l?: number | null; readonly pages?: number };
  readonly insns: readonly string[];
}

const lines = readFileSync(join(import.meta.dirname, '../../../testdata/golden/tlbi/insns.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

/** Pages a recorded range operand covers. @source Arm ARM DDI 0487 C5.5: SCALE bits 45:44, NUM bits 43:39 */
function pagesOf(operand: string): number {
  const bits = BigInt(operand);
  const scale = Number((bits >> 44n) & 3n);
  return (Number((bits >> 39n) & 31n) + 1) * 2 ** (5 * scale + 1);
}

/** Recorded instructions in our words: barriers, and TLBIs with the pages they cover. */
function recorded({ insns }: Recorded): string[] {
  return insns
    .filter((insn) => /^(dsb|tlbi)/.test(insn))
    .map((insn) => {
      const [what, op, operand] = insn.split(' ');
      return what === 'tlbi' && op === 'ripas2e1is' ? `tlbi ${op} ${pagesOf(operand!)}` : `${what} ${op}`;
    });
}

function ours(call: Recorded['call'], pageShift: number): string[] {
  const seen: string[] = [];
  const names = Object.entries(TLBI);
  const domains = ['', 'ish', 'ishst', 'nsh', 'nshst'];
  const sink = {
    tlbi: (op: number, _ipa: number, _level: number, pages: number) => {
      seen.push(`tlbi ${names.find(([, code]) => code === op)![0]}${pages > 0 ? ` ${pages}` : ''}`);
    },
    dsb: (domain: number) => {
      seen.push(`dsb ${domains[domain]}`);
    },
    isb: () => {},
  };
  if (call.k === 'vmid') flushVmid(sink);
  else if (call.k === 'range') flushRange(sink, Number(call.a), call.pages!, pageShift, false);
  else flushIpa(sink, Number(call.a), call.l ?? -1, call.k === 'ipa_nsh');
  return seen;
}

test('TLB maintenance calls expand to the instructions that the nVHE code was recorded to issue', () => {
  const comparable = lines.filter(
    (line) => line.mode === 'nvhe' && line.tlbrange === 1 && ['ipa', 'ipa_nsh', 'vmid', 'range'].includes(line.call.k),
  );
  assert.ok(comparable.length > 50, `only ${comparable.length} recorded calls`);
  for (const line of comparable) assert.deepEqual(ours(line.call, line.page_shift), recorded(line), JSON.stringify(line.call));
});
