import { hexAddress, HI_XN, LO_READ, LO_WRITE } from '@s2lab/arch';
import { K, TLBI } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { grown, isLeaf } from '../shadow/tables.ts';
import { remembered } from '../words.ts';

const NEVER = -1;
const PERMISSIONS_LO = LO_READ | LO_WRITE;

/** The last leaf of each actor that permits more than before and that no TLBI of the actor has followed. */
export class Relaxations {
  since = new Float64Array(8).fill(NEVER);
  private from = new Float64Array(8);
  private to = new Float64Array(8);
  private stage2 = new Uint16Array(8);

  /** Whether the actor has one open. */
  has(actor: number): boolean {
    return actor < this.since.length && this.since[actor] !== NEVER;
  }

  open(actor: number, stage2: number, from: number, to: number, seq: number): void {
    if (actor >= this.since.length) {
      const size = 2 * (actor + 1);
      this.since = grown(this.since, new Float64Array(size).fill(NEVER));
      this.from = grown(this.from, new Float64Array(size));
      this.to = grown(this.to, new Float64Array(size));
      this.stage2 = grown(this.stage2, new Uint16Array(size));
    }
    this.since[actor] = seq;
    this.from[actor] = from;
    this.to[actor] = to;
    this.stage2[actor] = stage2;
  }

  close(actor: number): void {
    this.since[actor] = NEVER;
  }

  address(actor: number): number {
    return this.from[actor]!;
  }

  /** Whether a TLBI of stage 2 that names [from, to) of `stage2` takes in the actor's leaf. */
  touches(actor: number, stage2: number, from: number, to: number): boolean {
    return this.stage2[actor] === stage2 && from < this.to[actor]! && to > this.from[actor]!;
  }
}

/** Whoever relaxes permissions drops what his own core has cached: else it may fault again and again. */
export function judgeRelaxations(site: Parameters<Rule['attach']>[0]): void {
  const { on, world } = site;
  // A store that is seen late may be told after its flush was issued.
  if (!world.readsWhatIsStored) return;
  const relaxations = site.keep(() => new Relaxations());
  on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
    if ((e.wasLo & e.newLo & 1) === 0) return;
    if ((e.newLo & ~e.wasLo & PERMISSIONS_LO) !== 0 || ((e.wasHi ^ e.newHi) & HI_XN) !== 0) relaxed(site, relaxations, e);
  });
  on.before([K.tlbiIssued], (e) => {
    if (!relaxations.has(e.actor) || e.arg === TLBI.vmalle1 || e.arg === TLBI.vmalle1is) return;
    const all = e.arg === TLBI.vmalls12e1is;
    const from = all ? 0 : e.ipa;
    const to = all ? Infinity : e.ipa + (e.arg === TLBI.ripas2e1is ? e.aux * world.pageBytes : 1);
    if (relaxations.touches(e.actor, e.stage2, from, to)) relaxations.close(e.actor);
  });
  on.idle((e) => {
    if (relaxations.has(e.actor)) unflushed(site, relaxations, e);
  });
}

function relaxed({ world }: RuleSite, relaxations: Relaxations, e: EventCursor): void {
  const { tables } = world;
  if (e.place < 0 || !tables.reachable(e.place) || world.actors.idle(e.actor)) return;
  const level = tables.level[e.place]!;
  if (!isLeaf(e.wasLo, level) || !isLeaf(e.newLo, level)) return;
  const ipa = world.slotIpa(e.place, e.slot);
  relaxations.open(e.actor, e.stage2, ipa, ipa + world.span(level), e.seq);
}

function unflushed({ world, report }: RuleSite, relaxations: Relaxations, e: EventCursor): void {
  const since = relaxations.since[e.actor]!;
  const ipa = relaxations.address(e.actor);
  relaxations.close(e.actor);
  report(e, () => ({
    because: `the permissions of ${hexAddress(ipa)} were relaxed but no TLBI of its address followed: the vCPU may go on to use what it cached before, and fault again`,
    witness: [remembered(since, world, e.actor, `relaxed the permissions of ${hexAddress(ipa)}`)],
  }));
}
