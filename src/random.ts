/**
 * Seeded randomness. Everything random in CFS Studio draws from here, so the same seed gives the
 * same run.
 *
 * The generator is xoshiro128** (Blackman & Vigna 2018) seeded through splitmix32.
 */

export interface Random {
  /** A uniform integer in [0, 2^32). */
  uint32(): number;
  /** A uniform float in [0, 1) with 24 random bits: exact in float32, never 1. */
  uniform(): number;
  /** A uniform integer in [0, n). */
  below(n: number): number;
  /** A standard normal (Box–Muller; one value per call). */
  normal(): number;
}

/** A generator for `seed`; `stream` numbers give independent sequences for the same seed. */
export function createRandom(seed: number, ...stream: number[]): Random {
  let mixer = splitmix32(seed >>> 0)();
  for (const part of stream) mixer = splitmix32((mixer ^ (part >>> 0)) + 0x9e3779b9)();
  const next = splitmix32(mixer);
  let [a, b, c, d] = [next(), next(), next(), next()];
  const uint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotateLeft(d, 11);
    return result;
  };
  const uniform = (): number => (uint32() >>> 8) / 0x1000000;
  return {
    uint32,
    uniform,
    below: (n) => {
      // Rejection keeps it exactly uniform.
      const limit = 0x100000000 - (0x100000000 % n);
      let draw = uint32();
      while (draw >= limit) draw = uint32();
      return draw % n;
    },
    normal: () => {
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      return radius * Math.cos(2 * Math.PI * uniform());
    },
  };
}

/** The numbers 0 … n−1 in random order (Fisher–Yates). */
export function permutation(n: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const held = order[i] as number;
    order[i] = order[j] as number;
    order[j] = held;
  }
  return order;
}

function splitmix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}
