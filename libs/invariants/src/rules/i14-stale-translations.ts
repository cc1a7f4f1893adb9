import { hexAddress, HI_XN, LAST_LEVEL, LO_READ, LO_WRITE } from '@s2lab/arch';
import { ACCESS, codeName, K, TLBI } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import type { CachedEntries } from '../shadow/cached-entries.ts';
import type { World } from '../shadow/world.ts';
import type { WitnessLine } from '../verdict.ts';
import { descriptorWords, remembered } from '../words.ts';
import { judgeRelaxations } from './i14-relaxations.ts';

const HIT = 1;
const CLEAN = -1;
/** `machineKind` of a machine whose guests come and go. */
const WITH_GUESTS = 'pkvm';

/** I14: no access by a translation that was invalidated. */
export const staleTranslations: Rule = {
  id: 'I14',
  name: 'no use of stale translations',
  prose:
    'An access of the guest by a cached translation uses one that its vCPU cached, that was not evicted, that leads to the address reached and ' +
    'that permits the access: never one whose descriptor was loaded before a TLBI of all stage-1 entries or of everything of its VMID was issued, ' +
    'once the DSB of that TLBI has completed. Whoever relaxes the permissions of a page or block invalidates its address, on its own core at least, before it ' +
    'has nothing open any more. Everything of a VMID is invalidated before its guest is gone and another one may have it.',
  source:
    'Arm ARM DDI 0487, "TLB maintenance instructions" (VMALLE1IS, VMALLS12E1IS), "Completion of TLB maintenance"; Linux nvhe/tlb.c __kvm_tlb_flush_vmid_ipa(); hyp/pgtable.c kvm_pgtable_stage2_relax_perms()',
  state:
    'per vCPU and VMID: cached translations, when each was loaded, the last completed TLBI of all of them; per actor: the page it relaxed last',
  attach(site) {
    const { world } = site;
    site.on.before([K.guestAccessed], (e) => {
      if (e.aux === HIT) judge(site, world.tlb.of(e.stage2, e.actor).leaves, e);
    });
    judgeRelaxations(site);
    judgeVmids(site);
  },
};

/** A VMID is free for another guest when everything that was cached under it is gone. */
function judgeVmids({ on, world, origin, report, keep }: Parameters<Rule['attach']>[0]): void {
  if (origin.machineKind !== WITH_GUESTS) return;
  /** By VMID of a guest: when something was last mapped under it that no TLBI of the whole VMID followed, or CLEAN. */
  const mapped = keep((): number[] => []);
  on.before([K.guestCreated], (e) => {
    mapped[e.stage2] = CLEAN;
  });
  on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
    if ((e.newLo & 1) !== 0 && mapped[e.stage2] === CLEAN) mapped[e.stage2] = e.seq;
  });
  on.before([K.tlbiIssued], (e) => {
    if (e.arg === TLBI.vmalls12e1is && mapped[e.stage2] !== undefined) mapped[e.stage2] = CLEAN;
  });
  on.before([K.guestDestroyed], (e) => {
    const since = mapped[e.stage2] ?? CLEAN;
    mapped[e.stage2] = CLEAN;
    if (since === CLEAN) return;
    report(e, () => ({
      because: `VMID ${e.stage2} may be used again although vCPUs may have translations of its last guest cached: no TLBI of the whole VMID followed`,
      witness: [remembered(since, world, e.actor, 'made a descriptor valid')],
    }));
  });
}

function judge(site: RuleSite, leaves: CachedEntries, e: EventCursor): void {
  const { world } = site;
  const { ipa, pa } = e;
  let suspect = -1;
  let level = LAST_LEVEL;
  for (let at = LAST_LEVEL; at >= 0; at--) {
    const block = world.tlb.block(ipa, at);
    const i = leaves.find(at, block);
    if (i < 0) continue;
    const alive = !leaves.isDead(i);
    const lo = leaves.first[i]!;
    const hi = leaves.second[i]!;
    if (alive && permits(lo, hi, e.arg) && world.output(lo, hi) + (ipa - block * world.span(at)) === pa) return;
    // A translation that may still be used explains more than one that may not.
    if (suspect < 0 || alive) {
      suspect = i;
      level = at;
    }
  }
  if (suspect >= 0 || !leaves.lossy) tell(site, leaves, suspect, level, e);
}

function tell({ world, report }: RuleSite, leaves: CachedEntries, suspect: number, level: number, e: EventCursor): void {
  report(e, () => ({ because: reason(leaves, suspect, level, e), witness: proof(world, leaves, suspect, e) }));
}

function permits(lo: number, hi: number, access: number): boolean {
  if ((access & ACCESS.read) !== 0 && (lo & LO_READ) === 0) return false;
  if ((access & ACCESS.write) !== 0 && (lo & LO_WRITE) === 0) return false;
  const xn = (hi & HI_XN) >>> 21;
  return (access & ACCESS.execute) === 0 || xn === 0 || xn === 3;
}

function reason(leaves: CachedEntries, i: number, level: number, e: EventCursor): string {
  const where = hexAddress(e.ipa);
  if (i < 0) return `the access to ${where} used a cached translation that the vCPU does not have`;
  const what = descriptorWords(leaves.first[i]!, leaves.second[i]!, level);
  if (leaves.isDead(i)) return `the access to ${where} used ${what}, whose invalidation the DSB at event ${leaves.diedAt(i)} had completed`;
  return permits(leaves.first[i]!, leaves.second[i]!, e.arg)
    ? `the access to ${where} reached ${hexAddress(e.pa)}, but the cached translation is ${what}`
    : `the access to ${where} (${codeName(ACCESS, e.arg)}) went through by ${what}, which does not permit it`;
}

function proof(world: World, leaves: CachedEntries, i: number, e: EventCursor): readonly WitnessLine[] {
  if (i < 0) return [];
  const loaded = remembered(leaves.loadedAt[i]!, world, e.actor, 'loaded the descriptor that it cached');
  if (!leaves.isDead(i)) return [loaded];
  return [
    loaded,
    { seq: leaves.killedBy(i), text: 'a TLBI of its VMID was issued' },
    { seq: leaves.diedAt(i), text: 'the DSB of that TLBI completed' },
  ];
}
