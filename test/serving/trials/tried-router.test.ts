import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/common/digest.ts";
import type { AskedRouter } from "../../../src/serving/routing/asked-router.ts";
import { RuntimeError, type ServedModel, type Terms } from "../../../src/serving/routing/question.ts";
import { withTrials } from "../../../src/serving/routing/trials/tried-router.ts";
import { floatRows } from "../../../src/serving/tensors/raw-tensor.ts";
import { binaryCard } from "../cards.ts";

const version = (number: number, pure?: boolean): ServedModel => ({
  model: { name: "sum", version: `${number}`, digest: digestOf(`${number}`) },
  card: { ...binaryCard(2), ...(pure !== undefined && { pure }) },
  onnxruntime: "none",
});
const input = floatRows(Float32Array.of(1, 2), 1);

/** What is asked of which version, where the one on trial answers so. */
function tried(
  mode: "canary" | "shadow",
  percent: number,
  { pure, fails }: { pure?: boolean; fails?: RuntimeError } = {},
) {
  const [live, trial] = [version(1), version(2, pure)];
  const asked: { version: string; terms: Terms | undefined }[] = [];
  const copied: string[] = [];
  const plain = {
    trialBeside: () => ({ served: trial, traffic: { mode, percent }, problem: undefined }),
    predict: async (served: ServedModel, _inputs: unknown, terms?: Terms) => {
      asked.push({ version: served.model.version, terms });
      if (served === trial && fails) throw fails;
      return { outputs: [input], served, timing: { batchRows: 1, queueMicros: 0, computeMicros: 0 } };
    },
  } as unknown as AskedRouter;
  let reasked = 0;
  const router = withTrials(plain, {
    shadow: { follow: ({ served }) => copied.push(served.model.version) },
    deadlineOf: () => 1000,
    onReasked: () => {
      reasked++;
    },
  });
  const ask = async (terms?: Terms) => (await router.predict(live, [input], terms)).served.model.version;
  return { ask, asked, copied, reasked: () => reasked };
}

describe("questions while a version is on trial", () => {
  it("that are of the live version itself, or kept by a key, stay with it and are no part of the share", async () => {
    const { ask } = tried("canary", 50);
    const answered = [];
    for (const terms of [undefined, {}, { trial: "share", key: "k" }, { trial: "always", key: "k" }] as const) {
      answered.push(await ask(terms));
    }
    expect(answered).toEqual(["1", "1", "1", "1"]);
    expect([await ask({ trial: "share" }), await ask({ trial: "share" })].sort()).toEqual(["1", "2"]);
  });

  it("are copied in shadow mode, also those with a key", async () => {
    const { ask, copied } = tried("shadow", 100);
    expect([
      await ask({ trial: "share" }),
      await ask({ trial: "share", key: "k" }),
      await ask({ trial: "never" }),
    ]).toEqual(["1", "1", "1"]);
    expect(copied).toEqual(["2", "2"]);
  });

  it("have half of their time for a canary, and all that is left for the live version", async () => {
    const { ask, asked } = tried("canary", 100, { fails: new RuntimeError("deadline", "late") });
    expect(await ask({ trial: "share", withinMs: 400 })).toBe("1");
    expect(asked.map(({ version }) => version)).toEqual(["2", "1"]);
    expect(asked[0]?.terms).toEqual({ withinMs: 200, standIn: true });
    expect(asked[1]?.terms?.withinMs).toBeGreaterThan(200);
    expect(asked[1]?.terms?.withinMs).toBeLessThanOrEqual(400);
  });

  it.each([
    ["failed", false, false],
    ["rejected", false, false],
    ["deadline", true, false],
    ["unavailable", true, false],
    ["unavailable", false, true],
    ["overloaded", false, true],
  ] as const)(
    "that a canary which is not pure leaves with %s (may have run: %s) are asked again: %s",
    async (reason, mayHaveRun, again) => {
      const fails = new RuntimeError(reason, "no", mayHaveRun);
      const { ask, asked, reasked } = tried("canary", 100, { pure: false, fails });
      if (again) expect(await ask({ trial: "share" })).toBe("1");
      else await expect(ask({ trial: "share" })).rejects.toBe(fails);
      expect(asked.length).toBe(again ? 2 : 1);
      expect(reasked()).toBe(again ? 1 : 0);
    },
  );
});
