/**
 * A shorter schedule that still fails: runs of steps are left out, first long ones, until none can be, not even a single step; then the turns of
 * one actor are moved together, so that few preemptions are left.
 * @param fails whether a schedule fails; it is called with schedules in which an actor may have the turn that cannot step
 * @source A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 28(2), 2002
 */
export function shrink(schedule: readonly number[], fails: (shorter: readonly number[]) => boolean): readonly number[] {
  let best = schedule;
  for (let length = best.length >> 1; length > 0;) {
    const before = best.length;
    for (let from = 0; from < best.length;) {
      const shorter = [...best.slice(0, from), ...best.slice(from + length)];
      if (fails(shorter)) best = shorter;
      else from += length;
    }
    // Single steps are tried again until not one can be left out.
    if (length > 1 || best.length === before) length >>= 1;
  }
  return joined(best, fails);
}

/** Swaps neighbouring turns of two actors where that joins the turns of one. */
function joined(schedule: readonly number[], fails: (other: readonly number[]) => boolean): readonly number[] {
  let best = schedule;
  for (let i = 1; i + 1 < best.length; i += 1) {
    if (best[i - 1] === best[i] || best[i - 1] !== best[i + 1]) continue;
    const other = [...best];
    other[i] = best[i + 1]!;
    other[i + 1] = best[i]!;
    if (fails(other)) best = other;
  }
  return best;
}
