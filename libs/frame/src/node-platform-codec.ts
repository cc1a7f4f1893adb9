import { Buffer } from 'node:buffer';
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { FrameCodec } from './frame-codec.ts';

/** Levels 1 to 3 differ by 3 % in size and less than the noise in speed on these columns (docs/adr/0004); 1 has the smallest tables. */
const LEVEL = 1;

/** Largest window a column needs, log2: a column of MAX_FRAME_ROWS 64-bit values is 2 MiB. */
const WINDOW_LOG_MAX = 21;

/** Zstd and CRC-32 of node:zlib. */
export const platformCodec: FrameCodec = {
  compress(bytes) {
    return zstdCompressSync(bytes, {
      chunkSize: compressBound(bytes.byteLength),
      pledgedSrcSize: bytes.byteLength,
      params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
    });
  },
  decompress(bytes, size) {
    return zstdDecompressSync(bytes, {
      // One byte more: a chunk that is filled to the end makes zlib allocate the next one.
      chunkSize: Math.max(64, size + 1),
      maxOutputLength: Math.max(1, size),
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
    });
  },
  discard(bytes) {
    // Smaller ones may share Node's pool with others.
    if (bytes.byteOffset === 0 && bytes.buffer.byteLength > Buffer.poolSize && bytes.buffer instanceof ArrayBuffer)
      bytes.buffer.transfer(0);
  },
  crc32(bytes, seed) {
    return crc32(bytes, seed);
  },
};

/** Room in which zstd compresses `size` bytes in one pass, without buffers of its own. @source zstd.h ZSTD_COMPRESSBOUND */
function compressBound(size: number): number {
  return Math.max(1024, size + (size >>> 8) + 64);
}
