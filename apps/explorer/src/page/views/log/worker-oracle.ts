import type { LogOracle, Questions } from '../../../log/answers.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** Asks a worker of this page, which reads the log in the browser; nothing leaves the machine. */
export class WorkerOracle implements LogOracle {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;

  private constructor(worker: Worker) {
    this.worker = worker;
  }

  /**
   * @param log a dropped file, or one that lies beside the page
   * @throws Error with one line when it is no log
   */
  static open(log: File | { readonly name: string; readonly url: string }): Promise<WorkerOracle> {
    const worker = new Worker('log-worker.js', { type: 'module' });
    const oracle = new WorkerOracle(worker);
    return new Promise((resolve, reject) => {
      worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
        if ('id' in data) oracle.settle(data);
        else if ('ready' in data) worker.postMessage({ open: log } satisfies ToWorker);
        else if (data.opened) resolve(oracle);
        else {
          worker.terminate();
          reject(new Error(data.error));
        }
      });
      worker.addEventListener('error', (event) => reject(new Error(`the reader of logs did not start: ${event.message}`)));
    });
  }

  ask<Q extends keyof Questions>(question: Q, what: Questions[Q]['ask']): Promise<Questions[Q]['answer']> {
    const id = (this.next += 1);
    return new Promise<unknown>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, question, what } satisfies ToWorker);
    }) as Promise<Questions[Q]['answer']>;
  }

  /** Lets go of the log. */
  close(): void {
    this.worker.terminate();
  }

  private settle(message: Extract<FromWorker, { readonly id: number }>): void {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if ('error' in message) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.answer);
  }
}
