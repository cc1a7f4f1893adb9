import type { Damage } from '@s2lab/events';
import { isDamage } from '@s2lab/events';
import type { BatchPlace } from '@s2lab/frame';
import { encodeFileEnd, LogFileError, readLogHeader, reasonOf } from '@s2lab/frame';
import { fileBytes, openLogFile } from './file-bytes.ts';
import { writeWhole } from './file-sink.ts';
import { scanLog } from './scan-log.ts';

/** What a repair found and did. */
export interface Repair {
  /** Whole frames, which the file now lists in its footer. */
  readonly frames: number;
  /** Bytes cut from the end because they are no whole frame. */
  readonly cutBytes: number;
  /** Everything that was not readable; damaged frames in the middle stay in the file, but its footer leaves them out. */
  readonly damages: readonly Damage[];
}

/**
 * Makes the log of a killed process a whole Arrow file: cuts the torn tail and writes the footer. A log that is whole stays as it is.
 * @throws LogFileError when the file is no log, ends within its header, or cannot be written.
 */
export async function repairLog(path: string): Promise<Repair> {
  const file = await openLogFile(path, 'r+');
  try {
    const header = await readLogHeader(fileBytes(file), path);
    if (header.content === undefined)
      throw new LogFileError(`log ${path}: it ends within its header, so there is nothing to repair; record again`);
    const places: BatchPlace[] = [];
    const damages: Damage[] = [];
    let end = header.content.firstFrame;
    for await (const { item, place } of scanLog(file, header)) {
      if (isDamage(item)) damages.push(item);
      else if (place !== undefined) places.push(place);
      if (place !== undefined) end = place.offset + place.metadataBytes + place.bodyBytes;
    }
    const cutBytes = (header.endMark ?? header.size) - end;
    if (header.endMark !== undefined && damages.length === 0) return { frames: places.length, cutBytes: 0, damages };
    await file.truncate(end);
    await writeWhole(file, encodeFileEnd(header.content.schema, places), end);
    await file.sync();
    return { frames: places.length, cutBytes, damages };
  } catch (cause) {
    throw cause instanceof LogFileError ? cause : new LogFileError(`log ${path}: cannot be repaired (${reasonOf(cause)})`, { cause });
  } finally {
    await file.close();
  }
}
