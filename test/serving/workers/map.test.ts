import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mapOf, merged, workersInMap, workersMapSchema } from "../../../src/serving/workers/map.ts";
import type { HttpWorker } from "../../../src/serving/workers/registration.ts";

const put = (known: readonly HttpWorker[], body: unknown): HttpWorker[] => {
  const workers = new Map(known.map((worker) => [worker.id, worker]));
  for (const mapped of workersInMap(workersMapSchema.parse(body))) {
    workers.set(mapped.id, merged(workers.get(mapped.id), mapped));
  }
  return [...workers.values()];
};

/** As the source system's users write it: ports and ids as numbers or texts. */
const example = {
  AI: {
    fib: [
      { host: "127.0.0.1", port: 9001, local_worker_id: "1" },
      { host: "127.0.0.1", port: "9002", local_worker_id: 2 },
    ],
  },
};

describe("the source's map of workers", () => {
  it("names workers by host, port and local id, each with all of its models", () => {
    const body = { AI: { ...example.AI, double: [{ host: "127.0.0.1", port: 9001, local_worker_id: "1" }] } };
    expect(put([], body).map(({ id, models }) => [id, models])).toEqual([
      ["127.0.0.1-9001-1", ["fib", "double"]],
      ["127.0.0.1-9002-2", ["fib"]],
    ]);
  });

  it("adds to what is known and takes nothing away", () => {
    const first = put([], { AI: { fib: [{ host: "a.internal", port: 9001, local_worker_id: "1", weight: 3 }] } });
    const second = put([{ ...(first[0] as HttpWorker), token: "secret" }], {
      AI: { double: [{ host: "a.internal", port: 9001, local_worker_id: "1" }] },
    });
    expect(second).toEqual([
      expect.objectContaining({ models: ["fib", "double"], weight: 3, token: "secret", pure: true }),
    ]);
    expect(JSON.stringify(mapOf(second))).not.toContain("secret");
  });

  it.each([
    ["another type", { CV: example.AI }, "the only type of models is AI"],
    ["a second type", { ...example, CV: {} }, "the only type of models is AI"],
    ["no type", {}, "AI"],
    ["a list", [], "expected object"],
    ["a model without workers", { AI: { fib: [] } }, "a model needs a worker"],
    ["a model whose name is a path", { AI: { "../admin": example.AI.fib } }, "a model's id"],
    ["a port that is none", { AI: { fib: [{ host: "a", port: 0, local_worker_id: "1" }] } }, "a port is a number"],
    ["a port above all", { AI: { fib: [{ host: "a", port: "65536", local_worker_id: "1" }] } }, "a port is a number"],
    ["a host with a path", { AI: { fib: [{ host: "a/b", port: 1, local_worker_id: "1" }] } }, "a host is an IP"],
    ["a host with a name and word", { AI: { fib: [{ host: "u:p@a", port: 1, local_worker_id: "1" }] } }, "a host is"],
    ["no local id", { AI: { fib: [{ host: "a", port: 1 }] } }, "local_worker_id"],
    ["a key that means nothing", { AI: { fib: [{ host: "a", port: 1, local_worker_id: "1", wieght: 2 }] } }, "wieght"],
  ])("with %s is refused with the reason", (_what, body, reason) => {
    const { error } = workersMapSchema.safeParse(body);
    expect(JSON.stringify(error?.issues)).toContain(reason);
  });

  it("says the same when what is read is put again", () => {
    const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}$/);
    const entry = fc.record({
      host: fc.oneof(fc.ipV4(), fc.constantFrom("a", "worker-1.internal", "::1", "fd12::5")),
      port: fc.integer({ min: 1, max: 65_535 }),
      local_worker_id: fc.stringMatching(/^[a-z0-9]{1,3}$/),
    });
    const map = fc.dictionary(name, fc.uniqueArray(entry, { minLength: 1, maxLength: 4, selector: JSON.stringify }));
    fc.assert(
      fc.property(map, (models) => {
        const workers = put([], { AI: models });
        const read = JSON.parse(JSON.stringify(mapOf(workers))) as { AI: object };
        const again = put(workers, read);
        expect(again).toEqual(workers);
        const asSets = (all: object) =>
          new Map(
            Object.entries(all).map(([key, list]) => [
              key,
              new Set((list as object[]).map((one) => JSON.stringify(one))),
            ]),
          );
        expect(asSets(read.AI)).toEqual(asSets(models));
      }),
    );
  });
});
