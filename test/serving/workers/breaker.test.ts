import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Breaker } from "../../../src/serving/workers/breaker.ts";

const breaker = () => new Breaker({ failures: 3, firstPauseMs: 100, longestPauseMs: 350 });

describe("a circuit breaker", () => {
  it("opens after so many failures in a row, for twice as long each time up to the longest", () => {
    const circuit = breaker();
    circuit.fail(0);
    circuit.fail(0);
    circuit.succeed();
    circuit.fail(0);
    circuit.fail(0);
    expect(circuit.allows(0)).toBe(true);
    circuit.fail(0);
    expect([circuit.state(0), circuit.state(99), circuit.state(100)]).toEqual(["open", "open", "half-open"]);
    const pauses: number[] = [];
    let now = 100;
    for (let round = 0; round < 3; round++) {
      circuit.begin(now);
      circuit.fail(now);
      pauses.push(circuit.until - now);
      now = circuit.until;
    }
    expect(pauses).toEqual([200, 350, 350]);
  });

  it("lets one request by which it is decided through at a time", () => {
    const circuit = breaker();
    for (let failure = 0; failure < 3; failure++) circuit.fail(0);
    circuit.begin(100);
    expect(circuit.allows(100)).toBe(false);
    circuit.abstain();
    expect(circuit.allows(100)).toBe(true);
    circuit.begin(100);
    circuit.succeed();
    expect(circuit.state(100)).toBe("closed");
  });

  it("is not opened for longer by requests that were under way when it opened", () => {
    const circuit = breaker();
    for (let failure = 0; failure < 50; failure++) circuit.fail(0);
    expect(circuit.until).toBe(100);
  });

  it("is never open for longer than the longest pause, and closed after a success, whatever happens", () => {
    const step = fc.constantFrom("fail", "succeed", "abstain", "begin");
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.integer({ min: 0, max: 400 }))), (steps) => {
        const circuit = breaker();
        let now = 0;
        for (const [what, passes] of steps) {
          now += passes;
          circuit[what](now);
          expect(circuit.until - now).toBeLessThanOrEqual(350);
          if (what === "succeed") expect(circuit.allows(now)).toBe(true);
        }
      }),
    );
  });
});
