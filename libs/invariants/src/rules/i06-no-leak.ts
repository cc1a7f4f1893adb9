import { K } from '@s2lab/events';
import type { Rule } from '../rule.ts';
import type { WitnessLine } from '../verdict.ts';

/** `cause` of a machine that ran to the end of its workload. */
const COMPLETE = 0;

/** I6: no table leaks. */
export const noLeak: Rule = {
  id: 'I6',
  name: 'no table leaks',
  prose:
    'When a machine has completed its workload, every table page was freed or still belongs to a stage-2 that exists. A machine that was ' +
    'interrupted, or whose log was cut, is not judged: its frees may still be on their way.',
  source: 'Linux mmu.c kvm_free_stage2_pgd(), stage2_free_unlinked_table()',
  state: 'the shadow tables',
  attach({ on, world, report }) {
    const { tables } = world;
    on.before([K.machineStopped], (e) => {
      if (e.arg !== COMPLETE) return;
      for (let p = 0; p < tables.placeLimit; p++) {
        if (tables.frameOf[p]! < 0 || tables.reachable(p)) continue;
        const head = tables.top(p);
        report(e, () => ({
          because: `table ${tables.frameOf[p]} belongs to no stage-2 any more and was never freed${tables.retired[head] === 1 ? ', although it was retired' : ''}`,
          witness: [
            { seq: tables.allocatedAt[p]!, text: `table ${tables.frameOf[p]} was allocated` },
            ...unlinkWords(tables.unlinkedAt[head]!, tables.frameOf[head]!),
          ],
        }));
      }
    });
  },
};

function unlinkWords(seq: number, frame: number): readonly WitnessLine[] {
  return seq < 0 ? [] : [{ seq, text: `table ${frame} was unlinked` }];
}
