import { describe, expect, it } from "vitest";
import { Random } from "../../../../src/serving/training/mlp/random.ts";

describe("random numbers", () => {
  it("are those of xoshiro128**", () => {
    // Test vector of the Rust crate rand_xoshiro, made with the authors' C code from the state 1, 2, 3, 4
    const random = new Random(Uint32Array.of(1, 2, 3, 4));
    expect(Array.from({ length: 10 }, () => random.word())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it("are the same for a seed, and others for another seed or purpose", () => {
    const words = (random: Random) => Array.from({ length: 4 }, () => random.word());
    expect(words(Random.of(7, "weights"))).toEqual(words(Random.of(7, "weights")));
    expect(words(Random.of(7, "weights"))).not.toEqual(words(Random.of(8, "weights")));
    expect(words(Random.of(7, "weights"))).not.toEqual(words(Random.of(7, "order")));
  });

  it("have the moments of their distributions", () => {
    const random = Random.of(3, "weights");
    const moments = (draw: () => number) => {
      const values = Array.from({ length: 40_000 }, draw);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return {
        mean,
        deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length),
      };
    };
    const uniform = moments(() => random.uniform());
    expect(uniform.mean).toBeCloseTo(0.5, 2);
    expect(uniform.deviation).toBeCloseTo(Math.sqrt(1 / 12), 2);
    const normal = moments(() => random.normal());
    expect(Math.abs(normal.mean)).toBeLessThan(0.02);
    expect(normal.deviation).toBeCloseTo(1, 1);
    // the deviation of a standard normal distribution cut at ±2
    expect(moments(() => random.truncatedNormal()).deviation).toBeCloseTo(0.8796, 1);
  });

  it("put all orders of three into a shuffle, none more often", () => {
    const random = Random.of(1, "order");
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = random.shuffle(Uint32Array.of(0, 1, 2)).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.values()].every((count) => count > 850 && count < 1150)).toBe(true);
    expect(counts.size).toBe(6);
  });
});
