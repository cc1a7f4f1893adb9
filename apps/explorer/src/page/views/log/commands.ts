import type { LogSession } from './log-session.ts';
import { findWrite } from './step-card.ts';
import { stepWitness } from './violation-panel.ts';

/** Something that a reader can do by a key. */
export interface Command {
  /** As KeyboardEvent.key says it. */
  readonly key: string;
  /** The key, as people write it. */
  readonly shown: string;
  readonly help: string;
  run(session: LogSession): void;
}

/** Events that a page key jumps over. */
const PAGE = 100;
/** Events a second when the space bar starts. */
export const DEFAULT_RATE = 20;

/** Goes to the next or last event of the chosen actor; without one, of the actor of this event. */
export function stepActor(session: LogSession, backwards: boolean): void {
  const actor = session.actor ?? session.moment?.event.actor ?? 0;
  const name = session.moment?.actors[actor]?.name ?? `actor ${actor}`;
  session.chooseActor(actor);
  void session.find({ actor }, backwards, `step of ${name}`);
}

/** All that the keyboard does, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  { key: 'ArrowRight', shown: '→', help: 'next event', run: (session) => session.step(1) },
  { key: 'ArrowLeft', shown: '←', help: 'event before', run: (session) => session.step(-1) },
  { key: 'PageDown', shown: 'Page down', help: `${PAGE} events on`, run: (session) => session.step(PAGE) },
  { key: 'PageUp', shown: 'Page up', help: `${PAGE} events back`, run: (session) => session.step(-PAGE) },
  { key: 'Home', shown: 'Home', help: 'first event', run: (session) => session.step(-Infinity) },
  { key: 'End', shown: 'End', help: 'last event', run: (session) => session.step(Infinity) },
  {
    key: ' ',
    shown: 'Space',
    help: 'play, pause',
    run: (session) => (session.rate === 0 ? session.play(DEFAULT_RATE) : session.pause()),
  },
  { key: '.', shown: '.', help: 'next step of the same walker', run: (session) => stepActor(session, false) },
  { key: ',', shown: ',', help: 'step of the same walker before', run: (session) => stepActor(session, true) },
  { key: 'n', shown: 'n', help: 'next violation', run: (session) => session.stepViolation(1) },
  { key: 'N', shown: 'Shift+N', help: 'violation before', run: (session) => session.stepViolation(-1) },
  { key: 'w', shown: 'w', help: 'next write to the chosen slot', run: (session) => findWrite(session, false) },
  { key: 'W', shown: 'Shift+W', help: 'write to the chosen slot before', run: (session) => findWrite(session, true) },
  { key: ']', shown: ']', help: 'next event of the proof', run: (session) => stepWitness(session, 1) },
  { key: '[', shown: '[', help: 'event of the proof before', run: (session) => stepWitness(session, -1) },
  { key: 'f', shown: 'f', help: 'follow a log that grows', run: (session) => session.follow(!session.following) },
];
