import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { callCompute } from "../../src/openstack/pkgcloud/call.ts";
import type { CallLimits, Session } from "../../src/openstack/session.ts";
import { ScriptedCloud } from "./scripted-cloud.ts";

let cloud: ScriptedCloud;
let session: Session;

beforeEach(async () => {
  cloud = await ScriptedCloud.start();
  session = cloud.open();
  await session.projectId();
});
afterEach(async () => {
  session.close();
  await cloud.stop();
});

/** A call by each of the two clients; whoever makes it, it must end alike. */
const clients = {
  "the session": {
    GET: (limits?: CallLimits) => session.request("compute", "GET", "/servers/s1", limits),
    POST: (limits?: CallLimits) => session.request("compute", "POST", "/servers/s1/action", { body: {}, ...limits }),
  },
  pkgcloud: {
    GET: (limits?: CallLimits) => callCompute(session, (compute, done) => compute.getServer("s1", done), limits),
    POST: (limits?: CallLimits) => callCompute(session, (compute, done) => compute.startServer("s1", done), limits),
  },
};
const ok = { status: 200, body: { server: {} } };

describe.each(Object.entries(clients))("a call by %s", (_, calls) => {
  test.each([
    ["429", "POST", { status: 429 }],
    ["429 with Retry-After", "POST", { status: 429, headers: { "retry-after": "0" } }],
    ["502", "GET", { status: 502 }],
    ["503", "GET", { status: 503 }],
    ["503 with Retry-After", "POST", { status: 503, headers: { "retry-after": "0" } }],
    ["504", "GET", { status: 504 }],
    ["a reset connection", "GET", { reset: true }],
    ["a connection that breaks within the answer", "GET", { ...ok, cut: true }],
  ] as const)("is made again after %s to a %s", async (_, method, reply) => {
    cloud.replies = [reply, ok];
    expect((await calls[method]()).body).toEqual(ok.body);
    expect(cloud.calls).toHaveLength(2);
  });

  test.each([
    ["409", "GET", { status: 409 }],
    ["412", "GET", { status: 412 }],
    ["500", "GET", { status: 500 }],
    ["502", "POST", { status: 502 }],
    ["503 without Retry-After", "POST", { status: 503 }],
    ["504", "POST", { status: 504 }],
    ["a reset connection", "POST", { reset: true }],
    ["a connection that breaks within the answer", "POST", { ...ok, cut: true }],
    ["a Retry-After beyond the limit", "GET", { status: 429, headers: { "retry-after": "3600" } }],
  ] as const)("is not made again after %s to a %s", async (_, method, reply) => {
    cloud.replies = [reply];
    await expect(calls[method]()).rejects.toThrow();
    expect(cloud.calls).toHaveLength(1);
  });

  test("is made five times at most", async () => {
    cloud.replies = [{ status: 503 }];
    await expect(calls.GET()).rejects.toMatchObject({ status: 503 });
    expect(cloud.calls).toHaveLength(5);
  });

  test("costs one deadline where the cloud accepts it and never answers", async () => {
    cloud.replies = [{ hang: true }];
    await expect(calls.GET({ timeoutMs: 300 })).rejects.toMatchObject({
      code: "E_CLOUD_UNREACHABLE",
      message: expect.stringContaining("no answer within 0.3 s"),
    });
    expect(cloud.calls).toHaveLength(1);
  });

  test("is E_CLOUD_UNREACHABLE where the cloud is gone", async () => {
    await cloud.stop();
    await expect(calls.GET()).rejects.toMatchObject({ code: "E_CLOUD_UNREACHABLE", exitCode: 3 });
    cloud = await ScriptedCloud.start();
  });

  test("ends with its caller's reason when he gives up, before or within it", async () => {
    cloud.replies = [{ hang: true }];
    const caller = new AbortController();
    const within = expect(calls.GET({ signal: caller.signal })).rejects.toThrow("enough");
    await expect.poll(() => cloud.calls.length).toBe(1);
    caller.abort(new Error("enough"));
    await within;
    await expect(calls.GET({ signal: caller.signal })).rejects.toThrow("enough");
    expect(cloud.calls).toHaveLength(1);
  });
});
