import { ZSTDDecoder } from 'zstddec';
import type { FrameCodec } from './frame-codec.ts';

const zstd = new ZSTDDecoder();
await zstd.init();

/** TABLE[b]: the checksum of byte b. @source RFC 1952, section 8 */
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb8_8320;
  return crc;
});

/** Zstd compiled to WebAssembly, for reading only; and CRC-32. */
export const platformCodec: FrameCodec = {
  compress() {
    throw new TypeError('a browser writes no frames');
  },
  decompress(bytes, size) {
    return zstd.decode(bytes, size);
  },
  discard() {
    // Columns are views on memory that the collector knows.
  },
  crc32(bytes, seed) {
    let crc = ~seed;
    for (let i = 0; i < bytes.byteLength; i += 1) crc = TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
    return ~crc >>> 0;
  },
};
