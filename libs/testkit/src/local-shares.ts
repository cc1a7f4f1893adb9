import type { SearchShare, ShareHosts, ShareLink, ShareSetup } from '@s2lab/checker';
import { beginShare, shareLink } from '@s2lab/checker';
import type { ReclaimPolicy } from '@s2lab/engine';
import { Prng } from '@s2lab/engine';

/** Shares of a search without threads: each carries out what it is asked after a number of turns of the event loop that is drawn from a seed. */
export class LocalShares implements ShareHosts {
  readonly count: number;
  private readonly policy: ReclaimPolicy;
  private readonly random: Prng;

  constructor(count: number, policy: ReclaimPolicy, seed: number) {
    this.count = count;
    this.policy = policy;
    this.random = new Prng(seed);
  }

  begin(setup: ShareSetup): Promise<readonly ShareLink[]> {
    const { count, policy } = this;
    return Promise.resolve(Array.from({ length: count }, (_, index) => this.linkTo(beginShare(setup, policy, { index, count }))));
  }

  private linkTo(share: SearchShare): ShareLink {
    return shareLink(async (call, asked) => {
      for (let left = this.random.below(5); left > 0; left -= 1) await new Promise(setImmediate);
      // What is sent is gone: a copy arrives.
      return structuredClone((share[call] as (...asked: readonly unknown[]) => unknown).apply(share, structuredClone(asked) as unknown[]));
    });
  }
}
