import { type AddressInfo, connect } from "node:net";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { storeOf } from "../../../src/serving/access/store.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import { localHub } from "../../../src/serving/frontend/processes/hub.ts";
import { Meter } from "../../../src/serving/metrics/meter.ts";
import { queueAbsent } from "../../support/queue-server.ts";
import { asJson, prepareSurroundings, row, type Surroundings } from "../frontend/injected.ts";
import { type JobBench, openBench } from "../jobs/setup.ts";
import type { JsonSchema } from "./from-schema.ts";
import { type Operation, requestsTo } from "./requests.ts";

/** Requests to each route; a hundred times as many find no more than these do. */
const RUNS = 40;

const admin = newToken("ada", "admin");
const authorization = `Bearer ${admin.token}`;
const told: string[] = [];
let surroundings: Surroundings;
let app: ReturnType<typeof buildFrontend>;
let document: {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, JsonSchema> };
};

/** Without a queue's server the routes of jobs answer 503. */
let bench: JobBench | undefined;

beforeAll(async () => {
  surroundings = await prepareSurroundings();
  bench = queueAbsent === undefined ? await openBench({ waitingJobs: 20 }) : undefined;
  const context = surroundings.contextWith({}, bench?.jobs);
  const config = {
    ...context.config,
    frontend: { ...context.config.frontend, requestTimeoutMs: 300, csvBytes: 100_000 },
  };
  const meter = new Meter();
  const access = { tokens: storeOf([admin.entry]), sessionKey: new Uint8Array(32) };
  const log = pino({ level: "error" }, { write: (line) => told.push(line) });
  app = buildFrontend({ ...context, config }, log, { access, meter, hub: localHub(meter) });
  await app.listen({ host: "127.0.0.1", port: 0 });
  document = (await app.inject({ url: "/openapi.json" })).json();
});
afterAll(async () => {
  await app.close();
  await bench?.close();
  await surroundings.remove();
});

/** What an id may be, as the interface's description has it. */
const SANE_ID = /^[A-Za-z0-9_.:+/=@-]{1,128}$/;

const isWell = async () => {
  const answer = await app.inject({
    method: "POST",
    url: "/v1/predict",
    payload: { rows: [row] },
    headers: { authorization },
  });
  return answer.statusCode === 200 && ({} as { polluted?: boolean }).polluted === undefined;
};

describe("every route", () => {
  it("answers whatever it is asked: well, or with a reason", { timeout: 120_000 }, async () => {
    const before = process.memoryUsage().rss;
    for (const { method, path } of app.routeTable) {
      const shown = path.replace(/:(\w+)/g, "{$1}");
      const operation = document.paths[shown]?.[method.toLowerCase()] as Operation;
      const requests = requestsTo(method, shown, operation, document.components.schemas);
      await fc.assert(
        fc.asyncProperty(requests, async (request) => {
          told.length = 0;
          const answer = await app.inject({ ...request, headers: { authorization, ...request.headers } });
          const where = `${method} ${path}: ${answer.statusCode} ${answer.body.slice(0, 300)} ${told.join().slice(0, 600)}`;
          if (answer.statusCode < 400) return;
          expect(answer.statusCode === 503 || answer.statusCode < 500, where).toBe(true);
          const given = request.headers?.["x-request-id"];
          const id = typeof given === "string" && SANE_ID.test(given) ? given : expect.stringMatching(SANE_ID);
          expect(answer.headers["x-request-id"], where).toEqual(id);
          if (!`${answer.headers["content-type"]}`.includes("json")) return;
          const { error } = answer.json();
          const reason = typeof error === "string" ? error : error.message;
          expect(reason, where).toEqual(expect.stringMatching(/\w{3}/));
          expect(answer.body.length, where).toBeLessThan(10_000);
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
    }
    expect(await isWell()).toBe(true);
    expect(process.memoryUsage().rss - before).toBeLessThan(700 * 1024 * 1024);
  });

  it("asks who it is, unless it is public", async () => {
    for (const { method, path, role } of app.routeTable) {
      const url = path.replace(/:\w+/g, "x");
      const { statusCode, headers } = await app.inject({ method: method as "GET", url, headers: asJson });
      const refused = statusCode === 401 && headers["www-authenticate"] !== undefined;
      expect(refused, `${method} ${path}`).toBe(role !== "public");
    }
  });
});

describe("a connection", () => {
  const head = (length: number, type = "application/json") =>
    `POST /v1/predict HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n`;

  /** What comes back until the connection ends. */
  const exchange = (bytes: string | Buffer, hangUp: boolean): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk.toString("latin1");
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(answer));
      socket.write(bytes, () => hangUp && socket.end());
    });

  it.each([
    ["no HTTP", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"],
    ["a strange version", "GET / HTTP/9.9\r\n\r\n"],
    ["no host", "GET /version HTTP/1.1\r\n\r\n"],
    ["headers without end", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"a".repeat(40_000)}`],
    ["two lengths", `${head(5)}content-length: 6\r\n\r\nhello`],
    ["a length and chunks", `${head(5)}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
    ["a negative length", `${head(-5)}\r\n`],
    ["a chunk of no length", "POST /v1/predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
    ["a body that is cut short", `${head(100)}\r\n{"rows": [[1`],
    ["a table that is cut short", `${head(1000, "text/csv")}\r\n1,2,3,4,5,6,7,8\n1,2`],
    ["a form that is cut short", `${head(1000, "multipart/form-data; boundary=b")}\r\n--b\r\ncontent-disp`],
    ["two requests at once", "GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\nGARBAGE\r\n\r\n"],
  ])("that brings %s gets at most a refusal", async (_what, bytes) => {
    for (const hangUp of [true, false]) {
      const answer = await exchange(bytes, hangUp);
      expect(answer).not.toMatch(/^HTTP\/1.1 5/);
    }
    expect(await isWell()).toBe(true);
  });

  it("that sends a byte now and then is cut, and nobody else waits for it", async () => {
    const port = (app.server.address() as AddressInfo).port;
    const before = process.memoryUsage().rss;
    const slow = Array.from({ length: 200 }, (_, at) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined).resume();
      socket.write(at % 2 === 0 ? "GET /version HTTP/1.1\r\nhost: " : `${head(100)}\r\n{`);
      const trickle = setInterval(() => socket.writable && socket.write(" "), 100);
      return new Promise<void>((resolve) =>
        socket.on("close", () => {
          clearInterval(trickle);
          resolve();
        }),
      );
    });
    const since = performance.now();
    expect(await isWell()).toBe(true);
    expect(performance.now() - since).toBeLessThan(2000);
    await Promise.all(slow);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });
});
