import type { EventRows, Frame } from '@s2lab/events';
import { DSB, HINT, INVALIDATION, K, REGISTER, STORE_ORDER, wide } from '@s2lab/events';
import { CasemateExportError } from './casemate-export-error.ts';
import { CasemateLines, digits, HINT_NAMES, REGISTER_NAMES, WITH_OPERAND } from './casemate-lines.ts';
import { TreeTrace } from './casemate-trees.ts';

const TWO_32 = 0x1_0000_0000;

/**
 * Writes the events of one machine as a casemate trace, frame by frame: an imported trace as it was, a machine of ours as its stores,
 * barriers and TLBIs, under one lock that passes from actor to actor (docs/adr/0032). `(src "s2lab:N")` names event N of the log.
 */
export class CasemateTrace {
  private readonly lines = new CasemateLines();
  private readonly trees = new TreeTrace(this.lines);
  /** Frames that wait until it is known where table pages lie in memory. */
  private readonly waiting: Frame[] = [];
  private readonly lastStore = new Map<number, number>();
  private machine: string | undefined = undefined;
  private next = 0;

  /**
   * The next records; empty while it is not known where tables lie.
   * @throws CasemateExportError when a second machine comes, events are missing, or casemate cannot follow the machine.
   */
  write(frame: Frame): string {
    const machine = `${frame.origin.run}/${frame.origin.machine}`;
    if (this.machine !== undefined && machine !== this.machine)
      throw new CasemateExportError('a casemate trace is of one machine: choose it with --machine');
    this.machine = machine;
    if (frame.firstSeq !== this.next)
      throw new CasemateExportError(
        `events ${this.next} to ${frame.firstSeq - 1} are missing: a casemate trace begins at the first and has no hole`,
      );
    this.next += frame.rows.length;
    if (frame.origin.machineKind === 'casemate') {
      for (let i = 0; i < frame.rows.length; i++) this.copy(frame.rows, i, frame.firstSeq + i);
      return this.lines.take();
    }
    this.waiting.push(frame);
    if (Number.isNaN(this.trees.tableBase) && !this.learn(frame)) return '';
    return this.flush();
  }

  /** The last records. */
  end(): string {
    return this.flush();
  }

  /** Whether a frame must be copied before it is written, because it will be looked at later. */
  get keepsFrames(): boolean {
    return Number.isNaN(this.trees.tableBase);
  }

  private flush(): string {
    for (const { rows, firstSeq } of this.waiting) {
      for (let i = 0; i < rows.length; i++) {
        this.lines.seq = firstSeq + i;
        this.trees.event(rows, i);
      }
    }
    this.waiting.length = 0;
    return this.lines.take();
  }

  /** The first link tells where table pages lie: it follows the store that made it. */
  private learn({ rows }: Frame): boolean {
    for (let i = 0; i < rows.length; i++) {
      const kind = rows.kind[i]!;
      if (kind >= K.descriptorStored && kind <= K.descriptorSwapped) {
        const address = (rows.new[2 * i + 1]! & 0xffff) * TWO_32 + ((rows.new[2 * i]! & 0xffff_f000) >>> 0);
        this.lastStore.set(rows.table[i]! * 8192 + rows.slot[i]!, address);
      } else if (kind === K.tableLinked) {
        const address = this.lastStore.get(rows.arg[i]! * 8192 + rows.slot[i]!);
        if (address === undefined) continue;
        this.trees.tableBase = address - rows.table[i]! * 4096;
        this.lastStore.clear();
        return true;
      }
    }
    return false;
  }

  /** One event of an imported trace. */
  private copy(rows: EventRows, i: number, seq: number): void {
    const { lines } = this;
    const thread = rows.actor[i]!;
    const arg = rows.arg[i]!;
    const first = digits(rows.old[2 * i]!, rows.old[2 * i + 1]!);
    const second = digits(rows.new[2 * i]!, rows.new[2 * i + 1]!);
    lines.seq = seq;
    switch (rows.kind[i]!) {
      case K.machineStarted:
      case K.machineStopped:
        return;
      case K.memoryInitialised:
        lines.about('mem-init', thread, first, second);
        return;
      case K.memoryFreed:
        lines.about('mem-free', thread, first, second);
        return;
      case K.memoryRead:
        lines.put('mem-read', thread, `(address ${first}) (value ${second})`);
        return;
      case K.memoryWritten:
        lines.write(thread, first, second, arg === STORE_ORDER.plain ? 'plain' : 'release');
        return;
      case K.memoryFilled:
        lines.put('mem-set', thread, `(address ${first}) (size ${wide(rows.ipa, i).toString(16)}) (value ${second})`);
        return;
      case K.registerWritten:
        lines.register(thread, named(REGISTER_NAMES, arg, REGISTER), second);
        return;
      case K.hintGiven:
        lines.hint(thread, named(HINT_NAMES, arg, HINT), first, second);
        return;
      case K.addressLocked:
        lines.about(arg === 1 ? 'trylock' : 'lock', thread, first);
        return;
      case K.addressUnlocked:
        lines.about('unlock', thread, first);
        return;
      case K.invalidationIssued:
        lines.tlbi(thread, named(INVALIDATION, arg, INVALIDATION), WITH_OPERAND.includes(arg) ? second : undefined);
        return;
      case K.dsbCompleted:
        lines.barrier(thread, named(DSB, arg, DSB) as 'ish');
        return;
      case K.isbCompleted:
        lines.put('barrier', thread, 'isb');
        return;
      default:
        throw new CasemateExportError(`event ${seq}: a trace of casemate has no event of kind ${rows.kind[i]!}`);
    }
  }
}

function named(names: Readonly<Record<string, number>>, code: number, codes: object): string {
  for (const name in names) if (names[name] === code) return name;
  throw new CasemateExportError(`a casemate trace has no code ${code} (only ${Object.keys(codes).join(', ')})`);
}
