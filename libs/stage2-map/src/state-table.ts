import type { LevelJson, Stage2StateJson } from './state-json.ts';

/** Columns of a state as one table, in order. `level` and those of `LevelJson`. */
export const TABLE_COLUMNS = ['level', 'ipa', 'count', 'table', 'slot', 'state', 'lo', 'hi', 'merged', 'share'] as const;

/** Name of a column. */
export type TableColumn = (typeof TABLE_COLUMNS)[number];

/** All of a state but its runs. */
export type StateHead = Omit<Stage2StateJson, 'levels'>;

/** A state as one table of runs and a head: the form in which tools for tables (Grafana's data frames) carry it. */
export interface StateTable {
  readonly head: StateHead;
  readonly columns: Readonly<Record<TableColumn, readonly number[]>>;
}

/** The table of a state: its runs, level by level. */
export function stateToTable(json: Stage2StateJson): StateTable {
  const { levels, ...head } = json;
  const column = (name: TableColumn): number[] =>
    levels.flatMap((runs) => (name === 'level' ? runs.ipa.map(() => runs.level) : [...runs[name]]));
  const columns = Object.fromEntries(TABLE_COLUMNS.map((name) => [name, column(name)])) as Record<TableColumn, number[]>;
  return { head, columns };
}

/** The state that `stateToTable` was given. */
export function stateFromTable({ head, columns }: StateTable): Stage2StateJson {
  const levels: LevelJson[] = [];
  for (let level = head.top; level <= head.bottom; level += 1) {
    const rows = [...columns.level.keys()].filter((row) => columns.level[row] === level);
    const column = (name: TableColumn): number[] => rows.map((row) => columns[name][row]!);
    levels.push({
      level,
      ipa: column('ipa'),
      count: column('count'),
      table: column('table'),
      slot: column('slot'),
      state: column('state'),
      lo: column('lo'),
      hi: column('hi'),
      merged: column('merged'),
      share: column('share'),
    });
  }
  return { ...head, levels };
}
