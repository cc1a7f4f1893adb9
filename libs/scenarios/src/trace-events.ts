import { ACCESS } from '@s2lab/events';

const HEX = '(?:0x)?([0-9a-f]{1,16})';

/*
 * Texts of the events, Linux 6.1 to 7.2: arch/arm64/kvm/trace_arm.h, include/trace/events/kvm.h. `0x` is optional everywhere,
 * since printf leaves it away for 0 and the kernel does not.
 */
const TEXTS = {
  guestFault: new RegExp(`^ipa ${HEX}, hsr ${HEX}, hxfar ${HEX}, pc ${HEX}$`),
  accessFault: new RegExp(`^IPA: ${HEX}$`),
  exit: new RegExp(`^(?:IRQ|SERROR|TRAP|HYP_GONE)[^:]*: HSR_EC: ${HEX} \\(.*\\), PC: ${HEX}$`),
  entry: new RegExp(`^PC: ${HEX}$`),
  nisv: new RegExp(`^ipa ${HEX}, esr ${HEX}, far ${HEX}, pc ${HEX}$`),
  unmap: new RegExp(`^mmu notifier unmap range: ${HEX} -- ${HEX}$`),
  age: new RegExp(`^mmu notifier age hva: ${HEX} -- ${HEX}$`),
  testAge: new RegExp(`^mmu notifier test age hva: ${HEX}$`),
  setSpte: new RegExp(`^mmu notifier set pte hva: ${HEX}$`),
} as const;

/** What an event is to the importer, by its name. */
export const TRACE_EVENTS: Readonly<Record<string, keyof typeof TEXTS>> = {
  kvm_guest_fault: 'guestFault',
  kvm_access_fault: 'accessFault',
  kvm_exit: 'exit',
  kvm_entry: 'entry',
  kvm_mmio_nisv: 'nisv',
  kvm_unmap_hva_range: 'unmap',
  kvm_age_hva: 'age',
  kvm_test_age_hva: 'testAge',
  kvm_set_spte_hva: 'setSpte',
};

/** Events of the kvm group on arm64 that say nothing about stage 2; counted, whatever their text. */
export const UNRELATED_EVENTS: ReadonlySet<string> = new Set([
  'kvm_irq_line',
  'kvm_mmio_emulate',
  'kvm_set_way_flush',
  'kvm_toggle_cache',
  'kvm_timer_update_irq',
  'kvm_get_timer_map',
  'kvm_timer_save_state',
  'kvm_timer_restore_state',
  'kvm_timer_hrtimer_expire',
  'kvm_timer_emulate',
  'kvm_wfx_arm64',
  'kvm_hvc_arm64',
  'kvm_arm_setup_debug',
  'kvm_arm_clear_debug',
  'kvm_arm_set_dreg32',
  'kvm_arm_set_regset',
  'kvm_handle_sys_reg',
  'kvm_sys_access',
  'kvm_set_guest_debug',
  'trap_reg',
  'kvm_userspace_exit',
  'kvm_vcpu_wakeup',
  'kvm_set_irq',
  'kvm_ack_irq',
  'kvm_fpu',
  'kvm_halt_poll_ns',
  'vgic_update_irq_pending',
]);

/** The numbers in the text of an event, NaN where above 2^53 - 1; undefined when the text is not as the kernel prints it. */
export function eventNumbers(kind: keyof typeof TEXTS, text: string): number[] | undefined {
  const parts = TEXTS[kind].exec(text);
  return parts === null ? undefined : parts.slice(1).map((digits) => parseInt(digits, 16));
}

const CLASS_INSTRUCTION_ABORT = 0x20;
const CLASS_DATA_ABORT = 0x24;
const DURING_STAGE_1_WALK = 1 << 7;
const WRITE_NOT_READ = 1 << 6;
const STATUS_TYPE = 0x3c;
const STATUS_PERMISSION = 0x0c;

/**
 * ACCESS of the guest access that took the fault with syndrome `hsr`; 0 when the syndrome is of no abort from a guest.
 * @source Arm ARM ESR_EL2; Linux 7.2 kvm_is_write_fault(), kvm_vcpu_trap_is_exec_fault()
 */
export function accessOfSyndrome(hsr: number): number {
  const low = hsr % 2 ** 32;
  const exceptionClass = Math.floor(low / 2 ** 26);
  if (exceptionClass !== CLASS_INSTRUCTION_ABORT && exceptionClass !== CLASS_DATA_ABORT) return 0;
  if ((low & DURING_STAGE_1_WALK) !== 0) return (low & STATUS_TYPE) === STATUS_PERMISSION ? ACCESS.write : ACCESS.read;
  if (exceptionClass === CLASS_INSTRUCTION_ABORT) return ACCESS.execute;
  return (low & WRITE_NOT_READ) !== 0 ? ACCESS.write : ACCESS.read;
}
