import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/*
 * The few messages of a Perfetto trace that an export needs, by field number.
 * Source: Perfetto, protos/perfetto/trace/{trace_packet,track_event/track_event,track_event/track_descriptor,interned_data}.proto
 */
const TRACE = { packet: 1 } as const;
const PACKET = { timestamp: 8, sequence: 10, trackEvent: 11, internedData: 12, flags: 13, trackDescriptor: 60 } as const;
const DESCRIPTOR = { uuid: 1, name: 2, process: 3, thread: 4, parent: 5, counter: 8 } as const;
const EVENT = { annotation: 4, type: 9, nameIid: 10, track: 11, counter: 30, flow: 47, terminatingFlow: 48 } as const;
const ANNOTATION = { nameIid: 1, uint: 3, pointer: 7 } as const;
const INTERNED = { eventName: 2, annotationName: 3 } as const;

/** TrackEvent.Type. */
const EVENT_TYPE = { sliceBegin: 1, sliceEnd: 2, instant: 3, counter: 4 } as const;

/** Names of annotations; their interned numbers are their places, from 1. */
const ANNOTATIONS = ['seq', 'walk', 'table', 'ipa'] as const;
const IPA_ANNOTATION = 4;

/** SEQ_INCREMENTAL_STATE_CLEARED and SEQ_NEEDS_INCREMENTAL_STATE. */
const STATE_CLEARED = 1;
const STATE_NEEDED = 2;
const SEQUENCE = 1;

/** Writes packets of one sequence. The writer is emptied by `take`. */
export class PacketWriter {
  private readonly names = new Map<string, number>();
  private readonly writer = new BinaryWriter();

  /** The bytes written since the last call: whole packets. */
  take(): Uint8Array {
    return this.writer.finish();
  }

  private begin(): BinaryWriter {
    return this.writer.tag(TRACE.packet, WireType.LengthDelimited).fork();
  }

  private sequence(flags: number): void {
    this.writer.tag(PACKET.sequence, WireType.Varint).uint32(SEQUENCE);
    if (flags !== 0) this.writer.tag(PACKET.flags, WireType.Varint).uint32(flags);
  }

  /** The first packet: from here on names are numbers. */
  open(): void {
    const w = this.begin();
    this.sequence(STATE_CLEARED);
    w.tag(PACKET.internedData, WireType.LengthDelimited).fork();
    ANNOTATIONS.forEach((name, i) => this.intern(INTERNED.annotationName, i + 1, name));
    w.join().join();
  }

  private intern(field: number, iid: number, name: string): void {
    const w = this.writer.tag(field, WireType.LengthDelimited).fork();
    w.tag(1, WireType.Varint).uint32(iid).tag(2, WireType.LengthDelimited).string(name).join();
  }

  /** A track that stands for a machine. */
  process(uuid: number, pid: number, name: string): void {
    const w = this.descriptor(uuid);
    w.tag(DESCRIPTOR.process, WireType.LengthDelimited).fork();
    w.tag(1, WireType.Varint).int32(pid).tag(6, WireType.LengthDelimited).string(name);
    w.join().join().join();
  }

  /** A track that stands for an actor. */
  thread(uuid: number, pid: number, tid: number, name: string): void {
    const w = this.descriptor(uuid);
    w.tag(DESCRIPTOR.thread, WireType.LengthDelimited).fork();
    w.tag(1, WireType.Varint).int32(pid).tag(2, WireType.Varint).int32(tid).tag(5, WireType.LengthDelimited).string(name);
    w.join().join().join();
  }

  /** Any other track of a machine; `counter` = one of numbers. */
  track(uuid: number, parent: number, name: string, counter: boolean): void {
    const w = this.descriptor(uuid);
    w.tag(DESCRIPTOR.name, WireType.LengthDelimited).string(name).tag(DESCRIPTOR.parent, WireType.Varint).uint64(parent);
    if (counter) w.tag(DESCRIPTOR.counter, WireType.LengthDelimited).fork().join();
    w.join().join();
  }

  private descriptor(uuid: number): BinaryWriter {
    const w = this.begin();
    this.sequence(0);
    return w.tag(PACKET.trackDescriptor, WireType.LengthDelimited).fork().tag(DESCRIPTOR.uuid, WireType.Varint).uint64(uuid);
  }

  /** Number of a name, which is told to the reader in a packet of its own when it is new. */
  name(text: string): number {
    let iid = this.names.get(text);
    if (iid !== undefined) return iid;
    iid = this.names.size + 1;
    this.names.set(text, iid);
    const w = this.begin();
    this.sequence(STATE_NEEDED);
    w.tag(PACKET.internedData, WireType.LengthDelimited).fork();
    this.intern(INTERNED.eventName, iid, text);
    w.join().join();
    return iid;
  }

  private event(at: number, track: number, type: number): BinaryWriter {
    const w = this.begin().tag(PACKET.timestamp, WireType.Varint);
    varint(w, at);
    this.sequence(STATE_NEEDED);
    w.tag(PACKET.trackEvent, WireType.LengthDelimited).fork().tag(EVENT.type, WireType.Varint).uint32(type);
    varint(w.tag(EVENT.track, WireType.Varint), track);
    return w;
  }

  /** A slice that begins at `at` (ns). `seq`, `walk` and `ipa` become arguments that the page shows. */
  sliceBegin(at: number, track: number, name: number, seq: number, walk: number, ipa: number): void {
    const w = this.event(at, track, EVENT_TYPE.sliceBegin).tag(EVENT.nameIid, WireType.Varint).uint32(name);
    this.annotate(1, seq);
    if (walk !== 0) this.annotate(2, walk);
    this.annotate(IPA_ANNOTATION, ipa);
    w.join().join();
  }

  sliceEnd(at: number, track: number): void {
    this.event(at, track, EVENT_TYPE.sliceEnd).join().join();
  }

  /** Something that happened to a table page; `flow` > 0 begins a flow, `flow` < 0 ends one. */
  instant(at: number, track: number, name: number, seq: number, table: number, flow: number): void {
    const w = this.event(at, track, EVENT_TYPE.instant).tag(EVENT.nameIid, WireType.Varint).uint32(name);
    this.annotate(1, seq);
    this.annotate(3, table);
    if (flow > 0) w.tag(EVENT.flow, WireType.Bit64).fixed64(flow);
    else if (flow < 0) w.tag(EVENT.terminatingFlow, WireType.Bit64).fixed64(-flow);
    w.join().join();
  }

  /** The value of a counter track from `at` on. */
  counter(at: number, track: number, value: number): void {
    this.event(at, track, EVENT_TYPE.counter).tag(EVENT.counter, WireType.Varint).int32(value).join().join();
  }

  private annotate(name: number, value: number): void {
    const w = this.writer.tag(EVENT.annotation, WireType.LengthDelimited).fork().tag(ANNOTATION.nameIid, WireType.Varint).uint32(name);
    varint(w.tag(name === IPA_ANNOTATION ? ANNOTATION.pointer : ANNOTATION.uint, WireType.Varint), value);
    w.join();
  }
}

/** The library's uint64 goes by way of BigInt, which costs more than all the rest of a packet: most values fit 32 bits. */
function varint(w: BinaryWriter, value: number): void {
  if (value < 0x1_0000_0000) w.uint32(value);
  else w.uint64(value);
}
