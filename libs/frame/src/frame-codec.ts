/**
 * What the frame format needs from its platform. `platformCodec` is that of Node or, in a bundle for a browser, of the browser.
 */
export interface FrameCodec {
  /** One zstd frame holding `bytes`. */
  compress(bytes: Uint8Array): Uint8Array;
  /**
   * The content of a zstd frame, which must be `size` bytes long. Never allocates much more than `size`.
   * @throws when `bytes` is no zstd frame or holds more than `size` bytes.
   */
  decompress(bytes: Uint8Array, size: number): Uint8Array;
  /**
   * Gives back the memory of what `compress` or `decompress` returned; nothing may read it afterwards. Buffers of this size lie outside of the
   * heap, and waiting for the garbage collector to find them costs a full collection every few MiB.
   */
  discard(bytes: Uint8Array): void;
  /** CRC-32 (ISO-HDLC, as zlib's) of `bytes`, going on from `seed`, the checksum of what precedes; unsigned. */
  crc32(bytes: Uint8Array, seed: number): number;
}
