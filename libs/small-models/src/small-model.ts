import type { Field, Model, ProcessFields, Role, StateFields } from './model.ts';

/** Entry value: a collapse is at work. 0 is invalid. */
export const LOCKED = 1;
/** Entry value: a block. */
export const BLOCK = 2;
/** Entry values from here on are tables. */
export const TABLE = 3;

/** Page state: freed. 1 is live: states above 0 are also the generations of an entry's table, so `use` compares the two. */
export const FREED = 0;
/** Page state: live again. */
export const REUSED = 2;

/** Program counter of a process at its end. */
const DONE = 0;

/** Offset among a process's own fields: program counter. */
export const PC = 0;
/** Offset among a process's own fields: the entry that it is at. */
export const I = 1;
/** Offset among a process's own fields: the table entry that it read there, 0 when it holds none. */
export const SEEN = 2;
/** Offset among a process's own fields: a count of pages or walkers looked at, or of retries. */
export const V = 3;
const OWN_FIELDS = 4;

/** How many walkers, collapsers, entries of the top table, and mappers. */
export interface Bounds {
  readonly walkers: number;
  readonly collapsers: number;
  readonly entries: number;
  readonly mappers: number;
}

/** One location family: `count` locations called `name[n]`, all starting alike unless `initial` says otherwise. */
export interface Family {
  readonly name: string;
  readonly count: number;
  readonly max: number;
  readonly initial: (index: number) => number;
}

/** The program of one role: what each step does in words, by program counter (1 is the first), and which families it reads and writes. */
export interface Program {
  readonly labels: readonly (readonly [label: string, words: string])[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Greatest value of the field `V`; 0: not used. */
  readonly countMax: number;
}

/** What one scenario is made of. */
export interface Parts {
  readonly bounds: Bounds;
  readonly families: readonly Family[];
  readonly programs: Readonly<Record<Role, Program>>;
  /** Roles whose processes nobody tells apart. */
  readonly interchangeable: readonly Role[];
}

/** The program of a role that a scenario does not have. */
export const NO_PROGRAM: Program = { labels: [], reads: [], writes: [], countMax: 0 };

/** Value of an entry that links page `page` in generation `generation` (1 or 2). */
export function tableEntry(page: number, generation: number): number {
  return TABLE + 2 * page + (generation - 1);
}

/** Page that a table entry links. */
export function pageOf(entry: number): number {
  return (entry - TABLE) >> 1;
}

/** Generation of the page when it was linked: 1 or 2. */
function generationOf(entry: number): number {
  return ((entry - TABLE) & 1) + 1;
}

/** The families that every scenario has: entries `E`, page states `S`, TLB markers `T`. */
export function baseFamilies({ entries }: Bounds): Family[] {
  return [
    { name: 'E', count: entries, max: tableEntry(entries - 1, 2), initial: (i) => tableEntry(i, 1) },
    { name: 'S', count: entries, max: REUSED, initial: () => 1 },
    { name: 'T', count: entries, max: 1, initial: () => 1 },
  ];
}

/** Common ground of the small scenarios: the fields, accesses to shared memory, `use`, `free` and `next`. */
export abstract class SmallModel implements Model {
  readonly fields: StateFields;
  readonly state: Uint8Array;
  reads = 0;
  writes = 0;
  readonly neverRead: number;
  readonly identical: readonly (readonly number[])[];
  /** First location of entries, page states, TLB markers. */
  protected readonly E = 0;
  protected readonly S: number;
  protected readonly T: number;
  protected readonly bounds: Bounds;
  private readonly programs: readonly Program[];
  private readonly ownBase: number;
  private readonly starts: ReadonlyMap<string, number>;
  /** By process and entry: what it may read and write from there on. */
  private readonly future: readonly (readonly { readonly reads: number; readonly writes: number }[])[];

  constructor({ bounds, families, programs, interchangeable }: Parts) {
    this.bounds = bounds;
    const shared: Field[] = [];
    const starts = new Map<string, number>();
    for (const { name, count, max, initial } of families) {
      starts.set(name, shared.length);
      for (let n = 0; n < count; n += 1)
        shared.push({ name: count === 1 && name === 'L' ? name : `${name}[${n}]`, max, initial: initial(n) });
    }
    if (shared.length > 31) throw new RangeError(`${shared.length} shared locations: at most 31 fit; choose fewer entries or walkers`);
    this.starts = starts;
    this.S = this.start('S');
    this.T = this.start('T');
    this.neverRead = mask(this.T, bounds.entries);
    const roles: Role[] = [
      ...Array<Role>(bounds.walkers).fill('walker'),
      ...Array<Role>(bounds.collapsers).fill('collapser'),
      ...Array<Role>(bounds.mappers).fill('mapper'),
    ];
    const processes = roles.map((role, p) => ({ role, index: p - roles.indexOf(role), fields: ownFields(bounds, programs[role]) }));
    this.fields = { shared, processes };
    this.programs = roles.map((role) => programs[role]);
    this.ownBase = shared.length;
    this.identical = interchangeable.map((role) => roles.flatMap((r, p) => (r === role ? [p] : []))).filter((group) => group.length > 1);
    this.future = this.futures(families, processes);
    this.state = Uint8Array.from([...shared, ...processes.flatMap(({ fields }) => fields)], ({ initial }) => initial);
  }

  abstract enabled(process: number): boolean;
  abstract step(process: number): boolean;

  done(process: number): boolean {
    return this.state[this.own(process) + PC] === DONE;
  }

  mayRead(process: number): number {
    const own = this.own(process);
    return this.state[own + PC] === DONE ? 0 : this.future[process]![this.state[own + I]!]!.reads;
  }

  mayWrite(process: number): number {
    const own = this.own(process);
    return this.state[own + PC] === DONE ? 0 : this.future[process]![this.state[own + I]!]!.writes;
  }

  words(process: number): string {
    const pc = this.state[this.own(process) + PC]!;
    return pc === DONE ? 'is done' : this.programs[process]!.labels[pc - 1]!.join(' ');
  }

  /** First location of a family. */
  protected start(name: string): number {
    return this.starts.get(name)!;
  }

  /** Where a process's own fields begin in `state`. */
  protected own(process: number): number {
    return this.ownBase + OWN_FIELDS * process;
  }

  protected load(location: number): number {
    this.reads |= 1 << location;
    return this.state[location]!;
  }

  protected store(location: number, value: number): void {
    this.writes |= 1 << location;
    this.state[location] = value;
  }

  /** Compare-and-exchange: one that fails only reads. */
  protected exchange(location: number, from: number, to: number): boolean {
    if (this.load(location) !== from) return false;
    this.store(location, to);
    return true;
  }

  /** An access to the child page that entry value `entry` links. Returns whether it is still the page that was linked. */
  protected use(entry: number): boolean {
    return this.load(this.S + pageOf(entry)) === generationOf(entry);
  }

  /** Frees the page that `entry` links. Returns whether it was still that page, so a double free fails. */
  protected free(entry: number): boolean {
    const held = this.use(entry);
    this.store(this.S + pageOf(entry), FREED);
    return held;
  }

  /** On to the next entry, or to the end after the last. */
  protected next(own: number, first: number): void {
    const { state } = this;
    state[own + SEEN] = 0;
    state[own + V] = 0;
    if (state[own + I]! + 1 === this.bounds.entries) {
      state[own + PC] = DONE;
      state[own + I] = 0;
    } else {
      state[own + PC] = first;
      state[own + I]! += 1;
    }
  }

  /** Reads the entry into `SEEN`. Goes to `tablePc` when it is a table, else on to the next entry. */
  protected readEntry(own: number, tablePc: number, first: number): void {
    const { state } = this;
    const entry = this.load(this.E + state[own + I]!);
    if (entry < TABLE) this.next(own, first);
    else {
      state[own + SEEN] = entry;
      state[own + PC] = tablePc;
    }
  }

  /** Locks the entry if it is what was read (compare-and-exchange); if not, on to the next entry. */
  protected lockSeen(own: number, lockedPc: number, first: number): boolean {
    const { state } = this;
    if (this.exchange(this.E + state[own + I]!, state[own + SEEN]!, LOCKED)) state[own + PC] = lockedPc;
    else this.next(own, first);
    return true;
  }

  /** Invalidates the TLB for the entry. */
  protected invalidate(own: number, pc: number): boolean {
    this.store(this.T + this.state[own + I]!, 0);
    this.state[own + PC] = pc;
    return true;
  }

  /** Makes the entry a block. */
  protected makeBlock(own: number, pc: number): boolean {
    this.store(this.E + this.state[own + I]!, BLOCK);
    this.state[own + PC] = pc;
    return true;
  }

  /** Accesses the page that was read and forgets it. Returns whether it was still that page. */
  protected useSeen(own: number, pc: number): boolean {
    const held = this.use(this.state[own + SEEN]!);
    this.state[own + SEEN] = 0;
    this.state[own + PC] = pc;
    return held;
  }

  /** Frees the page that was read; on to the next entry. Returns whether it was still that page. */
  protected freeSeen(own: number, first: number): boolean {
    const held = this.free(this.state[own + SEEN]!);
    this.next(own, first);
    return held;
  }

  /**
   * Without mappers entry `i` links page `i` or nothing, so a process at entry `i` never again touches what belongs to the entries before.
   * A family with as many locations as (a multiple of) entries belongs to entries; any other is open to all to the end.
   */
  private futures(families: readonly Family[], processes: readonly ProcessFields[]): { reads: number; writes: number }[][] {
    const { entries, mappers } = this.bounds;
    const from = (names: readonly string[], i: number): number =>
      families
        .filter(({ name }) => names.includes(name))
        .reduce((bits, { name, count }) => {
          const each = mappers === 0 && 'ESTRD'.includes(name) ? count / entries : 0;
          return bits | mask(this.start(name) + each * i, count - each * i);
        }, 0);
    return processes.map((_, p) =>
      Array.from({ length: entries }, (__, i) => ({
        reads: from(this.programs[p]!.reads, i),
        writes: from(this.programs[p]!.writes, i),
      })),
    );
  }
}

function mask(start: number, count: number): number {
  return ((2 ** count - 1) << start) >>> 0;
}

function ownFields(bounds: Bounds, { labels, countMax }: Program): Field[] {
  return [
    { name: 'pc', max: labels.length, initial: 1 },
    { name: 'i', max: bounds.entries - 1, initial: 0 },
    { name: 'e', max: tableEntry(bounds.entries - 1, 2), initial: 0 },
    { name: 'v', max: countMax, initial: 0 },
  ];
}
