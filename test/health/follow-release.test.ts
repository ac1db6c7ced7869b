import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ReleaseReport, ReleaseStatus } from "../../src/guest/release-progress.ts";
import { followRelease, readReleaseStatus } from "../../src/health/follow-release.ts";

const digest = `sha256:${"a".repeat(64)}` as const;
const model = { name: "m", version: "2", digest };

function status(sequence: number, over: Partial<ReleaseReport> = {}): ReleaseStatus {
  const began = "2026-01-02T03:04:05.000Z";
  const last: ReleaseReport = {
    ...{ sequence, payload: digest, model, result: "underway", phase: "load", figures: {}, began, ms: {} },
    ...over,
  };
  return { schemaVersion: 1, serves: { sequence: 1, payload: digest, model: { ...model, version: "1" } }, last };
}

let server: Server;
let url: string;
/** What the endpoint answers, one after the other, the last one from then on; `undefined` breaks the connection. */
let answers: ({ status: number; body: unknown } | undefined)[];

beforeEach(async () => {
  server = createServer((_request, response) => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === undefined) return void response.destroy();
    response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const ok = (body: unknown) => ({ status: 200, body });
const follow = (over: Partial<Parameters<typeof followRelease>[0]> = {}) => {
  const said: string[] = [];
  const ended = followRelease({
    url,
    sequence: 2,
    timeoutMs: 30_000,
    signal: new AbortController().signal,
    onProgress: ({ phase, result }) => said.push(`${phase} ${result}`),
    ...over,
  });
  return ended.then((found) => ({ found, said }));
};

describe("followRelease", () => {
  it("tells each phase once and answers how it ended, past releases before it and broken connections", async () => {
    const end = status(2, { phase: "settle", result: "passed" });
    answers = [
      ok(status(1, { result: "passed" })),
      ok(status(2)),
      ok(status(2)),
      undefined,
      ok(status(2, { phase: "watch" })),
      ok(end),
    ];
    const { found, said } = await follow();
    expect(found).toEqual({ report: end.last, serves: end.serves });
    expect(said).toEqual(["load underway", "watch underway", "settle passed"]);
  });

  it("tells how it ended where a later one has come, and of the later where the host never took it up", async () => {
    const last = status(3, { result: "passed" });
    const own = status(2, { result: "kept" }).last;
    answers = [ok(last), ok({ releases: [own, last.last] })];
    expect((await follow()).found).toEqual({ report: own, serves: last.serves });
    answers = [ok(last), ok({ releases: [last.last] })];
    expect((await follow()).found).toEqual({ report: last.last, serves: last.serves });
  });

  it.each([
    ["knows no such question", [{ status: 404, body: {} }], { silenceMs: 100 }],
    ["answers what is no status", [ok({ hello: "world" })], { silenceMs: 100 }],
    ["is silent", [undefined], { silenceMs: 100 }],
    ["never sees the release", [ok(status(1, { result: "passed" }))], { unseenMs: 100 }],
    ["does not end it in time", [ok(status(2))], { timeoutMs: 100 }],
  ])("leaves it to the console where the endpoint %s", async (_, given, limits) => {
    answers = given;
    expect((await follow(limits)).found).toBeUndefined();
  });

  it("ends with the command", async () => {
    answers = [ok(status(2))];
    await expect(follow({ signal: AbortSignal.timeout(50) })).rejects.toThrow();
  });
});

it("an endpoint that asks for a token tells nothing", async () => {
  answers = [{ status: 401, body: { error: "unauthorized" } }];
  expect(await readReleaseStatus(url)).toBeUndefined();
});
