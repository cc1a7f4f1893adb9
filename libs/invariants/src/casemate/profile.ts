import { K } from '@s2lab/events';
import type { Explanation, Rule, RuleSite } from '../rule.ts';
import type { EventCursor } from '../shadow/event-cursor.ts';
import { actorName, remembered } from '../words.ts';
import type { WitnessLine } from '../verdict.ts';
import type { Finding } from './findings.ts';
import { FINDINGS } from './findings.ts';
import type { TraceDialect } from './trace-checker.ts';
import { TraceChecker } from './trace-checker.ts';
import { PROGRESS } from './unclean-entries.ts';

const TWO_32 = 0x1_0000_0000;

const STEPS: Readonly<Record<number, string>> = {
  [PROGRESS.stored]: 'no DSB has followed the store',
  [PROGRESS.visible]: 'no TLBI that covers it has followed',
  [PROGRESS.stage2Issued]: 'the TLBI of stage 2 is not completed by a DSB',
  [PROGRESS.stage2Done]: 'the combined entries are not invalidated yet',
  [PROGRESS.issued]: 'the last TLBI is not completed by a DSB',
};

/** The kinds that the profile judges, each as it stands before the event. */
const JUDGED = [
  K.memoryInitialised,
  K.memoryFreed,
  K.memoryWritten,
  K.memoryFilled,
  K.registerWritten,
  K.hintGiven,
  K.addressLocked,
  K.addressUnlocked,
  K.invalidationIssued,
  K.dsbCompleted,
];

/** casemate's rules as a rule of the verifier: one finding a machine, for what follows it cannot be judged. */
function casemateRule(id: string, name: string, dialect: TraceDialect): Rule {
  return {
    id,
    name,
    prose:
      'Entries of translation tables of stage 2 and of EL2 are written under the lock of their tree, go from valid to valid only through an ' +
      'invalid value, DSB, TLBI and DSB, and their pages are initialised, used in one place and given back when nothing leads to them.',
    source: 'github.com/rems-project/casemate 3.0.2; Arm ARM DDI 0487, "Using break-before-make when updating translation table entries"',
    state: 'memory that is followed, entries with state, owner and lock, unclean entries, roots, registers of each thread',
    attach(site) {
      const checker = site.keep(() => new TraceChecker(dialect));
      const judging = site.keep(() => ({ ended: false }));
      site.on.before(JUDGED, (e) => {
        if (judging.ended) return;
        const finding = judge(checker, e);
        if (finding === undefined) return;
        judging.ended = true;
        site.report(e, () => explanation(site, checker, finding, e));
      });
    },
  };
}

/** The profile: casemate's rules, and Arm's where casemate forgets them. */
export const CASEMATE_PROFILES: Readonly<Record<string, Rule>> = {
  casemate: casemateRule('casemate', 'rules of casemate', { accessFlagExcuses: false, vmidCompared: false }),
  'casemate-strict': casemateRule('casemate', 'rules of casemate, VMIDs compared', { accessFlagExcuses: false, vmidCompared: true }),
  'casemate-3.0.2': casemateRule('casemate', 'rules of casemate 3.0.2 to the letter', { accessFlagExcuses: true, vmidCompared: false }),
};

function judge(checker: TraceChecker, e: EventCursor): Finding | undefined {
  const { actor, seq, oldLo, oldHi, newLo, newHi } = e;
  switch (e.kind) {
    case K.memoryWritten:
      return checker.write(actor, seq, oldLo, oldHi, newLo, newHi, e.arg);
    case K.dsbCompleted:
      return checker.barrier(actor, e.arg);
    case K.invalidationIssued:
      return checker.invalidate(actor, e.arg, newLo, newHi);
    case K.addressLocked:
      return checker.lock(actor, seq, oldLo, oldHi, e.arg === 1);
    case K.addressUnlocked:
      return checker.unlock(actor, oldLo, oldHi);
    case K.memoryInitialised:
      return checker.initialise(oldLo, oldHi, unsigned(newLo, newHi));
    case K.memoryFreed:
      return checker.free(oldLo, oldHi, unsigned(newLo, newHi));
    case K.memoryFilled:
      return checker.fill(actor, seq, oldLo, oldHi, e.ipa, newLo, newHi);
    case K.registerWritten:
      return checker.writeRegister(actor, e.arg, newLo, newHi);
    case K.hintGiven:
      return checker.hint(actor, e.arg, oldLo, oldHi, newLo, newHi);
    default:
      return undefined;
  }
}

function unsigned(lo: number, hi: number): number {
  return (hi >>> 0) * TWO_32 + (lo >>> 0);
}

function explanation({ world }: RuleSite, checker: TraceChecker, finding: Finding, e: EventCursor): Explanation {
  const [concern, words, message] = FINDINGS[finding];
  const witness: WitnessLine[] = [];
  let more = '';
  if (checker.brokenAt >= 0) {
    witness.push({ seq: checker.brokenAt, text: 'the entry was made invalid' });
    more = `: ${STEPS[checker.brokenProgress]!}`;
  } else if (checker.lockedAt >= 0) {
    witness.push(remembered(checker.lockedAt, world, checker.lockedBy, 'took the lock of the tree'));
    more = `; it is held by ${actorName(checker.lockedBy, world.vcpus)}`;
  }
  // The first event of a machine is machine-started, so an event of the trace has the number before ours.
  return { because: `${concern}: ${words}${more} (event ${e.seq - 1} of the trace; casemate: ${message})`, witness };
}
