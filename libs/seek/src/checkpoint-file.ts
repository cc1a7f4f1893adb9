import { rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, rename } from 'node:fs/promises';
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { MachineView } from '@s2lab/timeline';
import { captureView, restoreView } from '@s2lab/timeline';

/** Version of the file and of what a snapshot holds; another one is built anew. */
const VERSION = 2;
const MAGIC = Buffer.from('s2labck\n');
/** After the index: its length, its CRC-32, the magic. */
const TAIL_BYTES = 8 + MAGIC.byteLength;

/** Which log a checkpoint file belongs to. */
export interface LogIdentity {
  readonly size: number;
  readonly checksum: string;
}

/** One checkpoint: the view of a machine before event `nextSeq`. */
export interface CheckpointPlace {
  readonly run: string;
  readonly machine: number;
  readonly nextSeq: number;
  readonly offset: number;
  readonly bytes: number;
  readonly crc: number;
}

interface Index {
  readonly version: number;
  readonly log: LogIdentity;
  readonly places: readonly CheckpointPlace[];
}

/** Path of the checkpoints of the log at `path`. */
export function checkpointPath(path: string): string {
  return `${path}.checkpoints`;
}

/** A view as it is kept: head and arrays, compressed together. */
export function packView(view: MachineView): Buffer {
  const { head, body } = captureView(view);
  const text = Buffer.from(head);
  const all = Buffer.allocUnsafe(4 + text.byteLength + body.byteLength);
  all.writeUInt32LE(text.byteLength, 0);
  all.set(text, 4);
  all.set(body, 4 + text.byteLength);
  return zstdCompressSync(all);
}

function unpackView(packed: Uint8Array): MachineView {
  const all = zstdDecompressSync(packed);
  const bodyAt = 4 + all.readUInt32LE(0);
  return restoreView({ head: all.toString('utf8', 4, bodyAt), body: all.subarray(bodyAt) });
}

/** Writes checkpoints beside a log; the file appears under its name only when it is whole. */
export class CheckpointWriter {
  private readonly file: FileHandle;
  private readonly path: string;
  private readonly partial: string;
  private readonly places: CheckpointPlace[] = [];
  private offset = MAGIC.byteLength;

  private constructor(file: FileHandle, path: string, partial: string) {
    this.file = file;
    this.path = path;
    this.partial = partial;
  }

  /** @throws the operating system's error when the file cannot be made */
  static async create(path: string): Promise<CheckpointWriter> {
    const partial = `${path}.${process.pid}.part`;
    const file = await open(partial, 'w');
    await file.write(MAGIC, 0, MAGIC.byteLength, 0);
    return new CheckpointWriter(file, path, partial);
  }

  get byteCount(): number {
    return this.offset;
  }

  get count(): number {
    return this.places.length;
  }

  /** Adds a packed view of `machine`, whose next event is `nextSeq`. */
  async add(run: string, machine: number, nextSeq: number, packed: Buffer): Promise<void> {
    await this.file.write(packed, 0, packed.byteLength, this.offset);
    this.places.push({ run, machine, nextSeq, offset: this.offset, bytes: packed.byteLength, crc: crc32(packed) });
    this.offset += packed.byteLength;
  }

  /** Completes the file for the log that `log` identifies and gives it its name. */
  async close(log: LogIdentity): Promise<void> {
    const index = Buffer.from(JSON.stringify({ version: VERSION, log, places: this.places } satisfies Index));
    const tail = Buffer.alloc(TAIL_BYTES);
    tail.writeUInt32LE(index.byteLength, 0);
    tail.writeUInt32LE(crc32(index), 4);
    MAGIC.copy(tail, 8);
    await this.file.write(Buffer.concat([index, tail]), 0, index.byteLength + TAIL_BYTES, this.offset);
    this.offset += index.byteLength + TAIL_BYTES;
    await this.file.close();
    await rename(this.partial, this.path);
  }

  /** Leaves nothing behind. */
  async abandon(): Promise<void> {
    await this.file.close();
    rmSync(this.partial, { force: true });
  }
}

/** Why there are no usable checkpoints: no file yet, or one that does not fit the log. */
export interface NoCheckpoints {
  readonly missing: boolean;
  readonly because: string;
}

/** Checkpoints of one log, for reading. Nothing in the file is trusted: what does not fit is told, and then built anew. */
export class CheckpointFile {
  readonly places: readonly CheckpointPlace[];
  readonly byteCount: number;
  private readonly file: FileHandle;

  private constructor(file: FileHandle, places: readonly CheckpointPlace[], byteCount: number) {
    this.file = file;
    this.places = places;
    this.byteCount = byteCount;
  }

  /** Opens the checkpoints at `path`, if they are those of `log`. */
  static async open(path: string, log: LogIdentity): Promise<CheckpointFile | NoCheckpoints> {
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      return { missing, because: missing ? 'there are none' : (error as Error).message };
    }
    const { size } = await file.stat();
    const index = await readIndex(file, size);
    const because =
      index === undefined
        ? 'the file is damaged'
        : index.version !== VERSION
          ? `they have version ${index.version}, this program makes ${VERSION}`
          : index.log.size !== log.size || index.log.checksum !== log.checksum
            ? 'the log has changed since'
            : undefined;
    if (because === undefined) return new CheckpointFile(file, index!.places, size);
    await file.close();
    return { missing: false, because };
  }

  /** The view at a checkpoint; undefined when its bytes are damaged or of another program's making. */
  async read(place: CheckpointPlace): Promise<MachineView | undefined> {
    const packed = Buffer.allocUnsafe(place.bytes);
    const { bytesRead } = await this.file.read(packed, 0, place.bytes, place.offset);
    if (bytesRead !== place.bytes || crc32(packed) !== place.crc) return undefined;
    try {
      return unpackView(packed);
    } catch {
      return undefined; // whole, but the engine's world has other fields now
    }
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

async function readIndex(file: FileHandle, size: number): Promise<Index | undefined> {
  if (size < MAGIC.byteLength + TAIL_BYTES) return undefined;
  const tail = Buffer.alloc(TAIL_BYTES);
  await file.read(tail, 0, TAIL_BYTES, size - TAIL_BYTES);
  const bytes = tail.readUInt32LE(0);
  if (!tail.subarray(8).equals(MAGIC) || bytes > size - TAIL_BYTES) return undefined;
  const index = Buffer.alloc(bytes);
  await file.read(index, 0, bytes, size - TAIL_BYTES - bytes);
  return crc32(index) === tail.readUInt32LE(4) ? (JSON.parse(index.toString()) as Index) : undefined;
}
