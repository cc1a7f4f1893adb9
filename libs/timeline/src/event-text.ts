import type { FieldFormat, KindName, KindSpec, LabEvent } from '@s2lab/events';
import {
  ACCESS,
  DSB,
  FAULT,
  HINT,
  INJECTED,
  INVALIDATION,
  KINDS,
  LINK_CAUSE,
  LOCK,
  LOCK_MODE,
  OP,
  OPERATION,
  PHASE,
  REGISTER,
  RESULT,
  STORE_ORDER,
  TLBI,
  UNLINK_CAUSE,
  codeName,
} from '@s2lab/events';

type Codes = Readonly<Record<string, number>>;

/** Fields whose numbers have names. */
const CODED: Readonly<Partial<Record<KindName, Readonly<Record<string, Codes>>>>> = {
  'phase-began': { phase: PHASE },
  'fault-injected': { fault: INJECTED },
  'walk-began': { op: OP },
  'fault-taken': { fault: FAULT, access: ACCESS },
  'operation-began': { operation: OPERATION },
  'operation-ended': { operation: OPERATION },
  'table-linked': { cause: LINK_CAUSE },
  'table-unlinked': { cause: UNLINK_CAUSE },
  'lock-acquired': { lock: LOCK, mode: LOCK_MODE },
  'lock-released': { lock: LOCK, mode: LOCK_MODE },
  'lock-contended': { lock: LOCK, mode: LOCK_MODE },
  'tlbi-issued': { op: TLBI },
  'dsb-completed': { domain: DSB },
  'guest-accessed': { access: ACCESS },
  'guest-aborted': { access: ACCESS },
  'memory-written': { order: STORE_ORDER },
  'register-written': { register: REGISTER },
  'hint-given': { hint: HINT },
  'invalidation-issued': { op: INVALIDATION },
};

const FIELDS = new Map(
  Object.entries(KINDS).map(([kind, spec]: [string, KindSpec]) => [
    kind,
    Object.entries(spec.fields).map(([name, [, format]]) => [name, format] as const),
  ]),
);

/** What happened, without when and by whom: the kind and its fields, codes by their names. */
export function eventWords(event: LabEvent): string {
  const codes = CODED[event.kind];
  const fields = FIELDS.get(event.kind)!.map(
    ([name, format]) => `${name}=${fieldText((event as unknown as Record<string, number | string>)[name]!, format, codes?.[name])}`,
  );
  return [event.kind, ...fields].join(' ');
}

/** One event on one line: sequence number, machine, virtual time, who, what, and its fields. */
export function eventText(event: LabEvent): string {
  const walk = event.walk === 0 ? '' : ` walk ${event.walk}`;
  return `${String(event.seq).padStart(9)}  #${event.machine}  ${(event.at / 1000).toFixed(3).padStart(13)} µs  actor ${event.actor}${walk}  ${eventWords(event)}`;
}

function fieldText(value: number | string, format: FieldFormat, codes: Codes | undefined): string {
  if (typeof value === 'string') return value;
  if (codes !== undefined) return codeName(codes, value);
  if (format === 'address' || format === 'bytes') return `0x${value.toString(16)}`;
  return format === 'result' ? codeName(RESULT, value) : String(value);
}
