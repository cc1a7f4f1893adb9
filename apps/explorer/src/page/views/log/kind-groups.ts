import { K } from '@s2lab/events';

/** What events are about, in the colours of the page; the order is that of the legend. */
export const KIND_GROUPS = [
  { name: 'descriptor read', colour: '--series-8' },
  { name: 'descriptor written', colour: '--series-1' },
  { name: 'table, reference', colour: '--series-2' },
  { name: 'lock, section', colour: '--series-5' },
  { name: 'TLBI, barrier', colour: '--series-7' },
  { name: 'hardware, guest', colour: '--series-6' },
  { name: 'walk, fault, operation', colour: '--series-3' },
  { name: 'free, reclaim', colour: '--series-4' },
] as const;

/** Group (index of KIND_GROUPS) of an event kind. */
export function kindGroup(kind: number): number {
  if (kind === K.descriptorRead) return 0;
  if (kind > K.descriptorRead && kind <= K.descriptorHardwareUpdated) return 1;
  if (kind >= K.tableRetired && kind <= K.reclaimEnded) return 7;
  if (kind >= K.tableAllocated && kind <= K.referenceRead) return 2;
  if (kind >= K.lockAcquired && kind < K.tlbiIssued) return 3;
  if (kind >= K.tlbiIssued && kind < K.guestAccessed) return 4;
  if (kind >= K.guestAccessed && kind < K.cacheToppedUp) return 5;
  return 6;
}
