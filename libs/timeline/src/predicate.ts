import type { ColumnName, EventRows, FieldFormat, KindSpec } from '@s2lab/events';
import { COLUMNS, KINDS, wide } from '@s2lab/events';
import { TimelineError } from './machine-view.ts';

/** Whether row `i`, which is event `seq`, is what was asked for. */
export type RowPredicate = (rows: EventRows, i: number, seq: number) => boolean;

type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';

const CLAUSE = /^([a-zA-Z]+\d?)(!=|<=|>=|=|<|>)(\S+)$/;
const EXAMPLE = 'such as kind=table-freed table=7';

/**
 * Compiles clauses `field=value`, separated by blanks, all of which must hold. Fields are the columns of an event, `seq`, and, together
 * with `kind=…`, the fields of that kind; comparisons are = != < <= > >=; values are decimal or 0x… numbers, results may be negative.
 * Descriptors (64 bits) compare with = and != only.
 * @throws TimelineError saying which clause is wrong and why.
 */
export function compilePredicate(text: string): RowPredicate {
  const clauses = text.split(/\s+/).filter((clause) => clause !== '');
  if (clauses.length === 0) throw new TimelineError(`an empty predicate: give clauses, ${EXAMPLE}`);
  const parts = clauses.map((clause) => {
    const match = CLAUSE.exec(clause);
    if (match === null) throw new TimelineError(`'${clause}' is no clause: give field=value, ${EXAMPLE}`);
    return { clause, field: match[1]!, comparison: match[2] as Comparison, value: match[3]! };
  });
  const kind = parts.find(({ field, comparison }) => field === 'kind' && comparison === '=')?.value;
  const checks = parts.map((part) => compileClause(part.clause, part.field, part.comparison, part.value, kind));
  return (rows, i, seq) => {
    for (let k = 0; k < checks.length; k += 1) if (!checks[k]!(rows, i, seq)) return false;
    return true;
  };
}

function compileClause(clause: string, field: string, comparison: Comparison, value: string, kind: string | undefined): RowPredicate {
  if (field === 'kind') return kindClause(clause, comparison, value);
  if (field === 'seq') {
    const number = numberOf(clause, value);
    return (_rows, _i, seq) => holds(seq, comparison, number);
  }
  const spec: KindSpec | undefined = kind !== undefined && kind in KINDS ? KINDS[kind as keyof typeof KINDS] : undefined;
  const [name, format] = spec?.fields[field] ?? columnField(clause, field, kind);
  if (format === 'descriptor') return descriptorClause(clause, name, comparison, value);
  const number = numberOf(clause, value);
  const isWide = COLUMNS.find((column) => column.name === name)!.type === 'u64';
  if (isWide) return (rows, i) => holds(wide(rows[name] as Uint32Array, i), comparison, number);
  if (format === 'result') return (rows, i) => holds(rows[name][i]! | 0, comparison, number);
  return (rows, i) => holds(rows[name][i]!, comparison, number);
}

function kindClause(clause: string, comparison: Comparison, value: string): RowPredicate {
  if (!(value in KINDS)) throw new TimelineError(`'${clause}': there is no kind ${value}; docs/EVENTS.md lists them`);
  if (comparison !== '=' && comparison !== '!=') throw new TimelineError(`'${clause}': a kind compares with = and != only`);
  const { code } = KINDS[value as keyof typeof KINDS];
  return (rows, i) => (rows.kind[i] === code) === (comparison === '=');
}

function columnField(clause: string, field: string, kind: string | undefined): readonly [ColumnName, FieldFormat] {
  const column = COLUMNS.find(({ name }) => name === field);
  if (column !== undefined) return [column.name, column.name === 'old' || column.name === 'new' ? 'descriptor' : 'count'];
  const where =
    kind === undefined ? 'no column of an event; name the kind too (kind=…) for a field of its own' : `no column and no field of ${kind}`;
  throw new TimelineError(`'${clause}': ${field} is ${where}`);
}

function descriptorClause(clause: string, name: ColumnName, comparison: Comparison, value: string): RowPredicate {
  if (comparison !== '=' && comparison !== '!=') throw new TimelineError(`'${clause}': a descriptor compares with = and != only`);
  if (!/^(\d{1,20}|0x[0-9a-fA-F]{1,16})$/.test(value)) throw new TimelineError(`'${clause}': ${value} is no 64-bit number`);
  const bits = BigInt(value);
  const halves = { lo: Number(bits & 0xffff_ffffn), hi: Number(bits >> 32n) };
  return (rows, i) => {
    const column = rows[name] as Uint32Array;
    return (column[2 * i] === halves.lo && column[2 * i + 1] === halves.hi) === (comparison === '=');
  };
}

function numberOf(clause: string, value: string): number {
  if (!/^(-?\d+|0x[0-9a-fA-F]+)$/.test(value)) throw new TimelineError(`'${clause}': ${value} is no number (decimal or 0x…)`);
  return Number(value);
}

function holds(found: number, comparison: Comparison, wanted: number): boolean {
  switch (comparison) {
    case '=':
      return found === wanted;
    case '!=':
      return found !== wanted;
    case '<':
      return found < wanted;
    case '<=':
      return found <= wanted;
    case '>':
      return found > wanted;
    case '>=':
      return found >= wanted;
    default: {
      const never: never = comparison;
      throw new TypeError(`comparison ${String(never)}`);
    }
  }
}
