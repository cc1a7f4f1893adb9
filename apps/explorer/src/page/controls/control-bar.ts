import type { Control, ControlOptions } from './lab-control.ts';
import { changeControl, readControl, readOptions } from './lab-control.ts';

/** Speeds to choose from, virtual seconds per wall second; 0 = as fast as it goes. */
const SPEEDS = [0.0001, 0.0005, 0.0015, 0.005, 0.02, 0.1, 0];

/** The value of the choice that leaves each machine its own policy. */
const OWN_POLICY = '';

/**
 * Steers the lab. Speed and pause are obeyed at once; policy, workload and faults are chosen together and begin another run, whose events
 * follow from them alone.
 */
export class ControlBar {
  readonly element = document.createElement('form');
  private readonly scenario = document.createElement('select');
  private readonly policy = document.createElement('select');
  private readonly speed = document.createElement('select');
  private readonly faults = document.createElement('fieldset');
  private readonly begin = document.createElement('button');
  private readonly pause = document.createElement('button');
  private readonly word = document.createElement('output');
  private options: ControlOptions | undefined;
  private present: Control | undefined;

  constructor() {
    this.element.className = 'controls';
    this.element.setAttribute('aria-label', 'Controls of the lab');
    this.faults.className = 'faults';
    const legend = document.createElement('legend');
    legend.textContent = 'Faults';
    this.faults.append(legend);
    this.begin.type = 'submit';
    this.begin.textContent = 'Begin run';
    this.begin.title = 'Ends this run and begins another one, from its first event, with the workload, policy and faults chosen';
    this.pause.type = 'button';
    this.pause.textContent = 'Pause lab';
    this.word.className = 'word';
    this.element.append(
      labelled('Workload', this.scenario),
      labelled('Policy', this.policy),
      this.faults,
      this.begin,
      labelled('Speed', this.speed),
      this.pause,
      this.word,
    );
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.ask(this.chosen());
    });
    this.element.addEventListener('change', () => this.compare());
    this.speed.addEventListener('change', () => this.ask({ speed: Number(this.speed.value) }));
    this.pause.addEventListener('click', () => this.ask({ paused: this.present?.paused !== true }));
  }

  /** The lab said that run or pace are others. */
  about(): void {
    void this.read();
  }

  private async read(): Promise<void> {
    try {
      const [options, control] = await Promise.all([this.options ?? readOptions(), readControl()]);
      this.options ??= this.fill(options);
      this.show(control);
    } catch (error) {
      this.say((error as Error).message, true);
    }
  }

  private fill(options: ControlOptions): ControlOptions {
    this.scenario.replaceChildren(...options.scenarios.map(({ name, description }) => optionOf(name, name, description)));
    this.policy.replaceChildren(
      new Option('as the workload says', OWN_POLICY),
      ...options.policies.map(({ name, summary }) => optionOf(name, name, summary)),
    );
    for (const { kind, title, description } of options.faults) {
      const label = document.createElement('label');
      const box = document.createElement('input');
      box.type = 'checkbox';
      box.value = kind;
      label.title = description;
      label.append(box, title);
      this.faults.append(label);
    }
    return options;
  }

  private show(control: Control): void {
    const anew = this.present?.run !== control.run;
    this.present = control;
    if (anew) {
      this.scenario.value = control.scenario;
      this.policy.value = control.policy ?? OWN_POLICY;
      const kinds = new Set(control.faults?.map(({ kind }) => kind));
      for (const box of this.boxes()) box.checked = kinds.has(box.value);
    }
    const speeds = SPEEDS.includes(control.speed) ? SPEEDS : [control.speed, ...SPEEDS];
    this.speed.replaceChildren(...speeds.map((speed) => new Option(speed === 0 ? 'unlimited' : `${speed}×`, String(speed))));
    this.speed.value = String(control.speed);
    this.pause.setAttribute('aria-pressed', String(control.paused));
    this.pause.textContent = control.paused ? 'Resume lab' : 'Pause lab';
    this.compare();
  }

  /** Whether what is chosen is another run than the present one. */
  private compare(): void {
    const { present } = this;
    if (present === undefined) return;
    const chosen = this.chosen();
    const same =
      chosen.scenario === present.scenario && chosen.policy === present.policy && kindsOf(chosen.faults) === kindsOf(present.faults);
    this.begin.classList.toggle('wanted', !same);
  }

  private chosen(): Pick<Control, 'scenario' | 'policy' | 'faults'> {
    const kinds = new Set(this.boxes().flatMap((box) => (box.checked ? [box.value] : [])));
    const presets = this.options?.faults.filter(({ kind }) => kinds.has(kind)).map(({ preset }) => preset) ?? [];
    // A workload that brings faults of its own keeps them as long as nobody chooses any.
    const faults = presets.length === 0 && this.present?.faults === null ? null : presets;
    return { scenario: this.scenario.value, policy: this.policy.value === OWN_POLICY ? null : this.policy.value, faults };
  }

  private ask(change: Partial<Control>): void {
    this.say('', false);
    changeControl(change).then(
      (control) => {
        if (control.run !== this.present?.run) this.say(`run ${control.run}`, false);
        this.show(control);
      },
      (error: unknown) => this.say((error as Error).message, true),
    );
  }

  private boxes(): HTMLInputElement[] {
    return [...this.faults.querySelectorAll('input')];
  }

  private say(text: string, bad: boolean): void {
    this.word.textContent = text;
    this.word.classList.toggle('bad', bad);
  }
}

function kindsOf(faults: Control['faults']): string {
  return (faults ?? [])
    .map(({ kind }) => kind)
    .toSorted()
    .join();
}

function labelled(text: string, control: HTMLElement): HTMLLabelElement {
  const label = document.createElement('label');
  control.setAttribute('aria-label', text); // else the words of all its choices would be its name
  label.append(text, control);
  return label;
}

function optionOf(text: string, value: string, title: string): HTMLOptionElement {
  const option = new Option(text, value);
  option.title = title;
  return option;
}
