import { Worker } from 'node:worker_threads';
import type { ShareHosts, ShareLink, ShareSetup } from '@s2lab/checker';
import { shareLink } from '@s2lab/checker';
import type { ShareQuestion, ShareThreadData } from './share-thread.ts';
import { buffersOf } from './share-thread.ts';

/** One thread, and who waits for its answers, in the order of their questions. */
class ShareThread {
  private readonly worker: Worker;
  private readonly waiting: { readonly resolve: (answer: unknown) => void; readonly reject: (error: unknown) => void }[] = [];
  private failed: unknown;

  constructor(workerData: ShareThreadData) {
    this.worker = new Worker(new URL('share-thread.ts', import.meta.url), { workerData });
    this.worker.on('message', (answer: unknown) => this.waiting.shift()!.resolve(answer));
    this.worker.on('error', (error) => {
      this.failed = error;
      for (const { reject } of this.waiting.splice(0)) reject(error);
    });
  }

  /** Asks the thread, and gives it the buffers of what is asked. */
  ask(question: ShareQuestion): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.failed !== undefined) {
        reject(this.failed as Error);
        return;
      }
      this.waiting.push({ resolve, reject });
      this.worker.postMessage(question, question.call === 'begin' ? [] : buffersOf(question.asked));
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}

/** Threads of this process, each with a share of one search. */
export class ShareThreads implements ShareHosts {
  readonly count: number;
  private readonly threads: readonly ShareThread[];

  /** @param policy name of the policy that is searched */
  constructor(count: number, policy: string) {
    this.count = count;
    this.threads = Array.from({ length: count }, (_, index) => new ShareThread({ index, count, policy }));
  }

  async begin(setup: ShareSetup): Promise<readonly ShareLink[]> {
    return Promise.all(
      this.threads.map(async (thread) => {
        await thread.ask({ call: 'begin', asked: [setup] });
        return shareLink((call, asked) => thread.ask({ call, asked }));
      }),
    );
  }

  /** Ends the threads. */
  async end(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.end()));
  }
}
