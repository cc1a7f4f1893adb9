/**
 * Seeded generator of 32-bit numbers with 128 bits of state in a typed array, so that a snapshot is a copy.
 * @source D. Blackman, S. Vigna: "Scrambled linear pseudorandom number generators" (xoshiro128**); seeded by splitmix32.
 */
export class Prng {
  readonly state: Uint32Array;

  /** @param state four words to live in; given by the owner so that one copy snapshots everything */
  constructor(seed: number, state: Uint32Array = new Uint32Array(4)) {
    this.state = state;
    let z = seed >>> 0;
    for (let i = 0; i < 4; i += 1) {
      z = (z + 0x9e3779b9) >>> 0;
      let x = z;
      x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
      x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
      state[i] = x ^ (x >>> 16);
    }
  }

  /** Next unsigned 32-bit number. */
  next(): number {
    const s = this.state;
    const s1 = s[1]!;
    const m = Math.imul(s1, 5);
    const result = Math.imul((m << 7) | (m >>> 25), 9);
    const t = s1 << 9;
    const s2 = s[2]! ^ s[0]!;
    const s3 = s[3]! ^ s1;
    s[1] = s1 ^ s2;
    s[0] = s[0]! ^ s3;
    s[2] = s2 ^ t;
    s[3] = (s3 << 11) | (s3 >>> 21);
    return result >>> 0;
  }

  /** Uniform integer in [0, bound), bound ≤ 2^32; biased by less than bound / 2^32. */
  below(bound: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * bound);
  }
}
