import type { DataFrame } from '@grafana/data';
import type { StateHead, Stage2State, TableColumn } from '@s2lab/stage2-map';
import { stateFromJson, stateFromTable, TABLE_COLUMNS } from '@s2lab/stage2-map';

/** A state as it came with a data frame. */
export interface ReceivedState {
  /** Name of the query that it answers. */
  readonly refId: string;
  readonly state: Stage2State;
  /** Wall time at which it was received, ms since 1970. */
  readonly timeMs: number;
  /** Address of the explorer's page; empty when the data source names none. */
  readonly explorerUrl: string;
}

/** What the data source puts beside the columns of a frame (`meta.custom`). */
interface FrameCustom {
  readonly stage2?: StateHead;
  readonly timeMs?: number;
  readonly explorerUrl?: string;
}

/**
 * The stage-2 state that a frame carries; undefined for a frame of another kind.
 * @throws Error for a state of a version that this panel does not read
 */
export function stateOfFrame(frame: DataFrame): ReceivedState | undefined {
  const { stage2: head, timeMs, explorerUrl } = (frame.meta?.custom ?? {}) as FrameCustom;
  if (head === undefined || timeMs === undefined) return undefined;
  const columns = Object.fromEntries(
    TABLE_COLUMNS.map((name) => [name, frame.fields.find((field) => field.name === name)?.values ?? []]),
  ) as Record<TableColumn, readonly number[]>;
  return { refId: frame.refId ?? '', state: stateFromJson(stateFromTable({ head, columns })), timeMs, explorerUrl: explorerUrl ?? '' };
}
