import type { MachineView } from '@s2lab/timeline';
import { captureView, restoreView } from '@s2lab/timeline';

/** Where a checkpoint stands: the view of a machine before event `nextSeq`. */
export interface CheckpointPlace {
  readonly run: string;
  readonly machine: number;
  readonly nextSeq: number;
}

/** Where checkpoints of one log are kept. */
export interface CheckpointStore {
  readonly places: readonly CheckpointPlace[];
  /** Keeps `view`, unless it takes more than `room` bytes. @returns the bytes it takes */
  add(run: string, machine: number, view: MachineView, room: number): Promise<number>;
  /** The view at one of `places`; undefined when it is damaged. */
  read(place: CheckpointPlace): Promise<MachineView | undefined>;
}

/** A view as one run of bytes: length of the head, head, arrays. */
export function viewToBytes(view: MachineView): Uint8Array<ArrayBuffer> {
  const { head, body } = captureView(view);
  const text = new TextEncoder().encode(head);
  const all = new Uint8Array(4 + text.byteLength + body.byteLength);
  new DataView(all.buffer).setUint32(0, text.byteLength, true);
  all.set(text, 4);
  all.set(body, 4 + text.byteLength);
  return all;
}

/**
 * The view that `viewToBytes` was given.
 * @param into a view that is not needed any more, whose memory is used where it fits
 * @throws when it is none, or one of another program's making
 */
export function viewFromBytes(all: Uint8Array, into?: MachineView): MachineView {
  const bodyAt = 4 + new DataView(all.buffer, all.byteOffset).getUint32(0, true);
  return restoreView({ head: new TextDecoder().decode(all.subarray(4, bodyAt)), body: all.subarray(bodyAt) }, into);
}

/** How views are made small on a platform. */
export interface PackedView {
  pack(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  unpack(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/** Checkpoints in memory: of a log that still grows, or where there is nothing to write to. */
export class MemoryCheckpoints implements CheckpointStore {
  readonly places: CheckpointPlace[] = [];
  private readonly packed = new Map<CheckpointPlace, Uint8Array<ArrayBuffer>>();
  private readonly packing: PackedView;

  constructor(packing: PackedView) {
    this.packing = packing;
  }

  async add(run: string, machine: number, view: MachineView, room: number): Promise<number> {
    const { nextSeq } = view;
    const bytes = await this.packing.pack(viewToBytes(view));
    if (bytes.byteLength > room) return bytes.byteLength;
    const place = { run, machine, nextSeq };
    this.packed.set(place, bytes);
    this.places.push(place);
    return bytes.byteLength;
  }

  async read(place: CheckpointPlace): Promise<MachineView | undefined> {
    const bytes = this.packed.get(place);
    return bytes === undefined ? undefined : viewFromBytes(await this.packing.unpack(bytes));
  }
}
