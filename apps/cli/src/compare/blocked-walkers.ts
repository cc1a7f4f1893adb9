import type { EventRows, EventSink, Frame } from '@s2lab/events';
import { K, wide } from '@s2lab/events';
import { LockedDescriptors } from '@s2lab/metrics';

/** Upper bounds of the histogram, virtual nanoseconds; a last bucket has none. */
export const BLOCKED_LIMITS_NS = [300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000] as const;

/** What one machine's walkers are blocked on. */
class Machine {
  readonly locked = new LockedDescriptors();
  /** By actor: when it first met what it is blocked on, -1 = it is not. */
  readonly since: number[] = [];
}

/**
 * For how long walkers of either kind were blocked by a descriptor that another walker had locked: from the first time that one met it to the
 * access that goes through or the walk that ends well. Machines are added up.
 * @source the histogram of Matlack's report on processing removed page tables before or after thawing (x86, 416 vCPUs)
 */
export class BlockedWalkers implements EventSink {
  readonly counts: number[] = BLOCKED_LIMITS_NS.map(() => 0).concat(0);
  totalNs = 0;
  longestNs = 0;
  private readonly machines = new Map<number, Machine>();

  async write({ origin, rows }: Frame): Promise<void> {
    let machine = this.machines.get(origin.machine);
    if (machine === undefined) {
      machine = new Machine();
      this.machines.set(origin.machine, machine);
    }
    for (let i = 0; i < rows.length; i += 1) this.fold(machine, rows, i);
  }

  async close(): Promise<void> {}

  private fold(machine: Machine, rows: EventRows, i: number): void {
    switch (rows.kind[i]) {
      case K.descriptorStored:
      case K.descriptorReleased:
      case K.descriptorSwapped:
        machine.locked.write(rows, i);
        return;
      case K.descriptorRead:
      case K.hardwareDescriptorRead:
        if (machine.locked.meets(rows, i)) this.meet(machine, rows.actor[i]!, wide(rows.at, i));
        return;
      case K.tableFreed:
        machine.locked.dropTable(rows.table[i]!);
        return;
      case K.guestAccessed:
      case K.guestAborted:
        this.through(machine, rows.actor[i]!, wide(rows.at, i));
        return;
      case K.walkEnded:
        if (rows.arg[i] === 0) this.through(machine, rows.actor[i]!, wide(rows.at, i));
        return;
      default:
    }
  }

  private meet(machine: Machine, actor: number, at: number): void {
    if ((machine.since[actor] ?? -1) < 0) machine.since[actor] = at;
  }

  private through(machine: Machine, actor: number, at: number): void {
    const since = machine.since[actor] ?? -1;
    if (since < 0) return;
    machine.since[actor] = -1;
    const ns = at - since;
    const bucket = BLOCKED_LIMITS_NS.findIndex((limit) => ns <= limit);
    this.counts[bucket < 0 ? BLOCKED_LIMITS_NS.length : bucket]! += 1;
    this.totalNs += ns;
    this.longestNs = Math.max(this.longestNs, ns);
  }
}
