import { z } from 'zod';
import { BYTE_SIZE_EXPECTED, BYTE_SIZE_TEXT, byteSize } from './byte-size.ts';

/** A size in bytes, as a number or as a text with a binary unit. */
export const bytes = z
  .union(
    [
      z
        .int()
        .min(0)
        .max(2 ** 52),
      z.string().regex(BYTE_SIZE_TEXT, { error: `expected ${BYTE_SIZE_EXPECTED}` }),
    ],
    { error: `expected ${BYTE_SIZE_EXPECTED}` },
  )
  .transform((size, context) => {
    const value = byteSize(size);
    if (value !== undefined) return value;
    context.issues.push({ code: 'custom', message: `expected ${BYTE_SIZE_EXPECTED}, at most 2^52 bytes`, input: size });
    return z.NEVER;
  });

const MINUTE_NS = 60_000_000_000;
const span = z.int().min(0).max(MINUTE_NS);

const bootFields = {
  kernelBytes: bytes.prefault('16MiB').meta({ description: 'Kernel image: written page by page, all vCPUs in turn' }),
  initrdBytes: bytes.prefault('16MiB').meta({ description: 'Initial RAM disk behind the kernel: read in strides' }),
  strideBytes: bytes.prefault('64KiB').meta({ description: 'Stride of the reads of the initial RAM disk' }),
  randomTouches: z.int().min(0).max(1e9).default(500).meta({ description: 'Random accesses of each vCPU after that' }),
};

const accessFields = {
  workingSetBytes: bytes.optional().meta({ description: 'Memory that is accessed, from the start of guest memory; absent = all of it' }),
  windowBytes: bytes.optional().meta({ description: 'Memory that a vCPU works on at a time; absent = the whole working set' }),
  driftAccesses: z
    .int()
    .min(0)
    .max(1e9)
    .default(0)
    .meta({ description: 'The window moves on by 16 pages after so many accesses, 0 = it stays' }),
  writePercent: z.int().min(0).max(100).default(30).meta({ description: 'Share of writes' }),
  executePercent: z.int().min(0).max(100).default(10).meta({ description: 'Share of instruction fetches' }),
  skew: z.int().min(1).max(8).default(3).meta({ description: 'How uneven accesses are: 1 uniform, more = fewer pages take most' }),
  thinkNs: span.default(1000).meta({ description: 'Mean time between two accesses of a vCPU' }),
};

const accessesPerVcpu = z.int().min(0).max(1e12).default(0).meta({ description: 'Accesses of each vCPU, 0 = without end' });

/** Parameters of the `boot` workload. */
export const bootParams = z.strictObject({ ...bootFields, ...accessFields });

/** Parameters of the `steady` workload. */
export const steadyParams = z.strictObject({
  ...accessFields,
  accessesPerVcpu,
  notifierNs: span.default(0).meta({ description: 'Mean time between two notifier calls (ageing or unmap) of the host, 0 = none' }),
  notifierBytes: bytes.prefault('64KiB').meta({ description: 'Memory that a notifier call concerns' }),
});

/** Parameters of the `balloon` workload. */
export const balloonParams = z.strictObject({
  ...accessFields,
  accessesPerVcpu,
  balloonPercent: z.int().min(1).max(99).default(50).meta({ description: 'Share of the working set that the balloon takes away' }),
  chunkBytes: bytes.prefault('64KiB').meta({ description: 'Memory that is taken away, or given back, at a time' }),
  chunkNs: span.default(5000).meta({ description: 'Time between two chunks' }),
  holdNs: span.default(500_000).meta({ description: 'Time for which the balloon stays full, and empty' }),
});

/** Parameters of the `ageing` workload. */
export const ageingParams = z.strictObject({
  ...accessFields,
  accessesPerVcpu,
  scanBytes: bytes.prefault('64KiB').meta({ description: 'Memory whose access flags are tested and cleared at a time' }),
  scanNs: span.default(5000).meta({ description: 'Time between two scans' }),
  flushYoung: z
    .boolean()
    .default(false)
    .meta({ description: 'Flush the VMID after a scan that found something young (clear_flush_young)' }),
});

/** Parameters of the `churn` workload. */
export const churnParams = z.strictObject({
  ...accessFields,
  accessesPerVcpu,
  churnedSlots: z.int().min(1).max(63).default(1).meta({ description: 'Memslots, the last ones, that come and go in turn' }),
  churnNs: span.default(200_000).meta({ description: 'Time from the creation of a memslot to the next deletion' }),
  downNs: span.default(100_000).meta({ description: 'Time for which a memslot is gone' }),
});

/** Parameters of the `destroy` workload. */
export const destroyParams = z.strictObject({
  ...accessFields,
  destroyAfterNs: span.default(2_000_000).meta({ description: 'Time after which the stage-2 is destroyed under the vCPUs' }),
  accessesAfter: z.int().min(0).max(1e9).default(20).meta({ description: 'Accesses of each vCPU after that; all of them abort' }),
});

/** Parameters of the `migration` workload. */
export const migrationParams = z.strictObject({
  ...bootFields,
  ...accessFields,
  writePercent: z.int().min(0).max(100).default(50).meta({ description: 'Share of writes' }),
  cycles: z.int().min(0).max(1e9).default(1).meta({ description: 'Migration cycles, 0 = without end' }),
  steadyNs: span.default(2_000_000).meta({ description: 'Steady state before dirty logging' }),
  passes: z.int().min(1).max(1000).default(4).meta({ description: 'Passes over the dirty log' }),
  passNs: span.default(1_000_000).meta({ description: 'Time between two passes' }),
  slowdownPercent: z.int().min(100).max(1000).default(150).meta({ description: 'Think time of each pass against the one before' }),
  collapseNs: span.default(6_000_000).meta({ description: 'Time after dirty logging, in which blocks come back' }),
  notifierNs: span
    .default(100_000)
    .meta({ description: 'Mean time between two notifier calls of the host outside dirty logging, 0 = none' }),
  notifierBytes: bytes.prefault('64KiB').meta({ description: 'Memory that a notifier call concerns' }),
  recreateMemslots: z.boolean().default(false).meta({ description: 'Delete and create all memslots at the end of each cycle' }),
});

/** Parameters of the `protected-guests` workload. */
export const protectedGuestsParams = z.strictObject({
  lives: z
    .int()
    .min(0)
    .max(1e6)
    .default(4)
    .meta({ description: 'Guests that each core starts and ends, one after the other, 0 = without end' }),
  guestBytes: bytes.prefault('2MiB').meta({ description: 'Memory of a guest, donated page by page as it touches it' }),
  protectedPercent: z
    .int()
    .min(0)
    .max(100)
    .default(75)
    .meta({ description: 'Share of guests that are protected; the others borrow their memory from the host' }),
  sharedPages: z.int().min(0).max(512).default(8).meta({ description: 'Pages that a protected guest shares with the host for a while' }),
  guestTouches: z.int().min(0).max(1e6).default(200).meta({ description: 'Accesses of a guest once it has its memory' }),
  hostTouches: z.int().min(0).max(1e6).default(200).meta({ description: 'Accesses of the host before and after each guest' }),
  trespasses: z.int().min(0).max(1000).default(2).meta({ description: 'Accesses of the host to memory of a protected guest: they abort' }),
  writePercent: z.int().min(0).max(100).default(50).meta({ description: 'Share of writes' }),
  thinkNs: span.default(500).meta({ description: 'Mean time between two commands of a core' }),
});

/** Parameters of the `recorded` workload. */
export const recordedParams = z.strictObject({
  file: z.string().min(1).meta({ description: 'Operation script or trace text, relative to the scenario file' }),
  memslots: z.string().min(1).optional().meta({ description: 'Memslot map (JSON) of a trace, relative to the scenario file' }),
});

/** Parameters of `boot`, complete. */
export type BootParams = z.output<typeof bootParams>;
/** Parameters of `steady`, complete. */
export type SteadyParams = z.output<typeof steadyParams>;
/** Parameters of `balloon`, complete. */
export type BalloonParams = z.output<typeof balloonParams>;
/** Parameters of `ageing`, complete. */
export type AgeingParams = z.output<typeof ageingParams>;
/** Parameters of `churn`, complete. */
export type ChurnParams = z.output<typeof churnParams>;
/** Parameters of `destroy`, complete. */
export type DestroyParams = z.output<typeof destroyParams>;
/** Parameters of `protected-guests`, complete. */
export type ProtectedGuestsParams = z.output<typeof protectedGuestsParams>;
/** Parameters of `migration`, complete. */
export type MigrationParams = z.output<typeof migrationParams>;
