import type { Machine } from './machine.ts';
import { swapRanges } from './tlb.ts';
import { REGISTER_COUNT, WIDE_COUNT } from './walker.ts';

/**
 * Exchanges two vCPUs: registers, caches, invalidations under way, sections, places in queues, and what policies note of them. Where they have
 * the same to do from here on, what follows is the same but for their names. What the workload keeps of them is not exchanged.
 */
export function swapActors(machine: Machine, a: number, b: number): void {
  const { world, walkers } = machine;
  for (let i = 0; i < REGISTER_COUNT; i += 1) {
    const word = walkers[a]!.r[i]!;
    walkers[a]!.r[i] = walkers[b]!.r[i]!;
    walkers[b]!.r[i] = word;
  }
  for (let i = 0; i < WIDE_COUNT; i += 1) {
    const word = walkers[a]!.a[i]!;
    walkers[a]!.a[i] = walkers[b]!.a[i]!;
    walkers[b]!.a[i] = word;
  }
  world.pending.swap(a, b);
  for (const lock of world.locks) lock?.swap(a, b);
  for (const stage2 of world.stage2s) {
    if (stage2 === undefined) continue;
    stage2.lock.swap(a, b);
    stage2.tlb.swap(a, b);
    swapRanges(stage2.inSection, a, b, 1);
    swapRanges(stage2.awaited, a, b, 1);
  }
  machine.swapInPolicies(a, b);
}
