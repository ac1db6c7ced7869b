import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { awaitEndpoint, checkEndpoint } from "../../src/health/check-endpoint.ts";

const expected = {
  digest: "sha256:aa",
  path: "/v1/predict",
  body: { rows: [[1], [2]] },
  expected: [0.25, 0.75],
  tolerance: 1e-5,
};
const good = {
  model: { name: "m", version: "1", digest: "sha256:aa" },
  predictions: [
    { probability: 0.25, class: 0 },
    { probability: 0.75, class: 1 },
  ],
};

let server: Server | undefined;
afterEach(() => server?.close());

/** An endpoint that answers by path; a number is a bare status. */
async function endpoint(answers: Record<string, unknown>): Promise<string> {
  server = createServer((request, response) => {
    const answer = answers[request.url ?? ""] ?? 404;
    response.statusCode = typeof answer === "number" ? answer : 200;
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const well = {
  "/v2/health/live": { live: true },
  "/v2/health/ready": { ready: true },
  "/version": { model: good.model },
  "/v1/predict": good,
};

describe("the check of an endpoint", () => {
  it("passes when it lives, is ready and predicts the golden rows with the expected model", async () => {
    expect(await checkEndpoint(await endpoint(well), expected)).toMatchObject({
      model: good.model,
      prediction: good.predictions,
    });
  });

  it.each([
    ["is not live", { ...well, "/v2/health/live": 500 }],
    ["is not ready", { ...well, "/v2/health/ready": 503 }],
    ["does not predict", { ...well, "/v1/predict": 500 }],
    ["does not predict", { ...well, "/v1/predict": "<h1>another server</h1>" }],
    ["serves model sha256:bb", { ...well, "/version": { model: { ...good.model, digest: "sha256:bb" } } }],
    ["does not say what it serves", { ...well, "/version": { model: null } }],
    ["predicts otherwise", { ...well, "/v1/predict": { ...good, predictions: [...good.predictions].reverse() } }],
    ["predicts otherwise", { ...well, "/v1/predict": { ...good, predictions: good.predictions.slice(1) } }],
  ])("fails when it %s", async (reason, answers) => {
    await expect(checkEndpoint(await endpoint(answers), expected)).rejects.toMatchObject({
      code: "E_UNHEALTHY",
      exitCode: 6,
      message: expect.stringContaining(reason),
    });
  });

  it("asks the live version, whatever a version on trial would answer in its place", async () => {
    server = createServer(({ url = "", headers }, response) => {
      const tried = url === "/v1/predict" && headers["x-slipway-canary"] !== "never";
      const other = { ...good, predictions: [...good.predictions].reverse() };
      response.end(JSON.stringify(tried ? other : (well as Record<string, unknown>)[url]));
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await checkEndpoint(url, expected)).toMatchObject({ prediction: good.predictions });
  });

  it("shows the token that it is given", async () => {
    const shown = new Set<string | undefined>();
    server = createServer(({ url = "", headers }, response) => {
      shown.add(headers.authorization);
      response.end(JSON.stringify((well as Record<string, unknown>)[url]));
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await checkEndpoint(url, expected, { token: "slipway_x" });
    expect([...shown]).toEqual(["Bearer slipway_x"]);
  });

  it("fails when nothing listens, and when nothing answers in time", async () => {
    await expect(checkEndpoint("http://127.0.0.1:1", expected)).rejects.toMatchObject({ code: "E_UNHEALTHY" });
    server = createServer(() => undefined);
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const silent = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(checkEndpoint(silent, expected, { timeoutMs: 200 })).rejects.toMatchObject({ code: "E_UNHEALTHY" });
    server.closeAllConnections();
  });
});

describe("waiting for an endpoint", () => {
  const signal = new AbortController().signal;

  it("lasts until it is healthy", async () => {
    const answers: Record<string, unknown> = { ...well, "/v2/health/ready": 503 };
    const url = await endpoint(answers);
    setTimeout(() => Object.assign(answers, well), 300);
    expect(await awaitEndpoint(url, expected, { timeoutMs: 10_000, signal })).toMatchObject({ model: good.model });
  });

  it("ends with what was wrong last when the time is over", async () => {
    const url = await endpoint({ ...well, "/v2/health/ready": 503 });
    await expect(awaitEndpoint(url, expected, { timeoutMs: 400, signal })).rejects.toMatchObject({
      code: "E_UNHEALTHY",
      message: expect.stringContaining("is not ready"),
    });
  });

  it("ends at once when it is interrupted", async () => {
    const interrupted = AbortSignal.timeout(200);
    const waiting = awaitEndpoint("http://127.0.0.1:1", expected, { timeoutMs: 10_000, signal: interrupted });
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  });
});
