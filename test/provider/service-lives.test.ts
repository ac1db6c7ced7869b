import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { BalancerEngine } from "../../src/cloud/loadbalancer/engine.ts";
import { InitializationFailed, type PropertyMap, type ResourceProvider } from "../../src/engine/resource-provider.ts";
import { createOpenStackProvider } from "../../src/provider/provider.ts";
import { Barbican } from "../support/stand-in/barbican.ts";
import { Designate } from "../support/stand-in/designate.ts";
import { type RunningServices, serve } from "../support/stand-in/server.ts";
import { type Life, live, type World } from "./life.ts";
import { again, make, resource, startTestCloud, type TestCloud } from "./test-cloud.ts";

vi.setConfig({ testTimeout: 30_000 });

/** What would run load balancers: it takes its time, and fails once where a test says so. */
class PaperEngine implements BalancerEngine {
  breakNext = false;
  async apply(): Promise<void> {
    await sleep(60);
    if (!this.breakNext) return;
    this.breakNext = false;
    throw new Error("no room for a load balancer");
  }
  async remove(): Promise<void> {}
  async keepOnly(): Promise<void> {}
  async health() {
    return { members: {}, traffic: {} };
  }
}

/** Load balancers are the embedded cloud's, as Keystone and Neutron are; what it has not stands in for the real ones. */
let cloud: TestCloud;
let services: RunningServices;
let provider: ResourceProvider;
const engine = new PaperEngine();
let designate: Designate;
let barbican: Barbican;
/** What load balancers need in Neutron. */
let subnetId: string;

beforeAll(async () => {
  cloud = await startTestCloud({ cloud: { balancerEngine: () => engine } });
  const projectId = await cloud.session.projectId();
  designate = new Designate({ projectId });
  barbican = new Barbican(() => services.url);
  services = await serve([designate, barbican]);
  provider = createOpenStackProvider({ env: {} });
  await provider.configure({
    ...cloud.variables,
    endpointOverrides: JSON.stringify({
      dns: `${services.url}/designate/v2/`,
      "key-manager": `${services.url}/barbican/v1/`,
    }),
  });
  const made = await make(provider, resource("networking/network:Network", "net"), {});
  subnetId = (
    await make(provider, resource("networking/subnet:Subnet", "net"), { networkId: made.id, cidr: "10.44.0.0/24" })
  ).id;
});
afterAll(async () => {
  await provider.close();
  await services.stop();
  await cloud.stop();
});

/** Somebody else's change. */
async function theirs(method: string, path: string, body: object): Promise<void> {
  const headers = { "x-auth-token": "theirs", "content-type": "application/json" };
  const answer = await fetch(`${services.url}${path}`, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  await new Promise((resolve) => setTimeout(resolve, 100)); // no change of ours stands in for the wait for theirs
}
const inOctavia = async (path: string, body: object) => {
  await cloud.session.request("load-balancer", "PUT", `/lbaas${path}`, { body });
  await cloud.cloud.idle();
};

/** A load balancer with a listener and its pool. */
async function balanced({ need }: World) {
  const loadBalancer = await need("loadbalancer/loadBalancer:LoadBalancer", { vipSubnetId: subnetId });
  const listener = await need("loadbalancer/listener:Listener", {
    loadbalancerId: loadBalancer.id,
    protocol: "HTTP",
    protocolPort: 80,
  });
  const pool = await need("loadbalancer/pool:Pool", {
    listenerId: listener.id,
    protocol: "HTTP",
    lbMethod: "ROUND_ROBIN",
  });
  return { loadBalancer, listener, pool };
}

const lives: Life[] = [
  {
    kind: "loadbalancer/loadBalancer:LoadBalancer",
    news: () => ({ vipSubnetId: subnetId, description: "front", tags: ["b", "a"] }),
    outputs: { adminStateUp: true, vipAddress: expect.stringMatching(/^10\.44\.0\./), loadbalancerProvider: "amphora" },
    drift: {
      by: (_, id) => inOctavia(`/loadbalancers/${id}`, { loadbalancer: { description: "theirs" } }),
      shows: "description",
    },
    update: { description: "", tags: ["c"], adminStateUp: false },
    replace: { news: { vipAddress: "10.44.0.200" }, because: "vipAddress" },
    importLacks: [],
  },
  {
    kind: "loadbalancer/listener:Listener",
    news: async ({ need }) => ({
      loadbalancerId: (await need("loadbalancer/loadBalancer:LoadBalancer", { vipSubnetId: subnetId })).id,
      protocol: "HTTP",
      protocolPort: 8080,
      description: "d",
      insertHeaders: { "X-Forwarded-For": "true" },
      allowedCidrs: ["10.0.0.0/8"],
      timeoutClientData: 1000,
      tags: ["a"],
    }),
    outputs: { connectionLimit: -1, timeoutMemberData: 50_000, defaultPoolId: "", sniContainerRefs: [] },
    drift: {
      by: (_, id) => inOctavia(`/listeners/${id}`, { listener: { timeout_client_data: 7 } }),
      shows: "timeoutClientData",
    },
    update: { description: "", insertHeaders: {}, allowedCidrs: [], connectionLimit: 100, tags: [] },
    replace: { news: { protocolPort: 8081 }, because: "protocolPort" },
    importLacks: [],
  },
  {
    kind: "loadbalancer/pool:Pool",
    news: async (world) => ({
      loadbalancerId: (await world.need("loadbalancer/loadBalancer:LoadBalancer", { vipSubnetId: subnetId })).id,
      protocol: "HTTP",
      lbMethod: "ROUND_ROBIN",
      persistence: { type: "APP_COOKIE", cookieName: "sid" },
    }),
    outputs: { persistence: { type: "APP_COOKIE", cookieName: "sid" }, description: "" },
    drift: { by: (_, id) => inOctavia(`/pools/${id}`, { pool: { lb_algorithm: "SOURCE_IP" } }), shows: "lbMethod" },
    update: { lbMethod: "LEAST_CONNECTIONS", description: "more" },
    replace: { news: { persistence: { type: "SOURCE_IP" } }, because: "persistence" },
    importLacks: [],
  },
  {
    kind: "loadbalancer/member:Member",
    news: async (world) => ({
      poolId: (await balanced(world)).pool.id,
      address: "10.44.0.9",
      protocolPort: 8080,
      weight: 0,
      monitorPort: 9090,
      monitorAddress: "10.44.0.10",
    }),
    outputs: { weight: 0, backup: false, subnetId: "" },
    drift: {
      by: (_, id, { poolId }) => inOctavia(`/pools/${String(poolId)}/members/${id}`, { member: { weight: 7 } }),
      shows: "weight",
    },
    update: { weight: 2, backup: true, monitorPort: null, monitorAddress: null },
    replace: { news: { protocolPort: 8081 }, because: "protocolPort" },
    importLacks: [],
  },
  {
    kind: "loadbalancer/members:Members",
    news: async (world) => ({
      poolId: (await balanced(world)).pool.id,
      members: [
        { address: "10.44.0.9", protocolPort: 80, weight: 1 },
        { address: "10.44.0.10", protocolPort: 80, weight: 3 },
      ],
    }),
    drift: {
      by: (_, id) => inOctavia(`/pools/${id}/members`, { members: [{ address: "10.44.0.66", protocol_port: 80 }] }),
      shows: "members",
    },
    update: { members: [{ address: "10.44.0.10", protocolPort: 80, weight: 0 }] },
    replace: { news: { poolId: "another" }, because: "poolId" },
    importLacks: [],
    outlives: true,
  },
  {
    kind: "loadbalancer/monitor:Monitor",
    news: async (world) => ({
      poolId: (await balanced(world)).pool.id,
      type: "HTTP",
      delay: 5,
      timeout: 3,
      maxRetries: 2,
      urlPath: "/healthz",
    }),
    outputs: { httpMethod: "GET", expectedCodes: "200", maxRetriesDown: 3 },
    drift: { by: (_, id) => inOctavia(`/healthmonitors/${id}`, { healthmonitor: { delay: 60 } }), shows: "delay" },
    update: { delay: 10, expectedCodes: "200-204" },
    replace: { news: { type: "HTTPS" }, because: "type" },
    importLacks: [],
  },
  {
    kind: "dns/zone:Zone",
    news: () => ({ name: "example.org.", email: "a@example.org", description: "d" }),
    outputs: { ttl: 3600, type: "PRIMARY", masters: [], attributes: {} },
    drift: { by: (_, id) => theirs("PATCH", `/designate/v2/zones/${id}`, { email: "b@example.org" }), shows: "email" },
    update: { ttl: 60, description: null, email: "c@example.org" },
    replace: { news: { name: "example.net." }, because: "name" },
    importLacks: ["disableStatusCheck"],
  },
  {
    kind: "dns/recordSet:RecordSet",
    news: async ({ need }) => ({
      zoneId: (await need("dns/zone:Zone", { name: "example.com.", email: "a@example.com" })).id,
      name: "www.example.com.",
      type: "A",
      records: ["10.0.0.2", "10.0.0.1"],
    }),
    outputs: { ttl: 0, description: "" },
    drift: {
      by: (_, id) => theirs("PUT", `/designate/v2/zones/${id.replace("/", "/recordsets/")}`, { records: ["10.9.9.9"] }),
      shows: "records",
    },
    update: { records: ["10.0.0.3"], ttl: 60, description: "three" },
    replace: { news: { type: "AAAA" }, because: "type" },
    importLacks: ["disableStatusCheck"],
  },
  {
    kind: "keymanager/secretV1:SecretV1",
    news: () => ({
      secretType: "passphrase",
      payload: "correct horse\n",
      payloadContentType: "text/plain;charset=utf-8",
      expiration: "2099-01-01T01:00:00.5+01:00",
      metadata: { a: "1", b: "2" },
      acl: { read: { projectAccess: false, users: ["u2", "u1"] } },
    }),
    outputs: {
      status: "ACTIVE",
      payload: "correct horse\n",
      expiration: "2099-01-01T00:00:00Z",
      allMetadata: { a: "1", b: "2" },
      contentTypes: { default: "text/plain" },
      acl: { read: expect.objectContaining({ projectAccess: false, users: ["u1", "u2"] }) },
    },
    drift: {
      by: (_, id) => theirs("PATCH", `/barbican/v1/secrets/${id}/acl`, { read: { "project-access": true, users: [] } }),
      shows: "acl",
    },
    update: { metadata: { b: "3", c: "4" }, acl: { read: { users: ["u3"] } } },
    replace: { news: { payload: "battery staple" }, because: "payload" },
    importLacks: ["metadata"],
  },
];

describe("the life of", () => {
  test.each(lives)("$kind", (life) => live(life, cloud, importsMembersByPool()));
});

describe("a busy load balancer", () => {
  test("takes many changes at once, one after another", async () => {
    const lb = await make(provider, resource("loadbalancer/loadBalancer:LoadBalancer", "busy"), {
      vipSubnetId: subnetId,
    });
    const ports = [81, 82, 83];
    const listeners = await Promise.all(
      ports.map((protocolPort) =>
        make(provider, resource("loadbalancer/listener:Listener", `l${protocolPort}`), {
          loadbalancerId: lb.id,
          protocol: "TCP",
          protocolPort,
        }),
      ),
    );
    const { body } = await cloud.session.request<{ loadbalancer: { listeners: { id: string }[] } }>(
      "load-balancer",
      "GET",
      `/lbaas/loadbalancers/${lb.id}`,
    );
    const ids = listeners.map(({ id }) => id);
    expect(body.loadbalancer.listeners.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    for (const made of [...listeners, lb]) await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
  });

  test("conflicts that do not pass are told at once", async () => {
    const lb = await make(provider, resource("loadbalancer/loadBalancer:LoadBalancer", "lb"), {
      vipSubnetId: subnetId,
    });
    const news = { loadbalancerId: lb.id, protocol: "TCP", protocolPort: 80 };
    const one = await make(provider, resource("loadbalancer/listener:Listener", "one"), news);
    const second = make(provider, resource("loadbalancer/listener:Listener", "two"), news);
    await expect(second).rejects.toThrow(/answered 409: Another Listener on this Load Balancer is already using/);
    for (const made of [one, lb]) await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
  });

  test("one in ERROR keeps its id and is named; what comes after it does not wait for it", async () => {
    engine.breakNext = true;
    const r = resource("loadbalancer/loadBalancer:LoadBalancer", "broken");
    const failed = (await make(provider, r, { vipSubnetId: subnetId }).catch((error: unknown) => error)) as Error;
    expect(failed).toBeInstanceOf(InitializationFailed);
    expect(failed.message).toMatch(/loadbalancer [0-9a-f-]{36} went into ERROR/);
    const { id, outputs } = failed as InitializationFailed;
    expect(failed.message).toMatch(/The next `slipway up` replaces it\.$/);
    expect((await provider.diff(r, id, outputs, {}, outputs, [])).replaces).toEqual(["status"]);
    const read = await provider.read(r, id, outputs, { vipSubnetId: subnetId, __defaults: ["name"] }, {});
    expect(read.outputs.status).toBe("ERROR");
    const below = make(provider, resource("loadbalancer/listener:Listener", "l"), {
      loadbalancerId: id,
      protocol: "TCP",
      protocolPort: 80,
    });
    await expect(below).rejects.toMatchObject({
      code: "E_UPDATE_FAILED",
      message: expect.stringMatching(/^the load balancer broken-[0-9a-f]{7} \(.*\) is in ERROR/),
    });
    await provider.delete(r, id, {}, {}, {});
    expect((await provider.read(r, id, {}, {}, {})).id).toBe("");
  });

  test("one that worked before is not replaced for its state, and a failed change says what to do", async () => {
    const r = resource("loadbalancer/loadBalancer:LoadBalancer", "known");
    const made = await make(provider, r, { vipSubnetId: subnetId });
    engine.breakNext = true;
    await inOctavia(`/loadbalancers/${made.id}`, { loadbalancer: { description: made.inputs.description ?? "" } });
    const read = await provider.read(r, made.id, made.outputs, made.inputs, {});
    expect(read.outputs).not.toHaveProperty("status");
    const retried = provider.update(r, made.id, read.outputs, made.inputs, made.inputs, false, {});
    await expect(retried).rejects.toMatchObject({ code: "E_UPDATE_FAILED", hint: expect.stringMatching(/mended/) });
    await provider.delete(r, made.id, made.outputs, made.inputs, {});
  });

  test("its security groups are those of its port", async () => {
    const group = await make(provider, resource("networking/secGroup:SecGroup", "group"), {});
    const r = resource("loadbalancer/loadBalancer:LoadBalancer", "guarded");
    const news = { vipSubnetId: subnetId, securityGroupIds: [group.id] };
    const made = await make(provider, r, news);
    expect(made.outputs.securityGroupIds).toEqual([group.id]);
    expect((await again(provider, made, news)).diff.changes).toBe(false);
    const { body } = await cloud.session.request<{ port: { security_groups: string[] } }>(
      "network",
      "GET",
      `/ports/${String(made.outputs.vipPortId)}`,
    );
    expect(body.port.security_groups).toEqual([group.id]);
    await provider.delete(r, made.id, made.outputs, made.inputs, {});
  });
});

describe("what an interrupted create made", () => {
  test("is found again, and nothing else", async () => {
    const lb = await make(provider, resource("loadbalancer/loadBalancer:LoadBalancer", "lb"), {
      vipSubnetId: subnetId,
    });
    const listener = await make(provider, resource("loadbalancer/listener:Listener", "l"), {
      loadbalancerId: lb.id,
      protocol: "HTTP",
      protocolPort: 80,
    });
    const pool = await make(provider, resource("loadbalancer/pool:Pool", "p"), {
      listenerId: listener.id,
      protocol: "HTTP",
      lbMethod: "ROUND_ROBIN",
    });
    const member = await make(provider, resource("loadbalancer/member:Member", "m"), {
      poolId: pool.id,
      address: "10.44.0.7",
      protocolPort: 80,
    });
    const monitor = await make(provider, resource("loadbalancer/monitor:Monitor", "h"), {
      poolId: pool.id,
      type: "TCP",
      delay: 5,
      timeout: 3,
      maxRetries: 2,
    });
    const zone = await make(provider, resource("dns/zone:Zone", "z"), { name: "found.org.", email: "a@found.org" });
    const set = await make(provider, resource("dns/recordSet:RecordSet", "s"), {
      zoneId: zone.id,
      name: "www.found.org.",
      type: "TXT",
      records: ["x"],
    });
    const secret = await make(provider, resource("keymanager/secretV1:SecretV1", "s"), { payload: "x" });
    const all = [lb, listener, pool, member, monitor, zone, set, secret];
    for (const { r, inputs, outputs, id } of all) {
      const found = await provider.findInterrupted?.(r, inputs);
      const { defaultPoolId: _, ...own } = outputs; // of the listener: the pool came later
      expect({ urn: r.urn, ...found }).toMatchObject({ urn: r.urn, id, outputs: own });
    }
    const other = await provider.findInterrupted?.(listener.r, { ...listener.inputs, protocolPort: 81 });
    expect(other).toBeUndefined();
    for (const { r, id, outputs, inputs } of all.toReversed()) await provider.delete(r, id, outputs, inputs, {});
  });
});

describe("pools and members", () => {
  test.each<[PropertyMap, string]>([
    [{}, "loadbalancerId"],
    [{ loadbalancerId: "l", listenerId: "l" }, "loadbalancerId"],
    [{ loadbalancerId: "l", persistence: { type: "APP_COOKIE" } }, "persistence"],
    [{ loadbalancerId: "l", persistence: { type: "SOURCE_IP", cookieName: "c" } }, "persistence"],
  ])("%j is refused in Check", async (news, property) => {
    const r = resource("loadbalancer/pool:Pool", "p");
    const { failures } = await provider.check(r, {}, { protocol: "HTTP", lbMethod: "ROUND_ROBIN", ...news });
    expect(failures.map((failure) => failure.property)).toEqual([property]);
  });

  test("a pool below a listener is imported with its listener", async () => {
    const lb = await make(provider, resource("loadbalancer/loadBalancer:LoadBalancer", "lb"), {
      vipSubnetId: subnetId,
    });
    const listener = await make(provider, resource("loadbalancer/listener:Listener", "l"), {
      loadbalancerId: lb.id,
      protocol: "HTTP",
      protocolPort: 80,
    });
    const r = resource("loadbalancer/pool:Pool", "p");
    const news = { listenerId: listener.id, protocol: "HTTP", lbMethod: "ROUND_ROBIN" };
    const pool = await make(provider, r, news);
    expect((await provider.read(r, pool.id, {}, {}, {})).inputs).toMatchObject(news);
    // the pool became the listener's: that is no difference of the listener
    const seen = await provider.read(listener.r, listener.id, listener.outputs, listener.inputs, {});
    expect(seen.outputs.defaultPoolId).toBe(pool.id);
    expect(seen.inputs).toEqual(listener.inputs);
    for (const made of [pool, listener, lb]) await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
  });
});

describe("zones", () => {
  test("a secondary zone's made-up address is no difference", async () => {
    const news = { name: "secondary.org.", type: "SECONDARY", masters: ["10.0.0.1"] };
    const made = await make(provider, resource("dns/zone:Zone", "z"), news);
    expect(made.outputs).toMatchObject({ email: "", masters: ["10.0.0.1"] });
    expect((await again(provider, made, news)).diff.changes).toBe(false);
    await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
  });

  test("another project's zone is made and read in its name", async () => {
    const before = designate.sudo.length;
    const news = { name: "sudo.org.", email: "a@sudo.org", projectId: "0".repeat(32) };
    const made = await make(provider, resource("dns/zone:Zone", "z"), news);
    expect(made.outputs.projectId).toBe(news.projectId);
    await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
    expect(designate.sudo.length - before).toBeGreaterThan(3);
  });

  test("one in ERROR is waited for unless the program says not to", async () => {
    designate.breakNext = true;
    const r = resource("dns/zone:Zone", "z");
    const failed = await make(provider, r, { name: "e.org.", email: "a@e.org" }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ name: "InitializationFailed", message: expect.stringContaining("went into ERROR") });
    const { id, outputs } = failed as InitializationFailed;
    expect((await provider.diff(r, id, outputs, {}, outputs, [])).replaces).toEqual(["status"]);
    await provider.delete(r, id, {}, {}, {});
    designate.breakNext = true;
    const news = { name: "e.org.", email: "a@e.org", disableStatusCheck: true };
    const made = await make(provider, r, news);
    await provider.delete(r, made.id, made.outputs, made.inputs, {});
  });
});

describe("secrets", () => {
  const r = resource("keymanager/secretV1:SecretV1", "s");

  test("the content is secret whatever the program says", () => {
    expect(provider.secretOutputs(r.type)).toEqual(["payload"]);
  });

  test("binary content is base64 in the state, and no content is none", async () => {
    const news = {
      secretType: "symmetric",
      algorithm: "aes",
      bitLength: 40,
      payload: Buffer.from("hello").toString("base64"),
      payloadContentType: "application/octet-stream",
      payloadContentEncoding: "base64",
    };
    const made = await make(provider, r, news);
    expect(made.outputs).toMatchObject(news);
    expect(barbican.secret(made.id).content?.toString()).toBe("hello");
    const bare = await make(provider, r, {});
    expect(bare.outputs).toMatchObject({ payload: "", payloadContentType: "", secretType: "opaque" });
    for (const { id, outputs, inputs } of [made, bare]) await provider.delete(r, id, outputs, inputs, {});
  });

  test("a content that may not be read is no difference, and the spaces around it are none", async () => {
    const made = await make(provider, r, { payload: "x" });
    barbican.sealed = true;
    try {
      const { outputs } = await provider.read(r, made.id, made.outputs, made.inputs, {});
      expect(outputs.payload).toBe("x");
    } finally {
      barbican.sealed = false;
    }
    expect((await again(provider, made, { payload: " x\n" })).diff.changes).toBe(false);
    await provider.delete(r, made.id, made.outputs, made.inputs, {});
  });

  test("metadata of others stays", async () => {
    const made = await make(provider, r, { payload: "x", metadata: { mine: "1" } });
    barbican.secret(made.id).metadata.theirs = "2";
    const { inputs } = await again(provider, made, { payload: "x" });
    const outputs = await provider.update(r, made.id, made.outputs, made.inputs, inputs, false, {});
    expect(outputs.allMetadata).toEqual({ theirs: "2" });
    await provider.delete(r, made.id, outputs, inputs, {});
  });
});

/** A member's id alone does not say where it is: it is imported as `POOL/MEMBER`. */
function importsMembersByPool(): ResourceProvider {
  let poolId = "";
  return {
    ...provider,
    async create(r, inputs, preview, options) {
      poolId = r.type.endsWith(":Member") ? String(inputs.poolId) : "";
      return provider.create(r, inputs, preview, options);
    },
    read: (r, id, outputs, inputs, options) =>
      provider.read(r, poolId && Object.keys(inputs).length === 0 ? `${poolId}/${id}` : id, outputs, inputs, options),
  };
}
