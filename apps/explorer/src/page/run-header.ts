import type { LabAbout, LabSample } from '../sample.ts';
import { FIELD } from '../sample.ts';
import { bytes, duration, short } from './numbers.ts';

/** The bar at the top: which run this is, how fast it goes, and whether its invariants hold so far. */
export class RunHeader {
  private readonly facts: HTMLElement;
  private readonly verdict: HTMLElement;
  private asked = 0;
  private paused = false;
  private readonly cells = new Map<string, HTMLElement>();

  constructor(facts: HTMLElement, verdict: HTMLElement) {
    this.facts = facts;
    this.verdict = verdict;
  }

  about(about: LabAbout): void {
    this.facts.replaceChildren();
    this.cells.clear();
    this.fact('scenario', about.scenario);
    this.fact('seed', String(about.seed));
    this.fact('run', about.run);
    this.fact('machines', '–');
    this.fact('virtual time', '–');
    this.asked = about.speed;
    this.paused = about.paused;
    this.fact('speed', '–');
    this.fact('verified', '–');
    this.fact('log', '–');
  }

  sample(sample: LabSample): void {
    const virtualNs = Math.max(0, ...sample.machines.map((machine) => machine.n[FIELD.virtualNs]!));
    this.fact('machines', `${sample.machines.filter((machine) => machine.n[FIELD.running] === 1).length} of ${sample.machines.length} run`);
    this.fact('virtual time', duration(virtualNs));
    this.fact('verified', `${short(sample.verified)} events`);
    const { state, path, bytes: size, because } = sample.recording;
    this.fact('log', state === 'off' ? 'not recorded' : `${bytes(size)}${state === 'stopped' ? ', stopped' : ''}`, because || path);
    this.fact('speed', this.speedText(sample.speed), 'virtual seconds per wall second');
    this.judge(sample);
  }

  /** The speed asked for, and the speed reached where it differs: a busy machine or a slow disk. */
  private speedText(reached: number): string {
    if (this.paused) return 'paused';
    const asked = this.asked === 0 ? 'unlimited' : `${this.asked}×`;
    const differs = reached > 0 && (this.asked === 0 || reached < 0.8 * this.asked);
    return differs ? `${asked}, ${Number(reached.toPrecision(2))}× reached` : asked;
  }

  /** The stream broke off. */
  lost(): void {
    this.badge('lost', 'the lab does not answer');
  }

  private judge(sample: LabSample): void {
    if (sample.violations > 0)
      this.badge('violated', `violated: ${short(sample.violations)} violation${sample.violations === 1 ? '' : 's'}`);
    else if (sample.verified > 0) this.badge('holds', sample.ended ? 'ended: holds' : 'holds so far');
    else this.badge('waiting', 'waiting for events');
  }

  private badge(state: string, text: string): void {
    if (this.verdict.textContent === text) return; // a live region speaks at every change
    this.verdict.dataset['state'] = state;
    this.verdict.textContent = text;
  }

  private fact(name: string, value: string, title = ''): void {
    let cell = this.cells.get(name);
    if (cell === undefined) {
      const pair = document.createElement('div');
      const term = document.createElement('dt');
      term.textContent = name;
      cell = document.createElement('dd');
      pair.append(term, cell);
      this.facts.append(pair);
      this.cells.set(name, cell);
    }
    cell.textContent = value;
    cell.title = title;
  }
}
