import type { FileHandle } from 'node:fs/promises';

/** Bytes asked from the operating system at once. */
const CHUNK_BYTES = 1 << 20;

/**
 * Reads a file forward through one window of memory, which grows only as far as the largest piece that is asked for.
 * What `peek` returns stays valid until the next `require`.
 */
export class ForwardReader {
  private readonly file: FileHandle;
  private window: Uint8Array<ArrayBuffer> = Buffer.allocUnsafeSlow(2 * CHUNK_BYTES);
  private from = 0;
  private to = 0;
  /** File offset of the next byte to be read by the caller. */
  offset: number;

  constructor(file: FileHandle, offset: number) {
    this.file = file;
    this.offset = offset;
  }

  /** Makes `count` bytes available, or as many as the file still has; returns how many there are, at most `count`. */
  async require(count: number): Promise<number> {
    if (this.to - this.from >= count) return count;
    if (this.from + count > this.window.byteLength) this.makeRoom(count);
    while (this.to - this.from < count) {
      const wanted = Math.min(this.window.byteLength - this.to, Math.max(CHUNK_BYTES, count));
      const { bytesRead } = await this.file.read(this.window, this.to, wanted, this.offset + (this.to - this.from));
      if (bytesRead === 0) return this.to - this.from;
      this.to += bytesRead;
    }
    return count;
  }

  /** The next `count` bytes, which were required before, as a view. */
  peek(count: number): Uint8Array {
    return this.window.subarray(this.from, this.from + count);
  }

  /** Goes on after the next `count` bytes. */
  skip(count: number): void {
    this.from += count;
    this.offset += count;
  }

  private makeRoom(count: number): void {
    const target = count > this.window.byteLength ? new Uint8Array(count + CHUNK_BYTES) : this.window;
    if (target === this.window) target.copyWithin(0, this.from, this.to);
    else target.set(this.window.subarray(this.from, this.to));
    this.window = target;
    this.to -= this.from;
    this.from = 0;
  }
}
