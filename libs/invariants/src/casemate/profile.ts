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

const STEPS: Readonly<Record<number, string>> = {
  [PROGRESS.stored]: 'no DSB has followed the store',
  [PROGRESS.visible]: 'no TLBI that covers it has followed',
  [PROGRESS.stage2Issued]: 'the TLBI of stage 2 is not completed by a DSB',
  [PROGRESS.stage2Done]: 'the combined entries are not invalidated yet',
  [PROGRESS.issued]: 'the last TLBI is not completed by a DSB',
};

/** How the profile judges each kind of event, as it stands before the event; one function a kind, so that only those of a trace are compiled. */
const JUDGES: readonly (readonly [kind: number, judge: (checker: TraceChecker, e: EventCursor) => Finding | undefined])[] = [
  [K.memoryInitialised, (checker, e) => checker.initialise(e.oldLo, e.oldHi, e.pa)],
  [K.memoryFreed, (checker, e) => checker.free(e.oldLo, e.oldHi, e.pa)],
  [K.memoryWritten, (checker, e) => checker.write(e.actor, e.seq, e.oldLo, e.oldHi, e.newLo, e.newHi, e.arg)],
  [K.memoryFilled, (checker, e) => checker.fill(e.actor, e.seq, e.oldLo, e.oldHi, e.ipa, e.newLo, e.newHi)],
  [K.registerWritten, (checker, e) => checker.writeRegister(e.actor, e.arg, e.newLo, e.newHi)],
  [K.hintGiven, (checker, e) => checker.hint(e.actor, e.arg, e.oldLo, e.oldHi, e.newLo, e.newHi)],
  [K.addressLocked, (checker, e) => checker.lock(e.actor, e.seq, e.oldLo, e.oldHi, e.arg === 1)],
  [K.addressUnlocked, (checker, e) => checker.unlock(e.actor, e.oldLo, e.oldHi)],
  [K.invalidationIssued, (checker, e) => checker.invalidate(e.actor, e.arg, e.newLo, e.newHi)],
  [K.dsbCompleted, (checker, e) => checker.barrier(e.actor, e.arg)],
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
      for (const [kind, judge] of JUDGES)
        site.on.before([kind], (e) => {
          const finding = judging.ended ? undefined : judge(checker, e);
          if (finding === undefined) return;
          judging.ended = true;
          tell(site, checker, finding, e);
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

function tell(site: RuleSite, checker: TraceChecker, finding: Finding, e: EventCursor): void {
  site.report(e, () => explanation(site, checker, finding, e));
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
