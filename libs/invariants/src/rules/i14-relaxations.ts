import { hexAddress, HI_XN, LO_READ, LO_WRITE } from '@s2lab/arch';
import { K, TLBI } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { ActorNumbers } from '../shadow/actor-numbers.ts';
import { isLeaf } from '../shadow/tables.ts';
import { remembered } from '../words.ts';

const NEVER = -1;
const PERMISSIONS_LO = LO_READ | LO_WRITE;

/** The last leaf of each actor that permits more than before and that no TLBI of the actor has followed. */
interface Relaxations {
  readonly since: ActorNumbers;
  readonly from: ActorNumbers;
  readonly to: ActorNumbers;
  readonly stage2: ActorNumbers;
}

/** Whoever relaxes permissions drops what his own core has cached: else it may fault again and again. */
export function judgeRelaxations(site: Parameters<Rule['attach']>[0]): void {
  const { on, world } = site;
  // A store that is seen late may be told after its flush was issued.
  if (!world.readsWhatIsStored) return;
  const relaxations = site.keep((): Relaxations => ({
    since: new ActorNumbers(NEVER),
    from: new ActorNumbers(0),
    to: new ActorNumbers(0),
    stage2: new ActorNumbers(0),
  }));
  const { since } = relaxations;
  on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
    if ((e.wasLo & e.newLo & 1) === 0) return;
    if ((e.newLo & ~e.wasLo & PERMISSIONS_LO) !== 0 || ((e.wasHi ^ e.newHi) & HI_XN) !== 0) relaxed(site, relaxations, e);
  });
  on.before([K.tlbiIssued], (e) => {
    if (since.of(e.actor) === NEVER || e.arg === TLBI.vmalle1 || e.arg === TLBI.vmalle1is) return;
    const all = e.arg === TLBI.vmalls12e1is;
    const from = all ? 0 : e.ipa;
    const to = all ? Infinity : e.ipa + (e.arg === TLBI.ripas2e1is ? e.aux * world.pageBytes : 1);
    const isThere = relaxations.stage2.of(e.actor) === e.stage2 && from < relaxations.to.of(e.actor) && to > relaxations.from.of(e.actor);
    if (isThere) since.clear(e.actor);
  });
  on.idle((e) => {
    if (since.of(e.actor) !== NEVER) unflushed(site, relaxations, e);
  });
}

function relaxed({ world }: RuleSite, relaxations: Relaxations, e: EventCursor): void {
  const { tables } = world;
  if (e.place < 0 || !tables.reachable(e.place) || world.actors.idle(e.actor)) return;
  const level = tables.level[e.place]!;
  if (!isLeaf(e.wasLo, level) || !isLeaf(e.newLo, level)) return;
  const ipa = world.slotIpa(e.place, e.slot);
  relaxations.since.set(e.actor, e.seq);
  relaxations.from.set(e.actor, ipa);
  relaxations.to.set(e.actor, ipa + world.span(level));
  relaxations.stage2.set(e.actor, e.stage2);
}

function unflushed({ world, report }: RuleSite, relaxations: Relaxations, e: EventCursor): void {
  const since = relaxations.since.of(e.actor);
  const ipa = relaxations.from.of(e.actor);
  relaxations.since.clear(e.actor);
  report(e, () => ({
    because: `the permissions of ${hexAddress(ipa)} were relaxed but no TLBI of its address followed: the vCPU may go on to use what it cached before, and fault again`,
    witness: [remembered(since, world, e.actor, `relaxed the permissions of ${hexAddress(ipa)}`)],
  }));
}
