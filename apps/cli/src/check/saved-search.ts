import { readFile, rename, writeFile } from 'node:fs/promises';
import { UsageError } from '../usage-error.ts';

/** First field of a saved search. */
const MARK = 's2lab search 1';

interface Head {
  readonly mark: string;
  readonly identity: string;
  readonly words: number;
  readonly sum: number;
}

/** Writes a search that has not ended: a line of JSON, then its words. The file appears whole or not at all. */
export async function writeSearch(path: string, identity: string, words: Int32Array): Promise<void> {
  const head: Head = { mark: MARK, identity, words: words.length, sum: sumOf(words) };
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  await writeFile(`${path}.part`, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]));
  await rename(`${path}.part`, path);
}

/**
 * Reads a search that was saved.
 * @throws UsageError when the file is none, is damaged, or is of another search
 */
export async function readSearch(path: string, identity: string): Promise<Int32Array> {
  const bytes = await readFile(path);
  const end = bytes.indexOf(10);
  const head = headOf(bytes.subarray(0, Math.max(0, end)).toString('utf8'));
  if (head === undefined) throw new UsageError(`${path} is no saved search of this version of s2lab check`);
  if (head.identity !== identity)
    throw new UsageError(`${path} is a search of ${head.identity}, not of ${identity}: give the options it was begun with`);
  const body = bytes.subarray(end + 1);
  const words = new Int32Array(Math.floor(body.length / 4));
  new Uint8Array(words.buffer).set(body.subarray(0, words.byteLength));
  if (body.length !== 4 * head.words || sumOf(words) !== head.sum) throw new UsageError(`${path} is damaged: begin the search anew`);
  return words;
}

function headOf(line: string): Head | undefined {
  try {
    const head = JSON.parse(line) as Partial<Head>;
    return head.mark === MARK ? (head as Head) : undefined;
  } catch {
    return undefined;
  }
}

/** FNV-1a over the words. */
function sumOf(words: Int32Array): number {
  let sum = 0x811c_9dc5;
  for (let i = 0; i < words.length; i += 1) sum = Math.imul(sum ^ words[i]!, 0x0100_0193);
  return sum >>> 0;
}
