/** A memslot of the abstract memory map. */
export interface MemslotShadow {
  readonly id: number;
  readonly ipa: number;
  readonly bytes: number;
  readonly pa: number;
  readonly createdAt: number;
  /** Sequence number of its deletion, -1 before. It stays in the map until the operation that deletes it ends. */
  deletedAt: number;
  deletedBy: number;
}

/** Most memslots a machine can have. @source Linux KVM_USER_MEM_SLOTS */
const MEMSLOTS_MAX = 32_767;

/** What guest memory is, told by memslot events alone: the map every translation is compared with. */
export class MemoryMap {
  readonly slots: MemslotShadow[] = [];
  /** Whether any memslot ever existed: without one the machine has no abstract map. */
  known = false;
  dying = 0;

  /** The memslot that holds all of [ipa, ipa+bytes), or undefined. */
  around(ipa: number, bytes: number): MemslotShadow | undefined {
    const slots = this.slots;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      if (ipa >= slot.ipa && ipa + bytes <= slot.ipa + slot.bytes) return slot;
    }
    return undefined;
  }

  /** Adds a memslot; one of the same number that exists is changed. */
  create(id: number, ipa: number, bytes: number, pa: number, seq: number): void {
    this.known = true;
    const at = this.slots.findIndex((slot) => slot.id === id && slot.deletedAt < 0);
    if (at >= 0) this.slots.splice(at, 1);
    if (this.slots.length >= MEMSLOTS_MAX) return;
    this.slots.push({ id, ipa, bytes, pa, createdAt: seq, deletedAt: -1, deletedBy: 0 });
  }

  /** Marks memslot `id` as going away by `actor`. */
  delete(id: number, seq: number, actor: number): void {
    for (const slot of this.slots) {
      if (slot.id !== id || slot.deletedAt >= 0) continue;
      slot.deletedAt = seq;
      slot.deletedBy = actor;
      this.dying += 1;
    }
  }

  /** Takes one memslot that `actor` deleted out of the map, or returns undefined when there is none. */
  bury(actor: number): MemslotShadow | undefined {
    const at = this.slots.findIndex((slot) => slot.deletedAt >= 0 && slot.deletedBy === actor);
    if (at < 0) return undefined;
    this.dying -= 1;
    return this.slots.splice(at, 1)[0];
  }
}
