import { HI_SOFTWARE, hexAddress } from '@s2lab/arch';
import { COMPONENT, K, LOCK, OPERATION, PAGE_STATE, RESULT } from '@s2lab/events';
import type { Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { PageOwners } from '../shadow/page-owners.ts';
import { isLeaf } from '../shadow/tables.ts';
import { firstLeaf, found } from '../shadow/translate.ts';

/** VMID of the host's stage-2. */
const HOST = 0;
/** A guest's page state lies in the lowest two of the software bits. */
const STATE_SHIFT = 23;
const STATE_MASK = 3;
/** Most changes that are judged one by one when the host's lock is released; a log with more in one operation is hostile. */
const CHANGES_MAX = 65_536;
/** Most bytes one change is followed page by page for. */
const FOLLOWED_MAX = 2 ** 34;
const LEAF = found();

/** Memory that an operation changed the standing of, and the event that did. */
interface Change {
  readonly pa: number;
  readonly bytes: number;
  readonly seq: number;
  readonly what: string;
}

/** I13: pKVM's promise. */
export const pageOwners: Rule = {
  id: 'I13',
  name: 'each page has one owner',
  prose:
    'Whenever the lock of the host’s stage-2 is released, each page that was touched under it has at most one owner among the host, the hypervisor and ' +
    'the guests; the host’s stage-2 maps none that is not the host’s or shared with it; and whoever borrows a page borrows it from an owner who shares it. What host and ' +
    'hypervisor give, lend or take back is noted for both when the operation ends; a page that a guest had alone is wiped before the host has it.',
  source:
    'Linux 7.2 arch/arm64/kvm/hyp/nvhe/mem_protect.c __pkvm_host_donate_guest(), __pkvm_guest_share_host(), host_stage2_set_owner_locked(); enum pkvm_page_state',
  state:
    'per page that is not the host’s alone: its states for host and hypervisor, the guests that map it and how; what the present operation changed',
  attach(site) {
    const { on, world } = site;
    const owners = site.keep(() => new PageOwners(world.pageBytes));
    const changes = site.keep((): Change[] => []);
    /** OPERATION that each actor has begun last. */
    const operations = site.keep((): number[] => []);
    const host = site.keep(() => ({ guarded: false }));
    on.before([K.memoryRegionAdded], () => {
      host.guarded = true;
    });
    on.before([K.operationBegan], (e) => {
      if (host.guarded) operations[e.actor] = e.arg;
    });
    const changed = (pa: number, bytes: number, seq: number, what: string): void => {
      if (changes.length < CHANGES_MAX) changes.push({ pa, bytes, seq, what });
    };
    on.before([K.pageStateChanged], (e) => {
      const { pa, bytes } = e;
      if (!host.guarded || bytes > FOLLOWED_MAX) return;
      if (operations[e.actor] === OPERATION.hostUnshareFfa) owners.recall(pa, bytes);
      owners.note(e.arg, pa, bytes, e.aux);
      changed(pa, bytes, e.seq, 'what is noted changed of');
    });
    on.before([K.descriptorStored, K.descriptorReleased, K.descriptorSwapped], (e) => {
      if (host.guarded && e.place >= 0) written(site, owners, changed, e);
    });
    on.before([K.pageWiped], (e) => {
      if (host.guarded && e.bytes <= FOLLOWED_MAX) owners.wipe(e.pa, e.bytes);
    });
    judgeAnnouncements(site, owners);
    on.before([K.stage2Destroyed], (e) => {
      if (host.guarded && e.stage2 !== HOST) owners.forget(e.stage2);
    });
    on.before([K.lockReleased], (e) => {
      if (!host.guarded || changes.length === 0 || e.stage2 !== HOST || e.arg !== LOCK.mmu) return;
      for (const change of changes) judge(site, owners, change, e);
      changes.length = 0;
    });
  },
};

/** What an operation said it did to pages. */
interface Announcement {
  readonly actor: number;
  readonly kind: number;
  readonly pa: number;
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
  readonly seq: number;
}

/** When an operation that gave, lent or took back pages between host and hypervisor ends, both know. */
function judgeAnnouncements(site: Parameters<Rule['attach']>[0], owners: PageOwners): void {
  const { on } = site;
  const announced = site.keep((): Announcement[] => []);
  on.before([K.pageDonated, K.pageShared, K.pageUnshared], (e) => {
    if (e.arg === COMPONENT.guest || e.aux === COMPONENT.guest || announced.length >= CHANGES_MAX) return;
    announced.push({ actor: e.actor, kind: e.kind, pa: e.pa, bytes: e.bytes, from: e.arg, to: e.aux, seq: e.seq });
  });
  on.before([K.operationEnded], (e) => {
    for (let i = announced.length - 1; i >= 0; i--) {
      if (announced[i]!.actor !== e.actor) continue;
      const [told] = announced.splice(i, 1);
      if ((e.aux | 0) === RESULT.ok && !isNoted(owners, told!)) unnoted(site, told!, e);
    }
  });
}

function isNoted(owners: PageOwners, { kind, pa, from, to }: Announcement): boolean {
  const [ofGiver, ofTaker] =
    kind === K.pageDonated
      ? [PAGE_STATE.none, PAGE_STATE.owned]
      : kind === K.pageShared
        ? [PAGE_STATE.sharedOwned, PAGE_STATE.sharedBorrowed]
        : [PAGE_STATE.owned, PAGE_STATE.none];
  return owners.state(from, pa) === ofGiver && owners.state(to, pa) === ofTaker;
}

function unnoted({ report }: RuleSite, { kind, pa, seq }: Announcement, e: EventCursor): void {
  const what = kind === K.pageDonated ? 'donated' : kind === K.pageShared ? 'shared' : 'taken back';
  report(e, () => ({
    because: `the page at ${hexAddress(pa)} was ${what}, but what is noted for host and hypervisor does not say so`,
    witness: [{ seq, text: `the page at ${hexAddress(pa)} was ${what}` }],
  }));
}

function written(
  { world }: RuleSite,
  owners: PageOwners,
  changed: (pa: number, bytes: number, seq: number, what: string) => void,
  e: EventCursor,
): void {
  const { tables } = world;
  const level = tables.level[e.place] === -1 ? e.level : tables.level[e.place]!;
  const bytes = world.span(level);
  const isGuest = e.stage2 !== HOST;
  // A change of attributes changes no hands.
  const same = isLeaf(e.wasLo, level) && isLeaf(e.newLo, level) && stateOf(e.wasHi) === stateOf(e.newHi);
  if (same && world.output(e.wasLo, e.wasHi) === world.output(e.newLo, e.newHi)) return;
  if (isLeaf(e.wasLo, level) && isGuest) owners.unmap(e.stage2, world.output(e.wasLo, e.wasHi), bytes);
  if (!isLeaf(e.newLo, level)) return;
  const pa = world.output(e.newLo, e.newHi);
  if (isGuest && bytes <= FOLLOWED_MAX) owners.map(e.stage2, pa, bytes, stateOf(e.newHi));
  changed(pa, bytes, e.seq, isGuest ? `guest ${e.stage2} was given` : 'the host was given');
}

/** PAGE_STATE that a guest's leaf says. */
function stateOf(hi: number): number {
  return ((hi & HI_SOFTWARE) >>> STATE_SHIFT) & STATE_MASK;
}

function judge({ world, report }: RuleSite, owners: PageOwners, { pa, bytes, seq, what }: Change, e: EventCursor): void {
  const problem = owners.problem(pa, bytes, (address) => firstLeaf(world, HOST, address, address + world.pageBytes, LEAF));
  if (problem === undefined) return;
  report(e, () => ({
    because: `when the host’s lock was released, the page at ${hexAddress(problem.page)} was in no one’s sole care: ${problem.because}`,
    witness: [{ seq, text: `${what} [${hexAddress(pa)}, +${hexAddress(bytes)})` }],
  }));
}
