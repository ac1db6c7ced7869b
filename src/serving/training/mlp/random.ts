/** What draws of one kind are for; each has a stream of its own, so that one more draw here changes nothing there. */
export type Stream = "split" | "weights" | "order" | "dropout";

const streams: Record<Stream, number> = { split: 1, weights: 2, order: 3, dropout: 4 };

/**
 * Reproducible random numbers: xoshiro128** (Blackman and Vigna, https://prng.di.unimi.it/), its state filled by splitmix32. Own code
 * and not a library's: the weights that belong to a seed must not change with an upgrade.
 */
export class Random {
  readonly #state: Uint32Array;

  /** @param state four words, not all zero */
  constructor(state: Uint32Array) {
    this.#state = state;
  }

  /** The stream of a seed (an unsigned 32-bit integer) for one purpose. */
  static of(seed: number, stream: Stream): Random {
    let counter = (seed ^ Math.imul(streams[stream], 0x9e3779b1)) >>> 0;
    const next = () => {
      counter = (counter + 0x9e3779b9) >>> 0;
      let mixed = counter ^ (counter >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
    return new Random(Uint32Array.of(next(), next(), next(), next() | 1));
  }

  /** A whole number below 2³². */
  word(): number {
    const s = this.#state;
    const [s0, s1, s2, s3] = s as unknown as [number, number, number, number];
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const third = s2 ^ s0;
    const fourth = s3 ^ s1;
    s[1] = s1 ^ third;
    s[0] = s0 ^ fourth;
    s[2] = third ^ (s1 << 9);
    s[3] = rotate(fourth, 11);
    return result;
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    const high = this.word() >>> 5;
    return (high * 0x4000000 + (this.word() >>> 6)) / 0x20000000000000;
  }

  /** A whole number from 0 to `bound` − 1, all equally likely. `bound` is at most 2³². */
  below(bound: number): number {
    const fair = 0x100000000 - (0x100000000 % bound);
    for (;;) {
      const word = this.word();
      if (word < fair) return word % bound;
    }
  }

  /** Normal with mean 0 and deviation 1, by Marsaglia's polar method. */
  normal(): number {
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) return x * Math.sqrt((-2 * Math.log(square)) / square);
    }
  }

  /** Normal, drawn again beyond two deviations, as Keras' initializers do. */
  truncatedNormal(): number {
    for (;;) {
      const value = this.normal();
      if (Math.abs(value) <= 2) return value;
    }
  }

  /** Puts the numbers into a random order (Fisher and Yates). */
  shuffle(numbers: Uint32Array): Uint32Array {
    for (let last = numbers.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const kept = numbers[last] as number;
      numbers[last] = numbers[other] as number;
      numbers[other] = kept;
    }
    return numbers;
  }
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
