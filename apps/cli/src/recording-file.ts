import { readFile } from 'node:fs/promises';
import { gunzip } from 'node:zlib';
import { promisify } from 'node:util';
import { UsageError } from './usage-error.ts';

const GZIP_MAGIC = 0x1f8b;

/** The text of a recording, unpacked if it is packed. @throws UsageError */
export async function recordingText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message.split(',', 1)[0];
    throw new UsageError(`recording ${path}: cannot be read: ${reason}; check the path`, { cause });
  }
  if (bytes.length < 2 || bytes.readUInt16BE(0) !== GZIP_MAGIC) return bytes.toString('utf8');
  try {
    return (await promisify(gunzip)(bytes)).toString('utf8');
  } catch (cause) {
    throw new UsageError(`recording ${path}: its gzip data is damaged (${(cause as Error).message}); fetch the file again`, { cause });
  }
}

/** Lines of `text`, one at a time. */
export function* lines(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    if (end === -1) {
      yield text.slice(from);
      return;
    }
    yield text.slice(from, end);
    from = end + 1;
  }
}
