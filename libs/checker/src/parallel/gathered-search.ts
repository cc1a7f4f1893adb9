import { StateWords } from '@s2lab/engine';
import type { CanonicalForm } from '../full/canonical-form.ts';
import { InternedWords } from '../full/interned-words.ts';
import type { MachineStates } from '../full/machine-states.ts';
import { restoredVia, savedVia } from '../full/ways.ts';
import type { ShareLink } from './share-link.ts';
import type { StateTree } from './state-tree.ts';
import { hearKey, keyFingerprint, PieceTeller, rowFingerprint, tellKey } from './told-pieces.ts';
import type { PieceHearer } from './told-pieces.ts';

/*
 * The words of a saved search are those of one thread (`FullSearch.save`): what lies in shares is gathered into them and handed out again,
 * so that a search may go on in another number of threads than it was begun in.
 */

/** States that cross at a time. */
const AT_ONCE = 4096;
const NONE = new Int32Array(0);

/** What a search in shares knows outside of them. */
export interface SearchParts {
  readonly states: MachineStates;
  readonly form: CanonicalForm;
  readonly tree: StateTree;
}

/** What a saved search ends with. */
export interface SearchEnding {
  /** Lists of states: a stack, those whose turn it is, those whose turn comes later, those in which everybody is done. */
  readonly lists: readonly (readonly number[])[];
  /** States expanded breadth-first, steps, paths judged, preemptions seen. */
  readonly counts: readonly [head: number, transitions: number, judged: number, preemptionsSeen: number];
}

/** Everything that a search knows. */
export async function gatherSearch(
  links: readonly ShareLink[],
  hearers: readonly PieceHearer[],
  { states, form, tree }: SearchParts,
  { lists, counts }: SearchEnding,
): Promise<Int32Array> {
  const words = states.words + 1;
  const rows = new Uint32Array(tree.size * words);
  const seen = new InternedWords();
  const key = new StateWords();
  const from = new StateWords();
  for (const [owner, link] of links.entries()) {
    const count = tree.countOf(owner);
    for (let local = 0; local < count; local += AT_ONCE) {
      const to = Math.min(count, local + AT_ONCE);
      from.open(await link.tellStates(local, to));
      for (let n = local; n < to; n += 1) hearRow(states, from, hearers[owner]!, rows, tree.global(owner, n) * words);
    }
    const keys = await link.tellKeys();
    from.open(keys);
    while (from.length < keys.length) {
      hearKey(states, from, hearers[owner]!, key);
      seen.intern(key);
    }
  }
  const into = new StateWords();
  states.save(into);
  form.save(into);
  seen.save(into);
  into.put(tree.size);
  into.putAll(rows);
  for (let id = 0; id < tree.size; id += 1) {
    into.put(tree.parent(id));
    into.put(savedVia(tree.via(id), tree.isExpanded(id)));
  }
  for (const list of lists) {
    into.put(list.length);
    for (const id of list) into.put(id);
  }
  for (const count of counts) into.putWide(count);
  return into.copy();
}

function hearRow(states: MachineStates, from: StateWords, hearer: PieceHearer, rows: Uint32Array, at: number): void {
  for (let part = 0; part < states.words; part += 1) rows[at + part] = hearer.hear(part, from);
  rows[at + states.words] = from.get();
}

/**
 * Hands a saved search out to shares that have just begun.
 * @throws Error when it is of another machine, or the shares have no room for it
 */
export async function distributeSearch(
  words: Int32Array,
  links: readonly ShareLink[],
  { states, form, tree }: SearchParts,
): Promise<SearchEnding & { readonly bytes: number }> {
  const from = new StateWords();
  from.open(words);
  states.restore(from);
  form.restore(from);
  const seen = new InternedWords();
  seen.load(from, new StateWords());
  const tellers = links.map(() => new PieceTeller(states));
  const told = links.map(() => new StateWords());
  const size = from.get();
  const row = new Uint32Array(states.words + 1);
  const owners = new Uint8Array(size);
  for (let id = 0; id < size; id += 1) {
    from.getAll(row);
    const owner = rowFingerprint(states, row, 0) % links.length;
    owners[id] = owner;
    for (let part = 0; part < states.words; part += 1) tellers[owner]!.tell(part, row[part]!, told[owner]!);
    told[owner]!.put(row[states.words]!);
    if ((id + 1) % AT_ONCE === 0) await adopt(links, told, false);
  }
  await adopt(links, told, false);
  for (let id = 0; id < size; id += 1) {
    const parent = from.get();
    const { via, expanded } = restoredVia(from.get());
    // The first state is there already.
    if (id > 0) tree.add(owners[id]!, parent, via);
    tree.setExpanded(id, expanded);
  }
  for (const key of seen.pieces.slice(1)) {
    const owner = keyFingerprint(states, key) % links.length;
    tellKey(states, key, tellers[owner]!, told[owner]!);
  }
  const bytes = await adopt(links, told, true);
  const lists = Array.from({ length: 4 }, () => Array.from({ length: from.get() }, () => from.get()));
  return { lists, counts: [from.getWide(), from.getWide(), from.getWide(), from.getWide()], bytes };
}

/** Has the shares take over what they were told, states or keys. Returns the bytes that all take. */
async function adopt(links: readonly ShareLink[], told: readonly StateWords[], keys: boolean): Promise<number> {
  const bytes = await Promise.all(
    links.map((link, n) => (keys ? link.adopt(NONE.slice(), told[n]!.copy()) : link.adopt(told[n]!.copy(), NONE.slice()))),
  );
  if (bytes.some((each) => each < 0)) throw new RangeError('the saved search takes more memory than it may');
  for (const words of told) words.clear();
  return bytes.reduce((sum, each) => sum + each, 0);
}
