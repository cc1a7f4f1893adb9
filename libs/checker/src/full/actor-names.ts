/** An actor in the words of a report. */
export function actorName(actor: number, vcpus: number): string {
  if (actor < vcpus) return `vCPU ${actor}`;
  return actor === vcpus ? 'the VMM thread' : 'the reclaim worker';
}
