import type { Frame } from '@s2lab/events';
import type { FullCheckOptions, FullReport } from '../full/full-check.ts';
import {
  cannotGoOn,
  checkedScenario,
  fullReport,
  identityOf,
  reductionsOf,
  refusingSizes,
  settingOf,
  shortened,
} from '../full/full-check.ts';
import type { KnownCounterexample } from '../full/fewer-choices.ts';
import { isFewest, knownBy } from '../full/fewer-choices.ts';
import type { FullCounterexample } from '../full/full-counterexample.ts';
import { FullSearch } from '../full/full-search.ts';
import { Livelocks } from '../full/livelocks.ts';
import type { Setting } from '../full/subject.ts';
import { ParallelSearch } from './parallel-search.ts';
import type { ShareHosts } from './share-link.ts';

/** Orders that a search in shares can go by, with the options of the check. */
export interface ParallelCheckOptions extends FullCheckOptions {
  readonly order: 'bfs' | 'preemptions';
}

/** One check on the full engine whose search lies in shares, done in slices. It answers what a `FullCheck` answers. */
export class ParallelCheck {
  private readonly options: ParallelCheckOptions;
  private readonly hosts: ShareHosts;
  private readonly setting: Setting;
  private search: ParallelSearch | undefined;
  /** A violation that may not be the shortest, met before the present search. */
  private first: FullCounterexample | undefined;
  /** What the present search knows of it. */
  private known: KnownCounterexample | undefined;
  /** The whole search in one place, in which loops are looked for. */
  private whole: FullSearch | undefined;
  private livelocks: Livelocks | undefined;

  /** @throws CheckError when there is no such scenario, or the bounds or the policy are not for it */
  constructor(options: ParallelCheckOptions, hosts: ShareHosts) {
    this.options = options;
    this.hosts = hosts;
    this.setting = settingOf(checkedScenario(options), options.bounds);
  }

  /**
   * Searches on for a little. Returns whether there is more to do.
   * @throws CheckError when the machine cannot be built
   */
  async advance(slice: number): Promise<boolean> {
    const { livelocks } = this;
    if (livelocks !== undefined) {
      if (livelocks.advance(slice)) return true;
      if (livelocks.found !== undefined) this.whole!.stopAtLoop(livelocks.found);
      return false;
    }
    // Steps are judged later, many by one path: should one break a rule, the search begins again. A plain one leaves out nothing there either.
    const search = (this.search ??= await this.begin(this.options.order, !this.options.reduce));
    const { order, maxPreemptions } = this.options;
    if (await search.advance()) return this.first !== undefined || order === 'bfs' || search.preemptionsSeen < maxPreemptions;
    if (search.ended === 'complete' && this.first === undefined && this.options.liveness) {
      this.livelocks = await this.loops(search);
      return true;
    }
    const found = search.counterexample();
    if (found === undefined || this.isAnswer(found)) return false;
    // The way that was found first is seldom the shortest.
    this.first = shortened(found, this.options);
    const known = knownBy(this.first, this.options.allRulesStates);
    // Breadth-first, what is shown is the first of all, whatever it breaks.
    this.known = order === 'bfs' ? { ...known, invariant: null } : known;
    this.search = await this.begin('bfs', true);
    return true;
  }

  /** Whether what the present search has found is the answer, and need not be searched again. */
  private isAnswer(found: FullCounterexample): boolean {
    const { order, reduce } = this.options;
    if (this.known === undefined) return order === 'bfs' && !reduce;
    return order === 'bfs' || isFewest(found, this.known, this.search!.storedStates);
  }

  /** How far the search is. */
  get counts(): Pick<FullReport, 'storedStates' | 'transitions' | 'judgedPaths'> {
    const { storedStates = 1, transitions = 0, judged = 0 } = this.search ?? {};
    return { storedStates, transitions, judgedPaths: judged };
  }

  /** The answer, as far as there is one; the search may have been broken off. */
  report(): FullReport {
    const { ended, preemptionsSeen = -1 } = this.whole ?? this.search ?? { ended: undefined };
    const looking = this.livelocks !== undefined && this.livelocks.ended === undefined;
    const fewest = this.first !== undefined || this.options.order === 'bfs';
    return fullReport(this.options, { found: this.counterexample(), ended, preemptionsSeen, fewest, looking, ...this.counts });
  }

  /** What the check is of: a saved one may be gone on with where this is the same, in whatever number of shares. */
  get identity(): string {
    return identityOf(this.options);
  }

  /** What the search knows, to go on another time; undefined when it has found something. */
  async save(): Promise<Int32Array | undefined> {
    return this.first === undefined && this.livelocks === undefined ? this.search?.save() : undefined;
  }

  /**
   * Goes on where a check with the same identity stood when it was saved.
   * @throws CheckError when the engine has changed since, or the memory does not suffice
   */
  async restore(words: Int32Array): Promise<void> {
    const search = (this.search ??= await this.begin(this.options.order, !this.options.reduce));
    try {
      await search.restore(words);
    } catch (error) {
      throw cannotGoOn(error);
    }
  }

  /** The log of the counterexample, if there is one. */
  log(): Frame | undefined {
    return this.counterexample()?.frame;
  }

  private counterexample(): FullCounterexample | undefined {
    return this.whole?.counterexample() ?? this.search?.counterexample() ?? this.first;
  }

  private async begin(order: 'bfs' | 'preemptions', judgesAtOnce: boolean): Promise<ParallelSearch> {
    const { scenario, bounds, policy, maxBytes, maxStates, except } = this.options;
    const { hosts, setting, known } = this;
    const reduce = reductionsOf(this.options);
    const each = Math.floor(maxBytes / hosts.count);
    const search = refusingSizes(
      () => new ParallelSearch(setting, policy, { order, reduce, except, maxBytes, maxStates, judgesAtOnce }, hosts.count),
    );
    search.meet(await hosts.begin({ scenario, bounds, turns: order === 'preemptions', reduce, maxBytes: each, except, known }));
    return search;
  }

  /** Loops are looked for in all states together: in one place. */
  private async loops(search: ParallelSearch): Promise<Livelocks> {
    const { scenario, policy, order, maxBytes, except } = this.options;
    const options = { order, reduce: reductionsOf(this.options), maxBytes, except };
    this.whole = new FullSearch(this.setting, policy, scenario, options);
    this.whole.restore((await search.save())!);
    this.whole.ended = 'complete';
    return new Livelocks(this.whole.graph());
  }
}
