import { parentPort, workerData } from 'node:worker_threads';
import type { SearchShare, ShareCall, ShareSetup } from '@s2lab/checker';
import { beginShare } from '@s2lab/checker';
import { policyByName } from '@s2lab/policies';

/** What a thread of a search is: which of how many, under which policy. */
export interface ShareThreadData {
  readonly index: number;
  readonly count: number;
  readonly policy: string;
}

/** What a thread is asked: to begin a share, or to carry out a call of the one that it has. */
export type ShareQuestion =
  { readonly call: 'begin'; readonly asked: readonly [ShareSetup] } | { readonly call: ShareCall; readonly asked: readonly unknown[] };

/** The buffers of arrays of integers in a message, which go over to its receiver. */
export function buffersOf(message: unknown): ArrayBuffer[] {
  if (ArrayBuffer.isView(message)) return [message.buffer as ArrayBuffer];
  if (Array.isArray(message)) return message.flatMap(buffersOf);
  return [];
}

if (parentPort !== null) {
  const port = parentPort;
  const { index, count, policy } = workerData as ShareThreadData;
  let share: SearchShare | undefined;
  port.on('message', ({ call, asked }: ShareQuestion) => {
    if (call === 'begin') {
      share = beginShare(asked[0], policyByName(policy), { index, count });
      port.postMessage(undefined);
      return;
    }
    const answer = (share![call] as (...args: readonly unknown[]) => object | number)(...asked);
    port.postMessage(answer, buffersOf(typeof answer === 'object' ? Object.values(answer) : answer));
  });
}
