/** Where a reader stands in a log: what a link to it says after `#`. */
export interface LogAddress {
  readonly machine: number | undefined;
  readonly run: string | undefined;
  readonly seq: number | undefined;
  readonly slot: { readonly table: number; readonly slot: number } | undefined;
  /** Actor whose steps are followed. */
  readonly actor: number | undefined;
  /** Position in the list of violations. */
  readonly violation: number | undefined;
}

/** Words of a link that only this view has. */
export const ADDRESS_WORDS = ['seq', 'machine', 'slot', 'violation'];

/** Reads a link; what is no such thing is left out. */
export function readAddress(words: URLSearchParams): LogAddress {
  const slot = /^(\d{1,9})\/(\d{1,5})$/.exec(words.get('slot') ?? '');
  return {
    machine: numberOf(words.get('machine')),
    run: words.get('run') ?? undefined,
    seq: numberOf(words.get('seq')),
    slot: slot === null ? undefined : { table: Number(slot[1]), slot: Number(slot[2]) },
    actor: numberOf(words.get('actor')),
    violation: numberOf(words.get('violation')),
  };
}

/** The link to a place, as `#machine=0&seq=41250`. */
export function writeAddress({ machine, run, seq, slot, actor, violation }: LogAddress): string {
  const words = new URLSearchParams();
  if (run !== undefined) words.set('run', run);
  if (machine !== undefined) words.set('machine', String(machine));
  if (seq !== undefined) words.set('seq', String(seq));
  if (actor !== undefined) words.set('actor', String(actor));
  if (violation !== undefined) words.set('violation', String(violation));
  const slotText = slot === undefined ? '' : `&slot=${slot.table}/${slot.slot}`;
  return `#${words.toString()}${slotText}`;
}

function numberOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
