import type { Command, PkvmConfig, Workload } from '@s2lab/engine';
import { COMMAND, DEFAULT_CONFIG, Prng } from '@s2lab/engine';
import { PROT } from '@s2lab/arch';
import { ACCESS, PHASE, RESULT } from '@s2lab/events';
import { arenaBytes, BLOCK_BYTES } from './protected-arena.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { announce, delay, POLL_NS } from './vm-workload.ts';
import type { ProtectedGuestsParams } from './workload-params.ts';

/** Physical address at which the memory of a pKVM machine begins. */
const MEMORY_PA = 2 ** 30;
/** Address at which a guest finds its memory. */
const GUEST_IPA = 2 ** 31;
/** Pages of the hypervisor that are no table pages: its own image. */
const IMAGE_PAGES = 16;
/** Table pages of a guest besides those of the last level. */
const UPPER_TABLES = 4;
/** Most root pages of a guest. */
const ROOTS_MAX = 16;

/** What a core does next. */
const STEP = {
  hostBefore: 0,
  init: 1,
  topUp: 2,
  touch: 3,
  give: 4,
  share: 5,
  hostShared: 6,
  unshare: 7,
  trespass: 8,
  guestRuns: 9,
  takeBack: 10,
  destroy: 11,
  hostAfter: 12,
  ended: 13,
} as const;

/** Memory of a pKVM machine as its hypervisor finds it. */
export function pkvmConfig(spec: MachineSpec): PkvmConfig {
  if (spec.kind !== 'pkvm') return DEFAULT_CONFIG.pkvm;
  const pageBytes = 2 ** spec.pageShift;
  // A last-level table for every block, those above it, and some for MMIO.
  const poolPages = Math.ceil(spec.memoryBytes / (pageBytes * (pageBytes / 8))) + 32;
  return {
    regions: [{ base: MEMORY_PA, bytes: spec.memoryBytes, nomap: false }],
    carvedPages: poolPages + IMAGE_PAGES,
    poolPages,
    coalesce: spec.coalesce,
  };
}

/** One core: where it stands in the life of its guest. */
interface Core {
  step: number;
  /** Page, or access, that it has come to in that step. */
  at: number;
  lives: number;
  isProtected: boolean;
  thinking: boolean;
  readonly prng: Prng;
}

/**
 * Guests come and go. Each core is the host for a while, then starts a guest: root and table pages are donated, and each page of its memory
 * as the guest touches it (an unprotected guest borrows it); pages are shared and unshared, the host trespasses, the guest works. Then the
 * host takes the memory back page by page and the guest is destroyed. Guests of a core live in the same memory, one after the other.
 */
export class ProtectedGuests implements Workload {
  private readonly spec: MachineSpec;
  private readonly params: ProtectedGuestsParams;
  private readonly startNs: number;
  private readonly pageBytes: number;
  private readonly pages: number;
  private readonly cores: readonly Core[];
  private running: number;
  private announced = 0;

  /** @param startNs virtual time at which the first guests begin */
  constructor(spec: MachineSpec, params: ProtectedGuestsParams, startNs: number, seed: number) {
    this.spec = spec;
    this.params = params;
    this.startNs = startNs;
    this.pageBytes = 2 ** spec.pageShift;
    this.pages = params.guestBytes / this.pageBytes;
    this.running = spec.vcpus;
    this.cores = Array.from({ length: spec.vcpus }, (_, i) => ({
      step: STEP.hostBefore,
      at: 0,
      lives: 0,
      isProtected: true,
      thinking: false,
      prng: new Prng((seed ^ Math.imul(i + 1, 0x9e37_79b1)) >>> 0),
    }));
  }

  next(actor: number, nowNs: number, lastResult: number, command: Command): void {
    const core = this.cores[actor];
    if (core === undefined) {
      this.nextOfVmm(nowNs, command);
      return;
    }
    if (core.step === STEP.ended) return;
    if (nowNs < this.startNs) {
      delay(command, this.startNs - nowNs);
      return;
    }
    if (this.params.thinkNs > 0 && !core.thinking) {
      core.thinking = true;
      delay(command, 1 + core.prng.below(2 * this.params.thinkNs));
      return;
    }
    core.thinking = false;
    command.vmid = actor + 1;
    while (!this.fill(actor, core, lastResult, command)) {
      core.step += 1;
      core.at = 0;
      if (core.step === STEP.ended) {
        this.endLife(core);
        if (core.step === STEP.ended) return;
      }
    }
  }

  private nextOfVmm(nowNs: number, command: Command): void {
    if (nowNs < this.startNs) delay(command, this.startNs - nowNs);
    else if (this.announced === 0) {
      this.announced = 1;
      announce(command, PHASE.steady, 0);
    } else if (this.running > 0) delay(command, POLL_NS);
  }

  private endLife(core: Core): void {
    core.lives += 1;
    if (this.params.lives !== 0 && core.lives >= this.params.lives) this.running -= 1;
    else core.step = STEP.hostBefore;
  }

  /** First address of the core's arena; the guest's memory lies there, its table pages in the last block. */
  private arena(actor: number): number {
    return MEMORY_PA + actor * arenaBytes(this.params.guestBytes);
  }

  private tablePages(actor: number): number {
    return this.arena(actor) + arenaBytes(this.params.guestBytes) - BLOCK_BYTES;
  }

  /** Fills in the next command of the core's present step; false when that is over. */
  private fill(actor: number, core: Core, lastResult: number, command: Command): boolean {
    switch (core.step) {
      case STEP.hostBefore:
      case STEP.hostAfter:
        return this.hostTouches(core, command);
      case STEP.init:
      case STEP.topUp:
      case STEP.destroy:
        return this.lifeCycle(actor, core, command);
      case STEP.touch:
        return this.touch(actor, core, command);
      case STEP.give:
        return this.give(actor, core, lastResult, command);
      case STEP.guestRuns:
        if (core.at >= this.params.guestTouches) return false;
        core.at += 1;
        this.access(core, actor + 1, GUEST_IPA + core.prng.below(this.pages) * this.pageBytes, command);
        return true;
      case STEP.takeBack:
        if (core.at >= this.pages) return false;
        command.kind = core.isProtected ? COMMAND.hostReclaim : COMMAND.hostUnshareGuest;
        this.page(core, actor, command);
        return true;
      default:
        return core.isProtected && this.sharing(actor, core, command);
    }
  }

  private hostTouches(core: Core, command: Command): boolean {
    if (core.at >= this.params.hostTouches) return false;
    core.at += 1;
    // What belongs to the hypervisor is out of the host's reach, and so is not touched.
    const usable = this.spec.memoryBytes - pkvmConfig(this.spec).carvedPages * this.pageBytes;
    const free = this.cores.length * arenaBytes(this.params.guestBytes);
    const pages = Math.floor((usable - free) / this.pageBytes);
    this.access(core, 0, MEMORY_PA + free + core.prng.below(pages) * this.pageBytes, command);
    return true;
  }

  private lifeCycle(actor: number, core: Core, command: Command): boolean {
    if (core.at > 0) return false;
    core.at = 1;
    const tables = this.tablePages(actor);
    if (core.step === STEP.init) {
      core.isProtected = core.prng.below(100) < this.params.protectedPercent;
      command.kind = COMMAND.guestInit;
      command.ipaBits = this.spec.ipaBits;
      command.protected = core.isProtected ? 1 : 0;
      command.pa = tables;
    } else if (core.step === STEP.topUp) {
      command.kind = COMMAND.topUpMemcache;
      const perTable = this.pageBytes / 8;
      command.pa = tables + ROOTS_MAX * this.pageBytes;
      command.bytes = (Math.ceil(this.pages / perTable) + UPPER_TABLES) * this.pageBytes;
    } else {
      command.kind = COMMAND.guestDestroy;
    }
    return true;
  }

  /** The guest touches each page of its memory in turn; what it has nothing at it is given. */
  private touch(actor: number, core: Core, command: Command): boolean {
    if (core.at >= this.pages) {
      // Nothing is left to give.
      core.step = STEP.give;
      return false;
    }
    core.step = STEP.give;
    this.access(core, actor + 1, GUEST_IPA + core.at * this.pageBytes, command);
    return true;
  }

  private give(actor: number, core: Core, lastResult: number, command: Command): boolean {
    core.step = STEP.touch;
    if (lastResult !== RESULT.efault) {
      core.at += 1;
      return this.touch(actor, core, command);
    }
    command.kind = core.isProtected ? COMMAND.hostDonateGuest : COMMAND.hostShareGuest;
    command.prot = PROT.r | PROT.w | PROT.x;
    command.pa = this.arena(actor) + core.at * this.pageBytes;
    command.ipa = GUEST_IPA + core.at * this.pageBytes;
    command.bytes = this.pageBytes;
    // What follows is the same touch again.
    return true;
  }

  /** Pages are shared with the host, used by it, and taken back; then the host trespasses. */
  private sharing(actor: number, core: Core, command: Command): boolean {
    const shared = Math.min(this.params.sharedPages, this.pages);
    if (core.at >= (core.step === STEP.trespass ? this.params.trespasses : shared)) return false;
    if (core.step === STEP.hostShared || core.step === STEP.trespass) {
      this.access(core, 0, this.arena(actor) + (core.at % this.pages) * this.pageBytes, command);
      core.at += 1;
      return true;
    }
    command.kind = core.step === STEP.share ? COMMAND.guestShareHost : COMMAND.guestUnshareHost;
    this.page(core, actor, command);
    return true;
  }

  private page(core: Core, actor: number, command: Command): void {
    command.vmid = actor + 1;
    command.ipa = GUEST_IPA + core.at * this.pageBytes;
    command.bytes = this.pageBytes;
    core.at += 1;
  }

  private access(core: Core, vmid: number, address: number, command: Command): void {
    command.kind = COMMAND.access;
    command.vmid = vmid;
    command.ipa = address;
    command.access = core.prng.below(100) < this.params.writePercent ? ACCESS.write : ACCESS.read;
  }
}
