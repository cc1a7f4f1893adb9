import type { MEMORY } from '@s2lab/events';
import type { CostSet } from './costs.ts';
import { DEFAULT_COSTS } from './costs.ts';
import type { MemoryRegion } from './hyp-memory.ts';

/** Memory of a pKVM machine as its hypervisor finds it. */
export interface PkvmConfig {
  /** Memory map, by address; what lies between is MMIO. */
  readonly regions: readonly MemoryRegion[];
  /** Pages at the end of the first region that belong to the hypervisor. */
  readonly carvedPages: number;
  /** The first of those, which the tables of the host's stage-2 are made of. */
  readonly poolPages: number;
  /** How the host's blocks come back once its pages have. */
  readonly coalesce: CoalesceMode;
}

/**
 * Coalescing of the host's stage-2: never (Linux 7.2); by the next abort of the host, once the count of a table says that nobody else has pages
 * below it (host-coalescing.ts); or as soon as the pages of a block are all the host's again, under the same lock.
 * @source lazy: S. Ene, android14-6.1 for-upstream/pkvm-coalescing; eager: kernel-list thread of April 2022, Q. Perret on the host's stage-2
 */
export const COALESCE_MODES = ['none', 'lazy', 'eager'] as const;
/** One of COALESCE_MODES. */
export type CoalesceMode = (typeof COALESCE_MODES)[number];

/**
 * What the host does about split blocks when the dirty logging of a memslot ends: nothing, so that only faults bring blocks back (KVM on
 * arm64); unmap the memslot; install the blocks in place of their tables; zap the descriptor of each table that could be a block.
 */
export const COLLAPSE_MODES = ['lazy', 'unmap-memslot', 'in-place', 'zap-parent'] as const;

/** A collapse mode by name. */
export type CollapseMode = (typeof COLLAPSE_MODES)[number];

/** When the sub-tree that a block replaces goes to the reclaim policy: after the block is installed, or while its descriptor is still locked. */
export const TEARDOWN_ORDERS = ['after', 'before'] as const;

/** A teardown order by name. */
export type TeardownOrder = (typeof TEARDOWN_ORDERS)[number];

/**
 * A memory model by name: `sc` is sequential consistency, `tso` total store order, `pso` partial store order with releases.
 * @source P. Sewell et al., "x86-TSO", CACM 53(7), 2010; The SPARC Architecture Manual, Version 9, appendix D (TSO, PSO)
 */
export type MemoryModel = keyof typeof MEMORY;

/** Everything that shapes one machine; equal configuration, policy and workload give equal events. */
export interface MachineConfig {
  /** `kvm`: one guest, managed by the kernel; `pkvm`: the hypervisor at EL2 manages the host's stage-2 and those of its guests. */
  readonly kind: 'kvm' | 'pkvm';
  /** What the hypervisor finds when it boots. Only for pKVM. */
  readonly pkvm: PkvmConfig;
  /** vCPUs, 1…1024. Actors are the vCPUs, then the VMM thread, then the reclaim worker. */
  readonly vcpus: number;
  /** log2 of the granule: 12, 14 or 16. */
  readonly pageShift: number;
  /** Bits of intermediate physical address, 32…52. */
  readonly ipaBits: number;
  /** 0: tables as the architecture has them; else log2 of the descriptors in a table of a thin stage-2, which only the checker runs. */
  readonly indexBits: number;
  readonly lpa2: boolean;
  /** Whether stores are seen at once. Only the checker runs others than `sc`. */
  readonly memory: MemoryModel;
  /** FEAT_S2FWB. */
  readonly fwb: boolean;
  /** FEAT_TLBIRANGE. */
  readonly tlbRange: boolean;
  /** FEAT_XNX. */
  readonly xnx: boolean;
  /** Normal memory takes stage 1's attributes (with FWB). */
  readonly asStage1: boolean;
  /** FEAT_HAF: the hardware walker sets the access flag. */
  readonly hardwareAccessFlag: boolean;
  /** FEAT_DIC: no instruction cache maintenance, so guest memory is mapped executable at once. */
  readonly dic: boolean;
  /** When only whole pages may be mapped: never, for every mapping, or unless the permissions are exactly rwx. */
  readonly forcePages: 'none' | 'all' | 'nonrwx';
  /** Cached translations per vCPU, a power of two. */
  readonly tlbEntries: number;
  /** Walk-cache entries per vCPU, a power of two. */
  readonly walkCacheEntries: number;
  /** Table pages a vCPU's cache is topped up to (kernel: KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE, 40). */
  readonly cacheCapacity: number;
  /** Chunk of eager splitting in bytes, 0 = off (kernel: KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE). */
  readonly eagerSplitBytes: number;
  /** Manual protect with the dirty log initially all set: logging on write-protects nothing yet. */
  readonly initiallyAllSet: boolean;
  /** Without FEAT_S2FWB: a translation fault cleans what it maps before it takes the lock, even if another then maps it first (KVM up to 5.13). */
  readonly cleansBeforeLock: boolean;
  readonly collapse: CollapseMode;
  /**
   * What a host that collapses in place recovers before it flushes and offers its lock, bytes: a longer turn is fewer flushes and a longer
   * pause. 0 = up to the next largest block, as other operations on a range.
   */
  readonly recoveryTurnBytes: number;
  readonly teardown: TeardownOrder;
  /** Freed page frames are used again. Off for comparisons with recordings, where ids are never reused. */
  readonly reuseFrames: boolean;
  readonly seed: number;
  readonly costs: CostSet;
}

/** A small machine with today's common features; override what differs. */
export const DEFAULT_CONFIG: MachineConfig = {
  kind: 'kvm',
  pkvm: { regions: [{ base: 0x4000_0000, bytes: 0x4000_0000, nomap: false }], carvedPages: 512, poolPages: 448, coalesce: 'none' },
  vcpus: 4,
  pageShift: 12,
  ipaBits: 40,
  indexBits: 0,
  lpa2: false,
  memory: 'sc',
  fwb: true,
  tlbRange: true,
  xnx: true,
  asStage1: false,
  hardwareAccessFlag: true,
  dic: true,
  forcePages: 'none',
  tlbEntries: 64,
  walkCacheEntries: 16,
  cacheCapacity: 40,
  eagerSplitBytes: 0,
  initiallyAllSet: false,
  cleansBeforeLock: false,
  collapse: 'lazy',
  recoveryTurnBytes: 0,
  teardown: 'after',
  reuseFrames: true,
  seed: 1,
  costs: DEFAULT_COSTS,
};

/**
 * Completes and checks a configuration.
 * @throws RangeError naming the field that cannot be.
 */
export function machineConfig(overrides: Partial<MachineConfig>): MachineConfig {
  const config = { ...DEFAULT_CONFIG, ...overrides };
  need(Number.isInteger(config.vcpus) && config.vcpus >= 1 && config.vcpus <= 1024, `vcpus ${config.vcpus}: must be 1 to 1024`);
  for (const field of ['tlbEntries', 'walkCacheEntries'] as const) {
    const n = config[field];
    need(Number.isInteger(n) && n >= 1 && n <= 65536 && (n & (n - 1)) === 0, `${field} ${n}: must be a power of two up to 65536`);
  }
  // The tables of a thin stage-2 are two levels: a fault needs one page at most.
  const least = config.indexBits === 0 ? 4 : 1;
  need(
    config.cacheCapacity >= least && config.cacheCapacity <= 1024,
    `cacheCapacity ${config.cacheCapacity}: must be ${least} to 1024 pages`,
  );
  // A table that could be a block belongs to one turn.
  const block = 2 ** (config.pageShift + (config.indexBits === 0 ? config.pageShift - 3 : config.indexBits));
  const turn = config.recoveryTurnBytes;
  need(turn >= 0 && turn % block === 0, `recoveryTurnBytes ${turn}: must be a multiple of ${block}`);
  return config;
}

function need(condition: boolean, message: string): void {
  if (!condition) throw new RangeError(message);
}
