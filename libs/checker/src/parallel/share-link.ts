import type { ReclaimPolicy } from '@s2lab/engine';
import type { FullBounds } from '../full/full-bounds.ts';
import { fullScenario, settingOf } from '../full/full-check.ts';
import type { ShareOptions, SharePlace } from './search-share.ts';
import { SearchShare } from './search-share.ts';

/** What a search asks its shares for. */
export type ShareCall = 'expand' | 'settle' | 'judge' | 'tellStates' | 'tellKeys' | 'adopt';

/** A share of a search, wherever it is: it carries out what it is asked in the order of the questions. Numbers travel in arrays of integers. */
export type ShareLink = {
  readonly [Call in ShareCall]: (...asked: Parameters<SearchShare[Call]>) => Promise<ReturnType<SearchShare[Call]>>;
};

/** The link to a share that is reached by `ask`, whatever way that goes. */
export function shareLink(ask: (call: ShareCall, asked: readonly unknown[]) => Promise<unknown>): ShareLink {
  const asks = <Call extends ShareCall>(call: Call): ShareLink[Call] =>
    ((...asked: readonly unknown[]) => ask(call, asked)) as ShareLink[Call];
  return {
    expand: asks('expand'),
    settle: asks('settle'),
    judge: asks('judge'),
    tellStates: asks('tellStates'),
    tellKeys: asks('tellKeys'),
    adopt: asks('adopt'),
  };
}

/** Where shares are: each begins with a search and is dropped with the next one. All of them have the same policy. */
export interface ShareHosts {
  readonly count: number;
  /** Begins a share in each host. */
  begin(setup: ShareSetup): Promise<readonly ShareLink[]>;
}

/** What the shares of one search begin with; plain values, which can be sent. */
export interface ShareSetup extends ShareOptions {
  readonly scenario: string;
  readonly bounds: FullBounds;
}

/**
 * One share of a search.
 * @throws CheckError when there is no such scenario
 * @throws RangeError when the machine cannot be built
 */
export function beginShare(setup: ShareSetup, policy: ReclaimPolicy, place: SharePlace): SearchShare {
  const scenario = fullScenario(setup.scenario);
  return new SearchShare(settingOf(scenario, setup.bounds), policy, scenario.name, setup, place);
}
