import { PROT } from '@s2lab/arch';
import type { MachineConfig } from '@s2lab/engine';
import { COMMAND, COMMAND_FLAG } from '@s2lab/engine';
import { ACCESS, WALK_FLAG } from '@s2lab/events';
import type { FullBounds } from './full-bounds.ts';
import { reclaimAgainstFaults } from './pkvm-scenario.ts';
import type { Request } from './script.ts';
import type { Setting } from './subject.ts';

/** A question to the engine: what happens at once. */
export interface FullScenario {
  readonly name: string;
  readonly description: string;
  /** The hypervisor at EL2 walks the tables: policies that need the kernel are refused. */
  readonly atEl2?: boolean;
  /** What is the host's alone is not counted: policies whose walks count every leaf are refused. */
  readonly leavesUncounted?: boolean;
  build(bounds: FullBounds): Setting;
}

const PAGE = 4096;
const PA = 0x4_0000_0000;
const HVA = 0x7f00_0000_0000;

const LOG_OFF: Request = { kind: COMMAND.dirtyLogOff };
const LOG_ON: Request = { kind: COMMAND.dirtyLogOn };

/** What the scenarios are made of: addresses, and requests of walkers and collapsers. */
class Parts {
  readonly bounds: FullBounds;
  readonly bytes: number;
  readonly config: Partial<MachineConfig>;
  readonly vmm: number;

  constructor(bounds: FullBounds) {
    const indexBits = Math.log2(bounds.slots);
    this.bounds = bounds;
    this.bytes = bounds.entries * bounds.slots * PAGE;
    this.vmm = bounds.walkers + bounds.collapsers;
    this.config = { ipaBits: 12 + 2 * indexBits, indexBits, tlbEntries: 2, walkCacheEntries: 2, cacheCapacity: 1 };
  }

  /** A memslot backed by huge pages; while it is logged, the first page of each block was read: a table with one page that may not be written. */
  prologue(): [number, Request][] {
    const slot = { memslot: 0, ipa: 0, bytes: this.bytes, pa: PA, hva: HVA, vmaShift: 12, thp: 1 };
    const first = (read: (block: number) => Request) => this.blocks().map((block): [number, Request] => [0, read(block)]);
    if (!this.bounds.hardware) return first((block) => this.map(block, 0, 1, PROT.r));
    return [
      [this.vmm, { kind: COMMAND.memslotCreate, ...slot }],
      [this.vmm, LOG_ON],
      ...first((block) => this.access(block, 0, ACCESS.read)),
    ];
  }

  /** Walkers write a page that is not mapped; collapsers write the page that may not be written, which without logging gives a block. */
  faults(): Request[][] {
    const { walkers, collapsers, slots, hardware } = this.bounds;
    const all = PROT.r | PROT.w | PROT.x;
    const write = (block: number, page: number) => (hardware ? this.access(block, page, ACCESS.write) : this.map(block, page, 1, all));
    const walker = (w: number) => this.blocks().map((block) => write(block, 1 + (w % (slots - 1))));
    const collapser = () => this.blocks().map((block) => (hardware ? write(block, 0) : this.map(block, 0, slots, all)));
    return [...Array.from({ length: walkers }, (_, w) => walker(w)), ...Array.from({ length: collapsers }, collapser)];
  }

  access(block: number, page: number, access: number): Request {
    return { kind: COMMAND.access, ipa: (block * this.bounds.slots + page) * PAGE, access };
  }

  /** The walk of a fault's handler alone: maps pages of a block. */
  private map(block: number, page: number, pages: number, prot: number): Request {
    const ipa = (block * this.bounds.slots + page) * PAGE;
    return { kind: COMMAND.map, ipa, bytes: pages * PAGE, pa: PA + ipa, prot, flags: WALK_FLAG.shared, cachePages: 4 };
  }

  setting(host: readonly Request[], before: readonly Request[] = [], config: Partial<MachineConfig> = {}): Setting {
    const splits = (config.eagerSplitBytes ?? 0) > 0;
    const walks = (requests: readonly Request[]) =>
      this.bounds.hardware ? requests : requests.flatMap((each) => this.walksOf(each, splits));
    const prologue = [...this.prologue(), ...walks(before).map((request): [number, Request] => [this.vmm, request])];
    return { config: { ...this.config, ...config }, prologue, requests: [...this.faults(), walks(host)] };
  }

  /** Without guests there is no dirty log: what begins one walks alone. */
  private walksOf(request: Request, splits: boolean): Request[] {
    if (request === LOG_OFF) return [];
    if (request !== LOG_ON) return [request];
    const split = { ...this.all(COMMAND.split), cachePages: 4 };
    return splits ? [this.all(COMMAND.wrprotect), split] : [this.all(COMMAND.wrprotect)];
  }

  /** The whole memslot. */
  all(kind: number): Request {
    return { kind, ipa: 0, bytes: this.bytes };
  }

  private blocks(): number[] {
    return Array.from({ length: this.bounds.entries }, (_, i) => i);
  }
}

/** The scenarios of the full engine, in the order of the matrix. */
export const FULL_SCENARIOS: readonly FullScenario[] = [
  {
    name: 'collapse-fault',
    description: 'logging ends while pages are written: one fault maps a page, another replaces its table by a block',
    build: (bounds) => new Parts(bounds).setting([LOG_OFF]),
  },
  {
    name: 'two-collapses',
    description: 'logging has ended: every fault wants the block',
    build: (bounds) => new Parts(bounds).setting([], [LOG_OFF]),
  },
  {
    name: 'collapse-split',
    description: 'logging begins again, with eager splitting, while faults replace tables by blocks',
    build: (bounds) => {
      const parts = new Parts(bounds);
      return parts.setting([LOG_ON], [LOG_OFF], { eagerSplitBytes: bounds.slots * PAGE });
    },
  },
  {
    name: 'collapse-protect',
    description: 'logging begins again: write-protection and permission faults against a collapse',
    build: (bounds) => new Parts(bounds).setting([LOG_ON], [LOG_OFF]),
  },
  {
    name: 'collapse-young',
    description: 'the host ages pages and faults make them young, against a collapse',
    build: (bounds) => {
      const parts = new Parts(bounds);
      return parts.setting([{ ...parts.all(COMMAND.ageRange), makeOld: 1, flags: COMMAND_FLAG.flushIfYoung }], [LOG_OFF], {
        hardwareAccessFlag: false,
      });
    },
  },
  {
    name: 'unmap-fault',
    description: 'the host takes the memory back while pages are written',
    build: (bounds) => {
      const parts = new Parts(bounds);
      return parts.setting([parts.all(COMMAND.unmapRange)], [LOG_OFF]);
    },
  },
  {
    name: 'destroy-fault',
    description: 'the stage-2 is destroyed while faults are handled; no guest runs any more',
    build: (bounds) => {
      const parts = new Parts({ ...bounds, hardware: false });
      return parts.setting([parts.all(COMMAND.destroyVm)], [LOG_OFF]);
    },
  },
  {
    name: 'reclaim-fault',
    description:
      'pKVM: the host takes back the pages of a guest and its blocks are put together again, while it faults on their other pages',
    atEl2: true,
    build: (bounds) => reclaimAgainstFaults('eager', bounds),
  },
  {
    name: 'reclaim-fault-lazy',
    description: 'pKVM, blocks come back lazily: with the last page of a guest the table is dropped, and the next fault maps the block',
    atEl2: true,
    leavesUncounted: true,
    build: (bounds) => reclaimAgainstFaults('lazy', bounds),
  },
];
