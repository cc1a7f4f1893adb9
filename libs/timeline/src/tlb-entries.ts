import { spanBytes } from '@s2lab/arch';
import type { Stage2 } from '@s2lab/engine';
import { describeDescriptor } from './descriptor-words.ts';
import type { MachineView } from './machine-view.ts';

/** One translation that a vCPU has cached: a leaf (combined stage 1 and 2), or a step of the walk cache. */
export interface TlbEntry {
  /** VMID it is tagged with. */
  readonly vmid: number;
  readonly cache: 'tlb' | 'walk-cache';
  readonly ipa: number;
  readonly bytes: number;
  readonly level: number;
  /** Table that translates the range; null for a leaf. */
  readonly next: number | null;
  readonly text: string;
}

/** What vCPU `vcpu` has cached, by VMID and address. */
export function tlbOf(view: MachineView, vcpu: number): TlbEntry[] {
  const { world } = view;
  if (world === undefined || vcpu >= view.vcpus) return [];
  const entries = view.stage2s.flatMap((stage2) => entriesOf(stage2, vcpu));
  return entries.toSorted((a, b) => a.vmid - b.vmid || a.ipa - b.ipa || a.level - b.level);
}

function entriesOf({ vmid, tlb, shape, features }: Stage2, vcpu: number): TlbEntry[] {
  const entries: TlbEntry[] = [];
  for (let e = vcpu * tlb.entries; e < (vcpu + 1) * tlb.entries; e += 1) {
    if (tlb.tag[e] === 0) continue;
    const level = tlb.level[e]!;
    const { text } = describeDescriptor(shape, features, tlb.lo[e]!, tlb.hi[e]!, level);
    entries.push({ vmid, cache: 'tlb', ipa: tlb.baseOf(e), bytes: spanBytes(shape, level), level, next: null, text });
  }
  for (let e = vcpu * tlb.walkEntries; e < (vcpu + 1) * tlb.walkEntries; e += 1) {
    if (tlb.walkTag[e] === 0) continue;
    const level = tlb.walkLevel[e]!;
    const next = tlb.walkNext[e]!;
    entries.push({ vmid, cache: 'walk-cache', ipa: tlb.stepBaseOf(e), bytes: spanBytes(shape, level), level, next, text: `table ${next}` });
  }
  return entries;
}
