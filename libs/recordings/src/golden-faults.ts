import { ACCESS, FAULT, K } from '@s2lab/events';
import type { EventWriter } from './event-writer.ts';
import type { GoldenLine } from './golden-line.ts';
import { RecordingError } from './golden-line.ts';

/** An operation between its `op` and its `ret` line. */
export interface Running {
  readonly name: string;
  readonly kind: 'walk' | 'operation' | 'access' | 'silent';
  readonly code: number;
  readonly walk: number;
  readonly ipa: number;
  readonly access: number;
  mappingBytes: number;
}

const FAULTS: Readonly<Record<string, number>> = { trans: FAULT.translation, perm: FAULT.permission, af: FAULT.accessFlag };

/** Writes the fault of the access that is running. */
export function faultTaken(writer: EventWriter, line: GoldenLine, running: Running | undefined): void {
  if (running === undefined) throw new RecordingError(line.number, 'a fault outside an access');
  const fault = FAULTS[line.text('k')];
  if (fault === undefined) throw line.wrong('k', 'trans, perm or af');
  const access = running.access === 0 ? ACCESS.read : running.access;
  writer.emit(K.faultTaken, line.whole('l', -1, 3), 0, 0, 0, 0, 0, 0, running.ipa, fault, access);
}

/** Writes the end of the handler of the fault. */
export function faultHandled(writer: EventWriter, line: GoldenLine, running: Running | undefined): void {
  if (running === undefined) throw new RecordingError(line.number, 'a handled fault outside an access');
  const result = line.whole('r', -4096, 2 ** 31 - 1);
  const bytes = running.mappingBytes;
  writer.emit(K.faultHandled, 0, 0, 0, bytes, Math.floor(bytes / 2 ** 32), 0, 0, running.ipa, result >>> 0, 0);
}
