/** A table of all kinds of event with 1 at each of `kinds`. */
export function kindFlags(...kinds: readonly number[]): Readonly<Uint8Array> {
  const flags = new Uint8Array(256);
  for (const kind of kinds) flags[kind] = 1;
  return flags;
}
