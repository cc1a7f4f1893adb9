import type { Command, Prng } from '@s2lab/engine';
import { COMMAND } from '@s2lab/engine';
import { ACCESS, PHASE } from '@s2lab/events';
import { AccessPattern } from './access-pattern.ts';
import { BootSequence } from './boot-sequence.ts';
import { HostPressure } from './host-pressure.ts';
import type { MachineSpec } from './scenario-schema.ts';
import { announce, delay, POLL_NS, VmWorkload, VMM } from './vm-workload.ts';
import type { MigrationParams } from './workload-params.ts';
import { WrittenPages } from './written-pages.ts';

const STEP = {
  boot: 0,
  steady: 1,
  logOn: 2,
  writing: 3,
  clearing: 4,
  logOff: 5,
  collapse: 6,
  park: 7,
  deleteSlots: 8,
  createSlots: 9,
  cycleEnd: 10,
  over: 11,
} as const;

/**
 * Live migration that does not go through, again and again: boot, steady state, dirty logging in passes with a falling write
 * rate, logging off, and a time in which guest faults bring blocks back.
 *
 * Only a fault collapses, and a page that is writable never faults. So that faults come, the last pass leaves pages
 * write-protected, and the host ages and unmaps ranges while the guest goes on.
 * @source Linux 7.2 arch/arm64/kvm/mmu.c kvm_s2_fault_map(), kvm_arch_commit_memory_region()
 */
export class MigrationWorkload extends VmWorkload {
  private readonly params: MigrationParams;
  private readonly initiallyAllSet: boolean;
  private readonly pattern: AccessPattern;
  private readonly sequence: BootSequence;
  private readonly pressure: HostPressure;
  private readonly written: WrittenPages;
  /** Page each vCPU is writing, -1 = none: it counts as written when the access is through. */
  private readonly writing: Int32Array;
  private readonly booted: Uint8Array;
  private bootedCount = 0;
  private readonly parked: Uint8Array;
  private parkedCount = 0;
  private parking = false;
  private logging = false;
  private ending = false;
  private step: number = STEP.boot;
  private entered = false;
  private untilNs = 0;
  private slot = 0;
  private pass = 0;
  private cycle = 0;
  private think: number;

  constructor(spec: MachineSpec, params: MigrationParams, startNs: number, seed: number) {
    super(spec, startNs, seed);
    this.params = params;
    this.initiallyAllSet = spec.initiallyAllSet;
    this.pattern = new AccessPattern(this.layout, spec.vcpus, params);
    this.sequence = new BootSequence(this.layout, this.pattern, spec.vcpus, params);
    this.pressure = new HostPressure(this.layout, this.pattern.pages, params.notifierNs, params.notifierBytes);
    this.written = new WrittenPages(this.layout);
    this.writing = new Int32Array(spec.vcpus).fill(-1);
    this.booted = new Uint8Array(spec.vcpus);
    this.parked = new Uint8Array(spec.vcpus);
    this.think = params.thinkNs;
  }

  protected override thinkNs(): number {
    return this.think;
  }

  protected override runVcpu(vcpu: number, prng: Prng, command: Command): boolean {
    const before = this.writing[vcpu]!;
    if (before >= 0) {
      this.writing[vcpu] = -1;
      if (this.logging) this.written.mark(before);
    }
    if (this.ending) return false;
    if (this.parking) {
      if (this.parked[vcpu] === 0) this.parkedCount += 1;
      this.parked[vcpu] = 1;
      delay(command, POLL_NS);
      return true;
    }
    const page = this.drawAccess(vcpu, prng, command);
    if (command.access === ACCESS.write) this.writing[vcpu] = page;
    return true;
  }

  private drawAccess(vcpu: number, prng: Prng, command: Command): number {
    if (this.booted[vcpu] === 0) {
      const page = this.sequence.draw(vcpu, prng, command);
      if (page >= 0) return page;
      this.booted[vcpu] = 1;
      this.bootedCount += 1;
    }
    return this.pattern.draw(vcpu, prng, command);
  }

  protected override runVmm(nowNs: number, prng: Prng, command: Command): number {
    while (this.step !== STEP.over) {
      if (this.runStep(nowNs, prng, command)) return VMM.commanded;
      this.entered = false;
    }
    return VMM.finished;
  }

  /** Goes on with the present step: true with a command, false when the step is over and `step` is the next one. */
  private runStep(nowNs: number, prng: Prng, command: Command): boolean {
    switch (this.step) {
      case STEP.boot:
        if (this.bootedCount < this.vcpus) return wait(command, POLL_NS);
        return this.goTo(STEP.steady);
      case STEP.steady:
        return this.timed(PHASE.steady, this.params.steadyNs, nowNs, prng, command) || this.goTo(STEP.logOn);
      case STEP.logOn:
        return this.startLogging(command) || this.goTo(STEP.writing);
      case STEP.writing:
        return this.letWrite(nowNs, command) || this.goTo(STEP.clearing);
      case STEP.clearing:
        if (this.written.sweep(command)) return true;
        return this.goTo(this.pass < this.params.passes ? STEP.writing : STEP.logOff);
      case STEP.logOff:
        return this.stopLogging(command) || this.goTo(STEP.collapse);
      case STEP.collapse:
        return (
          this.timed(PHASE.collapse, this.params.collapseNs, nowNs, prng, command) ||
          this.goTo(this.params.recreateMemslots ? STEP.park : STEP.cycleEnd)
        );
      case STEP.park:
        this.parking = true;
        if (this.parkedCount < this.vcpus) return wait(command, POLL_NS);
        return this.goTo(STEP.deleteSlots);
      case STEP.deleteSlots:
        return this.eachSlot(COMMAND.memslotDelete, command) || this.goTo(STEP.createSlots);
      case STEP.createSlots:
        if (this.eachSlot(COMMAND.memslotCreate, command)) return true;
        this.unpark();
        return this.goTo(STEP.cycleEnd);
      default:
        this.cycle += 1;
        this.ending = this.params.cycles > 0 && this.cycle >= this.params.cycles;
        return this.goTo(this.ending ? STEP.over : STEP.steady);
    }
  }

  /** Announces `phase` once, then lets the host press on memory until `lengthNs` have passed. */
  private timed(phase: number, lengthNs: number, nowNs: number, prng: Prng, command: Command): boolean {
    if (!this.entered) {
      this.entered = true;
      this.untilNs = nowNs + lengthNs;
      this.pressure.restart(nowNs, prng);
      announce(command, phase, this.cycle);
      return true;
    }
    if (nowNs >= this.untilNs) return false;
    this.pressure.runUntil(this.untilNs, nowNs, prng, command);
    return true;
  }

  private startLogging(command: Command): boolean {
    if (!this.entered) {
      this.entered = true;
      this.slot = 0;
      this.pass = 0;
      this.written.clear();
      this.logging = true;
      announce(command, PHASE.dirtyLogging, 0);
      return true;
    }
    if (this.eachSlot(COMMAND.dirtyLogOn, command)) return true;
    if (this.initiallyAllSet) this.written.markAll();
    return false;
  }

  private letWrite(nowNs: number, command: Command): boolean {
    if (!this.entered) {
      this.entered = true;
      this.pass += 1;
      this.untilNs = nowNs + this.params.passNs;
      this.written.restartSweep();
      announce(command, PHASE.dirtyLogging, this.pass);
      return true;
    }
    if (nowNs < this.untilNs) return wait(command, this.untilNs - nowNs);
    this.think = Math.floor((this.think * this.params.slowdownPercent) / 100);
    return false;
  }

  private stopLogging(command: Command): boolean {
    if (this.eachSlot(COMMAND.dirtyLogOff, command)) return true;
    this.logging = false;
    this.think = this.params.thinkNs;
    return false;
  }

  /** One command of `kind` for each memslot; false when all have had theirs. */
  private eachSlot(kind: number, command: Command): boolean {
    if (this.slot === this.layout.slots) return false;
    if (kind === COMMAND.memslotCreate) this.layout.describeSlot(this.slot, command);
    command.kind = kind;
    command.memslot = this.slot;
    this.slot += 1;
    return true;
  }

  private unpark(): void {
    this.parking = false;
    this.parked.fill(0);
    this.parkedCount = 0;
  }

  private goTo(step: number): false {
    this.step = step;
    this.slot = 0;
    return false;
  }
}

function wait(command: Command, durationNs: number): true {
  delay(command, durationNs);
  return true;
}
