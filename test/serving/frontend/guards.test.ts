import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { storeOf } from "../../../src/serving/access/store.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { buildFrontend, type FrontendPlatform } from "../../../src/serving/frontend/app.ts";
import { type FrontendSettings, processesOf } from "../../../src/serving/frontend/config.ts";
import type { FrontendContext } from "../../../src/serving/frontend/context.ts";
import { localHub } from "../../../src/serving/frontend/processes/hub.ts";
import { requireFittingConfig } from "../../../src/serving/frontend/processes/serve.ts";
import { Meter } from "../../../src/serving/metrics/meter.ts";
import { requireFittingTimeouts } from "../../../src/serving/timeouts.ts";
import { prepareSurroundings, row, type Surroundings } from "./injected.ts";

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await prepareSurroundings();
});
afterAll(() => surroundings.remove());

const quiet = pino({ enabled: false });
const platformWith = (changes: Partial<FrontendPlatform>): FrontendPlatform => {
  const meter = new Meter();
  return { access: { tokens: undefined, sessionKey: new Uint8Array(32) }, meter, hub: localHub(meter), ...changes };
};

/** A frontend with other settings than the defaults. */
async function withSettings<T>(
  settings: Partial<FrontendSettings>,
  use: (app: ReturnType<typeof buildFrontend>) => Promise<T>,
  {
    router = {},
    platform = {},
  }: { router?: Partial<FrontendContext["router"]>; platform?: Partial<FrontendPlatform> } = {},
): Promise<T> {
  const context = surroundings.contextWith(router);
  const config = { ...context.config, frontend: { ...context.config.frontend, ...settings } };
  const app = buildFrontend({ ...context, config }, quiet, platformWith(platform));
  try {
    return await use(app);
  } finally {
    await app.close();
  }
}

const predict = { method: "POST", url: "/v1/predict", payload: { rows: [row] } } as const;

describe("a request's id", () => {
  it("is the caller's where it is sane, and in the answer, the error and the log", async () => {
    const lines: string[] = [];
    const context = surroundings.contextWith({ predict: () => Promise.reject(new Error("broken")) });
    const app = buildFrontend(context, pino({}, { write: (line) => lines.push(line) }));
    const answer = await app.inject({ ...predict, headers: { "x-request-id": "call-7/a" } });
    expect(answer.headers["x-request-id"]).toBe("call-7/a");
    expect(answer.json()).toMatchObject({ error: { code: "INTERNAL", requestId: "call-7/a" } });
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(expect.objectContaining({ reqId: "call-7/a" }));
    await app.close();
  });

  it.each(["", "a b", "a".repeat(129), "é", '"'])("is made where the caller's is not: %j", (given) =>
    withSettings({}, async (app) => {
      const { headers } = await app.inject({ url: "/version", headers: { "x-request-id": given } });
      expect(headers["x-request-id"]).toMatch(/^[0-9a-f]{16}-[0-9a-z]+$/);
    }),
  );
});

describe("methods", () => {
  it("are told where a path has others", () =>
    withSettings({}, async (app) => {
      const wrong = await app.inject({ method: "DELETE", url: "/v1/predict?x=1" });
      expect(wrong.statusCode).toBe(405);
      expect(wrong.headers.allow).toBe("OPTIONS, POST");
      expect(wrong.json().error.code).toBe("METHOD_NOT_ALLOWED");
      const options = await app.inject({ method: "OPTIONS", url: "/v2/models/diabetes/" });
      expect(options.statusCode).toBe(204);
      expect(options.headers.allow).toBe("GET, HEAD, OPTIONS");
      expect((await app.inject({ method: "OPTIONS", url: "/nowhere" })).statusCode).toBe(404);
      const head = await app.inject({ method: "HEAD", url: "/version" });
      expect(head.statusCode).toBe(200);
      expect(head.body).toBe("");
    }));
});

describe("browsers of other origins", () => {
  const asked = { origin: "https://app.example", "access-control-request-method": "POST" };

  it("may not ask, unless they are listed", async () => {
    await withSettings({}, async (app) => {
      const answer = await app.inject({ ...predict, headers: { origin: "https://app.example" } });
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
      expect(answer.headers["x-content-type-options"]).toBe("nosniff");
    });
    const tokens = storeOf([newToken("ci", "predict").entry]);
    const platform = { access: { tokens, sessionKey: new Uint8Array(32) } };
    await withSettings(
      { corsOrigins: ["https://app.example"] },
      async (app) => {
        const preflight = await app.inject({ method: "OPTIONS", url: "/v1/predict", headers: asked });
        expect(preflight.statusCode).toBe(204);
        expect(preflight.headers["access-control-allow-origin"]).toBe("https://app.example");
        expect(preflight.headers["access-control-allow-credentials"]).toBeUndefined();
        const refused = await app.inject({ ...predict, headers: { origin: "https://app.example" } });
        expect(refused.statusCode).toBe(401); // and the page can read why
        expect(refused.headers["access-control-allow-origin"]).toBe("https://app.example");
        const other = await app.inject({
          method: "OPTIONS",
          url: "/v1/predict",
          headers: { ...asked, origin: "https://evil.example" },
        });
        expect(other.headers["access-control-allow-origin"]).not.toBe("https://evil.example");
      },
      { platform },
    );
  });
});

describe("bounds", () => {
  it("refuse who asks too often, by token or address, and not the probes", async () => {
    const two = [newToken("one", "predict"), newToken("two", "predict")];
    const platform = { access: { tokens: storeOf(two.map(({ entry }) => entry)), sessionKey: new Uint8Array(32) } };
    await withSettings(
      { rateLimit: { requests: 2, seconds: 60 } },
      async (app) => {
        const ask = (token: string) => app.inject({ ...predict, headers: { authorization: `Bearer ${token}` } });
        const [first = "", second = ""] = two.map(({ token }) => token);
        const statuses = [];
        for (const token of [first, first, first, second]) statuses.push((await ask(token)).statusCode);
        expect(statuses).toEqual([200, 200, 429, 200]);
        const refused = await ask(first);
        expect(refused.json().error.code).toBe("RATE_LIMITED");
        expect(Number(refused.headers["retry-after"])).toBeGreaterThan(50);
        for (let probe = 0; probe < 5; probe++) {
          expect((await app.inject({ url: "/v2/health/live" })).statusCode).toBe(200);
        }
      },
      { platform },
    );
  });

  it("refuse what is too much at once, and let probes and what comes after pass", async () => {
    const gate = Promise.withResolvers<void>();
    const { predict: compute } = surroundings.contextWith({}).router;
    const router: Partial<FrontendContext["router"]> = {
      predict: async (served, inputs) => {
        await gate.promise;
        return compute(served, inputs);
      },
    };
    await withSettings(
      { requestsInFlight: 2 },
      async (app) => {
        const waiting = [app.inject(predict), app.inject(predict)];
        await sleep(20);
        const refused = await app.inject(predict);
        expect(refused.statusCode).toBe(503);
        expect(refused.headers["retry-after"]).toBe("1");
        expect(refused.json().error.code).toBe("OVERLOADED");
        expect((await app.inject({ url: "/v2/health/live" })).statusCode).toBe(200);
        gate.resolve();
        expect((await Promise.all(waiting)).map(({ statusCode }) => statusCode)).toEqual([200, 200]);
        expect((await app.inject(predict)).statusCode).toBe(200);
      },
      { router },
    );
  });

  it.each([
    ["its headers", "POST /v1/predict HTTP/1.1\r\nhost: x\r\n"],
    [
      "its body",
      'POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"rows"',
    ],
  ])("cut off who does not send %s in time", (_what, begun) =>
    withSettings({ requestTimeoutMs: 200 }, async (app) => {
      await app.listen({ host: "127.0.0.1", port: 0 });
      const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
      socket.write(begun);
      const trickle = setInterval(() => socket.writable && socket.write("x"), 50);
      const answer = await textOf(socket);
      clearInterval(trickle);
      // the answer is lost where the trickle meets the closed door
      expect(answer).toMatch(/^(HTTP\/1.1 408 |$)/);
    }),
  );
});

async function textOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

describe("timeouts", () => {
  it("fit where each is longer than what it waits for", () => {
    expect(() =>
      requireFittingTimeouts([
        ["a", 3],
        ["b", undefined],
        ["c", 2],
        ["d", 1],
      ]),
    ).not.toThrow();
  });

  it.each([
    [
      [
        ["outer", 5],
        ["inner", 5],
      ],
      "outer (5 ms) must be longer than inner (5 ms)",
    ],
    [
      [
        ["a", 9],
        ["b", 2],
        ["none", undefined],
        ["c", 3],
      ],
      "b (2 ms) must be longer than c (3 ms)",
    ],
  ] as const)("do not fit otherwise, and both are named", (timeouts, message) => {
    expect(() => requireFittingTimeouts(timeouts)).toThrow(
      expect.objectContaining({ code: "E_CONFIG_INVALID", message: expect.stringContaining(message) }),
    );
  });

  it.each([
    [{}, {}, undefined],
    [{ requestTimeoutMs: 28_000 }, {}, "frontend.clientTimeoutMs (30000 ms)"],
    [{}, { deadlineMs: 15_000 }, "frontend.clientTimeoutMs (30000 ms)"],
    [
      { clientTimeoutMs: 90_000 },
      { deadlineMs: 20_000 },
      "frontend.requestTimeoutMs (15000 ms) must be longer than limits.deadlineMs (20000 ms)",
    ],
    [{ drainMs: 5000 }, {}, "frontend.drainMs (5000 ms) must be longer than limits.deadlineMs (5000 ms)"],
  ])("are checked together at the start: %j %j", (settings, limits, problem) => {
    const { config } = surroundings.contextWith({});
    const check = () => requireFittingConfig({ ...config, frontend: { ...config.frontend, ...settings }, limits });
    if (problem === undefined) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ message: expect.stringContaining(problem) }));
  });
});

describe("processes", () => {
  it.each([
    [undefined, 1, 1],
    [undefined, 2, 1],
    [undefined, 8, 7],
    [3, 2, 3],
  ])("are one less than the cores, unless told: %j of %i", (processes, cores, expected) => {
    expect(processesOf({ processes }, cores)).toBe(expected);
  });
});
