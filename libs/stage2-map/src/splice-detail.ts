import { spanBytes } from '@s2lab/arch';
import { LevelRuns } from './level-runs.ts';
import type { Stage2State } from './state.ts';
import { shapeOf } from './state.ts';

/**
 * A state whose runs between `detail.from` and `detail.to` are those of `detail`, the answer to a closer question about the same stage-2; all else
 * that changes (walkers, pending frees, event) is that of the later of the two, `detail`. Runs of `whole` that reach into that range are left out;
 * `exact` speaks of the range.
 */
export function spliceDetail(whole: Stage2State, detail: Stage2State): Stage2State {
  const shape = shapeOf(whole);
  if (shape === undefined) return detail;
  const levels = whole.levels.map((runs, level) => {
    const span = spanBytes(shape, level);
    const out = new LevelRuns();
    copyRuns(runs, out, (ipa, end) => end <= detail.from && ipa < detail.from, span);
    copyRuns(detail.levels[level]!, out, () => true, span);
    copyRuns(runs, out, (ipa) => ipa >= detail.to && ipa >= lastEnd(out, span), span);
    return out;
  });
  return { ...detail, from: whole.from, to: whole.to, top: whole.top, bottom: whole.bottom, levels };
}

function copyRuns(from: LevelRuns, into: LevelRuns, chosen: (ipa: number, end: number) => boolean, span: number): void {
  for (let i = 0; i < from.length; i += 1) {
    const ipa = from.ipa[i]!;
    const count = from.count[i]!;
    if (!chosen(ipa, ipa + count * span)) continue;
    into.add(ipa, count, from.table[i]!, from.slot[i]!, from.state[i]!, from.lo[i]!, from.hi[i]!, from.merged[i]!, from.share[i]!);
  }
}

function lastEnd(runs: LevelRuns, span: number): number {
  const last = runs.length - 1;
  return last < 0 ? 0 : runs.ipa[last]! + runs.count[last]! * span;
}
