import { rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, rename } from 'node:fs/promises';
import { crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { MachineView } from '@s2lab/timeline';
import type { CheckpointPlace, CheckpointStore, PackedView, SurveyRecord } from '@s2lab/survey';
import { viewFromBytes, viewToBytes } from '@s2lab/survey';

/** Version of the file and of what a snapshot holds; another one is built anew. */
const VERSION = 6;
const MAGIC = Buffer.from('s2labck\n');
/** Share of the log's bytes that verdict and overviews may take. */
const SURVEY_SHARE = 0.009;
/** After the index: its length, its CRC-32, the magic. */
const TAIL_BYTES = 8 + MAGIC.byteLength;

/** Which log a checkpoint file belongs to. */
interface LogIdentity {
  readonly size: number;
  readonly checksum: string;
}

/** Where a block of the file is. */
interface Block {
  readonly offset: number;
  readonly bytes: number;
  readonly crc: number;
}

/** One checkpoint of the file. */
interface StoredPlace extends CheckpointPlace, Block {}

interface Index {
  readonly version: number;
  readonly log: LogIdentity;
  readonly places: readonly StoredPlace[];
  /** Verdict and overviews, as compressed JSON; null where they would take too much beside so small a log. */
  readonly survey: Block | null;
}

/** Path of the checkpoints of the log at `path`. */
export function checkpointPath(path: string): string {
  return `${path}.checkpoints`;
}

/** Views compressed with zstd. */
export const ZSTD_VIEWS: PackedView = {
  pack: async (bytes) => new Uint8Array(zstdCompressSync(bytes)),
  unpack: async (bytes) => zstdDecompressSync(bytes),
};

/** Writers that this process has made. */
let writers = 0;

/** Writes checkpoints beside a log; the file appears under its name only when it is whole. What was written can be read at once. */
export class CheckpointWriter implements CheckpointStore {
  readonly places: StoredPlace[] = [];
  private readonly file: FileHandle;
  private readonly path: string;
  private readonly partial: string;
  private offset = MAGIC.byteLength;

  private constructor(file: FileHandle, path: string, partial: string) {
    this.file = file;
    this.path = path;
    this.partial = partial;
  }

  /** @throws the operating system's error when the file cannot be made */
  static async create(path: string): Promise<CheckpointWriter> {
    writers += 1; // two may write for one log at once
    const partial = `${path}.${process.pid}-${writers}.part`;
    const file = await open(partial, 'w+');
    await file.write(MAGIC, 0, MAGIC.byteLength, 0);
    return new CheckpointWriter(file, path, partial);
  }

  get byteCount(): number {
    return this.offset;
  }

  async add(run: string, machine: number, view: MachineView, room: number): Promise<number> {
    const { nextSeq } = view;
    const packed = zstdCompressSync(viewToBytes(view));
    if (packed.byteLength <= room) this.places.push({ run, machine, nextSeq, ...(await this.write(packed)) });
    return packed.byteLength;
  }

  read(place: CheckpointPlace): Promise<MachineView | undefined> {
    return readView(this.file, place as StoredPlace);
  }

  /** Completes the file for the log that `log` identifies and gives it its name. */
  async close(log: LogIdentity, record: SurveyRecord): Promise<void> {
    const packed = zstdCompressSync(JSON.stringify(record));
    const survey = packed.byteLength <= SURVEY_SHARE * log.size ? await this.write(packed) : null;
    const { size, checksum } = log;
    const index = Buffer.from(JSON.stringify({ version: VERSION, log: { size, checksum }, places: this.places, survey } satisfies Index));
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

  private async write(packed: Buffer): Promise<Block> {
    const block = { offset: this.offset, bytes: packed.byteLength, crc: crc32(packed) };
    await this.file.write(packed, 0, packed.byteLength, this.offset);
    this.offset += packed.byteLength;
    return block;
  }
}

/** Why there are no usable checkpoints: no file yet, or one that does not fit the log. */
export interface NoCheckpoints {
  readonly missing: boolean;
  readonly because: string;
}

/** Checkpoints of one log, for reading. Nothing in the file is trusted: what does not fit is told, and then built anew. */
export class CheckpointFile implements CheckpointStore {
  readonly places: readonly StoredPlace[];
  private readonly record: Block | null;
  private readonly file: FileHandle;

  private constructor(file: FileHandle, { places, survey }: Index) {
    this.file = file;
    this.places = places;
    this.record = survey;
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
    if (because === undefined) return new CheckpointFile(file, index!);
    await file.close();
    return { missing: false, because };
  }

  /** A whole file takes no more. */
  add(): Promise<number> {
    return Promise.resolve(Infinity);
  }

  read(place: CheckpointPlace): Promise<MachineView | undefined> {
    return readView(this.file, place as StoredPlace);
  }

  /** Verdict and overviews of the log; undefined when they are not kept or damaged. */
  async survey(): Promise<SurveyRecord | undefined> {
    if (this.record === null) return undefined;
    const packed = await readBlock(this.file, this.record);
    return packed === undefined ? undefined : (JSON.parse(zstdDecompressSync(packed).toString()) as SurveyRecord);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

async function readBlock(file: FileHandle, block: Block): Promise<Buffer | undefined> {
  const packed = Buffer.allocUnsafe(block.bytes);
  const { bytesRead } = await file.read(packed, 0, block.bytes, block.offset);
  return bytesRead === block.bytes && crc32(packed) === block.crc ? packed : undefined;
}

/** The view in a block; undefined when its bytes are damaged or of another program's making. */
async function readView(file: FileHandle, block: Block): Promise<MachineView | undefined> {
  const packed = await readBlock(file, block);
  if (packed === undefined) return undefined;
  try {
    return viewFromBytes(zstdDecompressSync(packed));
  } catch {
    return undefined; // whole, but the engine's world has other fields now
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
