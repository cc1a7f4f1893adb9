/** A fault that is injected, as the API takes it. */
interface Fault {
  readonly kind: string;
}

/** What is asked of the lab: `GET api/control`. */
export interface Control {
  readonly scenario: string;
  readonly policy: string | null;
  readonly seed: number;
  readonly faults: readonly Fault[] | null;
  readonly speed: number;
  readonly paused: boolean;
  readonly run: string;
}

/** What may be chosen: `GET api/control/options`. */
export interface ControlOptions {
  readonly policies: readonly { readonly name: string; readonly summary: string }[];
  readonly scenarios: readonly { readonly name: string; readonly description: string; readonly policies: readonly string[] }[];
  readonly faults: readonly { readonly kind: string; readonly title: string; readonly description: string; readonly preset: Fault }[];
}

/** What is asked of the lab now. @throws Error with the lab’s line */
export async function readControl(): Promise<Control> {
  return (await answerOf(await fetch('api/control'))) as Control;
}

/** What may be chosen. @throws Error with the lab’s line */
export async function readOptions(): Promise<ControlOptions> {
  return (await answerOf(await fetch('api/control/options'))) as ControlOptions;
}

/** Asks for a change. @returns what is asked of the lab then. @throws Error with the lab’s line why not */
export async function changeControl(change: Partial<Omit<Control, 'run'>>): Promise<Control> {
  const request = { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify(change) };
  return (await answerOf(await fetch('api/control', request))) as Control;
}

async function answerOf(response: Response): Promise<unknown> {
  const answer = (await response.json()) as { readonly error?: string };
  if (!response.ok) throw new Error(answer.error ?? `the lab answered ${response.status}`);
  return answer;
}
