/** The n-th Fibonacci number. */
export function fib(n: number): number {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

export const schema = {
  arguments: {
    type: "object",
    properties: { n: { type: "integer", minimum: 0, maximum: 40 } },
    required: ["n"],
    additionalProperties: false,
  },
  result: { type: "integer" },
};

// from https://oeis.org/A000045
export const golden = [
  { arguments: { n: 0 }, result: 0 },
  { arguments: { n: 10 }, result: 55 },
  { arguments: { n: 25 }, result: 75025 },
];
