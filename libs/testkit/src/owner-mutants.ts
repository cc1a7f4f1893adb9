import { hex64 } from '@s2lab/arch';
import { COMPONENT, LOCK, LOCK_MODE, OPERATION, PAGE_STATE } from '@s2lab/events';
import type { GoodTrace, Mutant } from './mutant.ts';
import type { Trace } from './trace-dsl.ts';
import { leafDescriptor, LOCKED, trace } from './trace-dsl.ts';

/*
 * Traces of a pKVM machine: the host's stage-2 under VMID 0, a guest's under VMID 1, pages that change hands. A good one, and one defect each.
 */

const GIB = 0x4000_0000;
const IPA = 0x1000_0000;
const PA = 0x8000_3000;
const HOST = 0;
/** FWB, FEAT_XNX, identity. */
const HOST_FEATURES = 1 | 8 | 32;
/** Root page of the host's stage-2. */
const HOST_ROOT = 60;
/** Page states as a guest's leaf has them, bits 55 and 56. */
const BORROWED = 2n << 55n;

const { owned, sharedOwned, sharedBorrowed, none } = PAGE_STATE;

/** A machine whose hypervisor knows one GiB of memory, all of it mapped by the host as one block, to where it lies unless `to` says otherwise. */
function protectedMachine(to = 2 * GIB): Trace {
  const t = trace({ machineKind: 'pkvm', policy: 'hyp-lock' });
  t.event({ kind: 'memory-region-added', pa: 2 * GIB, bytes: GIB, nomap: 0 });
  t.event({ kind: 'table-allocated', table: HOST_ROOT, level: 1, root: 1, stage2: HOST });
  t.event({ kind: 'stage2-created', root: HOST_ROOT, rootPages: 1, startLevel: 1, features: HOST_FEATURES, ipaBits: 39, stage2: HOST });
  return underHostLock(t, () => {
    const slot = { table: HOST_ROOT, slot: 2, level: 1, ipa: 2 * GIB, stage2: HOST };
    t.event({ kind: 'descriptor-stored', ...slot, old: '0x0', new: hex(LOCKED) });
    t.event({ kind: 'reference-got', table: HOST_ROOT, count: 2, stage2: HOST });
    t.event({ kind: 'descriptor-released', ...slot, old: hex(LOCKED), new: hex(leafDescriptor(to, 1)) });
    t.dsb('ishst');
  });
}

/** The host's block is gone: what is not mapped is faulted back, page by page. */
function withoutBlock(t: Trace): void {
  const slot = { table: HOST_ROOT, slot: 2, level: 1, ipa: 2 * GIB, stage2: HOST };
  t.event({ kind: 'descriptor-stored', ...slot, old: hex(leafDescriptor(2 * GIB, 1)), new: '0x0' });
  t.dsb('ish');
  for (const op of [1, 4]) {
    t.event({ kind: 'tlbi-issued', op, ipa: 2 * GIB, level: op === 1 ? 1 : -1, pages: 0, stage2: HOST });
    t.dsb('ish');
  }
  t.event({ kind: 'reference-put', table: HOST_ROOT, count: 1, stage2: HOST });
}

function hex(value: bigint): string {
  return hex64(Number(value & 0xffff_ffffn), Number(value >> 32n));
}

function underHostLock(t: Trace, does: () => void): Trace {
  const lock = { lock: LOCK.mmu, mode: LOCK_MODE.write, stage2: HOST } as const;
  t.event({ kind: 'lock-acquired', ...lock });
  does();
  return t.event({ kind: 'lock-released', ...lock });
}

/** The hypervisor notes that a component has the page in another state. */
function note(t: Trace, component: number, from: number, to: number): void {
  t.event({ kind: 'page-state-changed', component, pa: PA, bytes: 4096, from, to, stage2: HOST });
}

/** The guest's leaf for the page is made, with `state` in its software bits. */
function give(t: Trace, state = 0n): void {
  t.map(0, IPA, PA, 3, state);
}

/** Traces that every rule must pass. */
export const OWNER_GOOD_TRACES: readonly GoodTrace[] = [
  { name: 'the host donates a page to a guest, which has it alone', frames: () => donated().stop(1).frames() },
  { name: 'the host lends a page to a guest', frames: () => lent(owned).stop(1).frames() },
  { name: 'the host takes a page back from a guest when it is wiped', frames: () => takenBack(true).stop(1).frames() },
  { name: 'the host lends a page to the hypervisor', frames: () => lentToHypervisor(true).stop(1).frames() },
];

function donated(): Trace {
  const t = protectedMachine();
  return underHostLock(t, () => {
    withoutBlock(t);
    note(t, COMPONENT.host, owned, none);
    give(t);
  });
}

function lent(from: number): Trace {
  const t = protectedMachine();
  return underHostLock(t, () => {
    if (from === owned) note(t, COMPONENT.host, owned, sharedOwned);
    give(t, BORROWED);
  });
}

/** A page that a guest had alone becomes the host's again. */
function takenBack(wiped: boolean): Trace {
  const t = donated();
  return underHostLock(t, () => {
    if (wiped) t.event({ kind: 'page-wiped', pa: PA, bytes: 4096, stage2: HOST });
    t.unmap(IPA).as(0);
    note(t, COMPONENT.host, none, owned);
  });
}

/** An operation under the host's lock, or not. */
function operation(t: Trace, code: number, locked: boolean, does: () => void): Trace {
  t.event({ kind: 'operation-began', operation: code, ipa: 0, bytes: 4096, stage2: HOST });
  if (locked) underHostLock(t, does);
  else does();
  return t.event({ kind: 'operation-ended', operation: code, result: 0, stage2: HOST });
}

function lentToHypervisor(bothKnow: boolean): Trace {
  const t = protectedMachine();
  const lock = { lock: LOCK.hyp, mode: LOCK_MODE.write, stage2: HOST } as const;
  return operation(t, OPERATION.hostShareHyp, true, () => {
    t.event({ kind: 'lock-acquired', ...lock });
    t.event({ kind: 'page-shared', pa: PA, bytes: 4096, ipa: 0, from: COMPONENT.host, to: COMPONENT.hyp, stage2: HOST });
    if (bothKnow) note(t, COMPONENT.hyp, none, sharedBorrowed);
    note(t, COMPONENT.host, owned, sharedOwned);
    t.event({ kind: 'lock-released', ...lock });
  });
}

/** One defect each. */
export const OWNER_MUTANTS: readonly Mutant[] = [
  {
    invariant: 'I9',
    name: 'the standing of a page changes without the host’s lock',
    frames: () => {
      const t = protectedMachine();
      return operation(t, OPERATION.hostShareFfa, false, () => note(t, COMPONENT.host, owned, sharedOwned))
        .stop(1)
        .frames();
    },
  },
  {
    invariant: 'I10',
    name: 'pKVM maps its host’s memory elsewhere',
    frames: () =>
      protectedMachine(3 * GIB)
        .stop(1)
        .frames(),
  },
  { invariant: 'I13', name: 'a page goes back to the host as the guest left it', frames: () => takenBack(false).stop(1).frames() },
  { invariant: 'I13', name: 'the hypervisor does not know what it is lent', frames: () => lentToHypervisor(false).stop(1).frames() },
  {
    invariant: 'I14',
    name: 'a guest is gone and its VMID was not flushed',
    frames: () => {
      const t = trace({ machineKind: 'pkvm', policy: 'hyp-lock' }).event({ kind: 'guest-created', protected: 1, features: 0, ipaBits: 39 });
      return t.map(0, IPA, PA).event({ kind: 'guest-destroyed' }).stop(1).frames();
    },
  },
  {
    invariant: 'I13',
    name: 'a page is given to a guest and stays the host’s',
    frames: () => {
      const t = protectedMachine();
      return underHostLock(t, () => give(t))
        .stop(1)
        .frames();
    },
  },
  {
    invariant: 'I13',
    name: 'the host can still reach a page that it has donated',
    frames: () => {
      const t = protectedMachine();
      return underHostLock(t, () => {
        note(t, COMPONENT.host, owned, none);
        give(t);
      })
        .stop(1)
        .frames();
    },
  },
  { invariant: 'I13', name: 'a guest borrows what the host does not share', frames: () => lent(none).stop(1).frames() },
  {
    invariant: 'I13',
    name: 'the hypervisor takes a page that the host keeps',
    frames: () => {
      const t = protectedMachine();
      return underHostLock(t, () => note(t, COMPONENT.hyp, none, owned))
        .stop(1)
        .frames();
    },
  },
  {
    invariant: 'I13',
    name: 'the host borrows from nobody',
    frames: () => {
      const t = protectedMachine();
      return underHostLock(t, () => note(t, COMPONENT.host, owned, sharedBorrowed))
        .stop(1)
        .frames();
    },
  },
];
