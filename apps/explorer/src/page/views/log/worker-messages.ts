import type { Questions } from '../../../log/answers.ts';

/** To the worker: which log to open, then questions. */
export type ToWorker =
  | { readonly open: File | { readonly name: string; readonly url: string } }
  | { readonly id: number; readonly question: keyof Questions; readonly what: unknown };

/** From the worker: it hears from now on; the log is open, or an answer; `error` is one line for people. */
export type FromWorker =
  | { readonly ready: true }
  | { readonly opened: true }
  | { readonly opened: false; readonly error: string }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string };
