import { closeSync, openSync, writeSync } from 'node:fs';
import { once } from 'node:events';

/** Whoever reads our output may stop early (`s2lab replay … | head`): that ends the program without a word. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
      throw error;
    });
  }
}

/** Writes a line to standard output. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes `value` as JSON to standard output, one document, readable by people too. */
export function sayJson(value: unknown): void {
  say(JSON.stringify(value, null, 2));
}

/** Writes a line to standard error: warnings and what goes on. */
export function tell(line: string): void {
  process.stderr.write(`s2lab: ${line}\n`);
}

/** Where lines of an export go: standard output, which waits for its reader, or a new file. */
export interface LineWriter {
  write(line: string): Promise<void>;
  close(): Promise<void>;
}

const CHUNK = 64 * 1024;

/** Lines to standard output, in chunks; waits when the reader is slow. */
export function standardOutput(): LineWriter {
  let chunk = '';
  const flush = async (): Promise<void> => {
    const text = chunk;
    chunk = '';
    if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
  };
  return {
    write: async (line) => {
      chunk += `${line}\n`;
      if (chunk.length > CHUNK) await flush();
    },
    close: flush,
  };
}

/** Lines to a new file. @throws the operating system’s error when it exists (unless `overwrite`) or cannot be made */
export function newFile(path: string, overwrite: boolean): LineWriter {
  const file = openSync(path, overwrite ? 'w' : 'wx');
  let chunk = '';
  const flush = (): void => {
    writeSync(file, chunk);
    chunk = '';
  };
  return {
    write: async (line) => {
      chunk += `${line}\n`;
      if (chunk.length > CHUNK) flush();
    },
    close: async () => {
      flush();
      closeSync(file);
    },
  };
}
