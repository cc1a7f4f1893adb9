import { hexAddress, LAST_LEVEL } from '@s2lab/arch';
import { K } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { TABLE_STATE } from '../shadow/tables.ts';
import type { VcpuTlb } from '../shadow/tlb.ts';
import { remembered } from '../words.ts';

/** I2: the hardware walker never enters a freed table, nor a table by a link that was invalidated. */
export const hardwareWalks: Rule = {
  id: 'I2',
  name: 'hardware walks stay in live tables',
  prose:
    'A hardware walk reads only live tables. It comes to each from a root, by the descriptor it has just loaded or by a cached walk step: never ' +
    'by one that was loaded before a TLBI that covers its address was issued, once the DSB of that TLBI has completed, and never to a page that ' +
    'was freed since, even if it is a table again.',
  source:
    'Arm ARM DDI 0487, "TLB maintenance instructions" (TLBI IPAS2E1 applies to cached stage-2 table walk steps), "Completion of TLB maintenance"; Linux hyp/pgtable.c stage2_try_break_pte(), stage2_unmap_walker() (flush before free)',
  state: 'per vCPU and VMID: the last descriptor loaded by hardware, cached walk steps; the shadow tables',
  attach(site) {
    const { world } = site;
    const { tables } = world;
    site.on.before([K.hardwareDescriptorRead], (e) => {
      const p = tables.place(e.table);
      if (p < 0) {
        dead(site, e);
        return;
      }
      if (tables.isRoot[p] === 1 || e.level <= 0 || e.level > LAST_LEVEL) return;
      const tlb = world.tlb.of(e.stage2, e.actor);
      const block = world.tlb.block(e.ipa, e.level - 1);
      const generation = tables.generation[e.table]!;
      const read = tlb.hasJustRead(e.level - 1, block) && tlb.readNext === e.table;
      if (read && tlb.readDeadAt < 0 && tlb.readGeneration === generation) return;
      const step = tlb.steps.find(e.level - 1, block);
      const cached = step >= 0 && tlb.steps.first[step] === e.table;
      if (cached && !tlb.steps.isDead(step) && tlb.steps.second[step] === generation) return;
      // Before the first link, table pages have no known addresses.
      if (!read && !cached && (tlb.steps.lossy || Number.isNaN(world.tableBase))) return;
      report(site, e, tlb, read ? -1 : cached ? step : -2, generation);
    });
  },
};

/** The page is no table. */
function dead({ world, report: tell }: RuleSite, e: EventCursor): void {
  const { tables } = world;
  if (tables.stateOf(e.table) !== TABLE_STATE.freed) {
    tell(e, () => ({ because: `the hardware walker read in page ${e.table}, which never was a table`, witness: [] }));
    return;
  }
  const freedAt = tables.freedAt[e.table]!;
  tell(e, () => ({
    because: `table ${e.table} was freed by event ${freedAt} and the hardware walker read in it afterwards`,
    witness: [remembered(freedAt, world, tables.freedBy[e.table]!, `freed table ${e.table}`)],
  }));
}

/** Tells how the walk came to the table: by the descriptor just loaded (`step` -1), by a cached step, or by nothing (-2). */
function report({ world, report: tell }: RuleSite, e: EventCursor, tlb: VcpuTlb, step: number, generation: number): void {
  const { tables } = world;
  if (step === -2) {
    tell(e, () => ({ because: `no descriptor and no cached walk step led the hardware walker to table ${e.table}`, witness: [] }));
    return;
  }
  const loadedAt = step < 0 ? tlb.readAt : tlb.steps.loadedAt[step]!;
  const how = step < 0 ? 'a descriptor' : 'a cached walk step';
  const loaded = remembered(loadedAt, world, e.actor, `loaded the link to table ${e.table}`);
  if ((step < 0 ? tlb.readGeneration : tlb.steps.second[step]) !== generation) {
    const freedAt = tables.freedAt[e.table]!;
    tell(e, () => ({
      because: `the hardware walker came to table ${e.table} by ${how} from before the page was freed (event ${freedAt}) and made a new table`,
      witness: [loaded, remembered(freedAt, world, tables.freedBy[e.table]!, `freed table ${e.table}`)],
    }));
    return;
  }
  const killedBy = step < 0 ? tlb.readKilledBy : tlb.steps.killedBy(step);
  const diedAt = step < 0 ? tlb.readDeadAt : tlb.steps.diedAt(step);
  tell(e, () => ({
    because: `the hardware walker came to table ${e.table} by ${how} that was invalidated: the DSB of the TLBI that covers ${hexAddress(e.ipa)} had completed`,
    witness: [loaded, { seq: killedBy, text: 'a TLBI that covers it was issued' }, { seq: diedAt, text: 'the DSB of that TLBI completed' }],
  }));
}
