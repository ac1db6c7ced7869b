import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { BalancerEngine, BalancerHealth, BalancerPlan } from "../../src/cloud/loadbalancer/engine.ts";
import { haproxyConfig } from "../../src/cloud/loadbalancer/haproxy/config.ts";
import { type Answer, TestCloud } from "./support.ts";

// Statuses and words are Octavia's, read in its source; with pretended guests balancers are as its no-op driver has them.

let cloud: TestCloud;
let subnetId: string;
let networkId: string;
beforeAll(async () => {
  cloud = await TestCloud.start();
  const { network, subnet } = await cloud.routedNetwork();
  [networkId, subnetId] = [network.id, subnet.id];
});
afterAll(() => cloud.remove());

/** Runs balancers as HAProxy does: one that is as planned is left alone, another takes the place of one that is not, and counts anew. */
class PaperEngine implements BalancerEngine {
  readonly running = new Map<string, { config: string; listeners: string[]; connections: number }>();
  waiting = false;
  #held: Promise<void> | undefined;

  /** Has it stand still in the middle of its work, until what is returned is called; that throws where it does not stand there. */
  hold(): () => void {
    let open = () => {};
    this.#held = new Promise((resolve) => {
      open = resolve;
    });
    return () => {
      if (!this.waiting) throw new Error("nothing is being changed");
      this.#held = undefined;
      this.waiting = false;
      open();
    };
  }

  serve(id: string, connections: number): void {
    const one = this.running.get(id);
    if (one !== undefined) one.connections += connections;
  }

  async apply(plan: BalancerPlan, replaced: (before: BalancerHealth) => void): Promise<void> {
    this.waiting = this.#held !== undefined;
    await this.#held;
    const config = haproxyConfig(plan);
    const before = await this.health(plan.id);
    if (before !== undefined && this.running.get(plan.id)?.config === config) return;
    this.running.set(plan.id, { config, listeners: plan.listeners.map(({ id }) => id), connections: 0 });
    if (before !== undefined) replaced(before);
  }

  async remove(id: string): Promise<void> {
    this.running.delete(id);
  }

  async keepOnly(): Promise<void> {}

  async health(id: string): Promise<BalancerHealth | undefined> {
    const one = this.running.get(id);
    if (one === undefined) return undefined;
    const counts = { bytes_in: 0, bytes_out: 0, active_connections: 0, request_errors: 0 };
    const traffic = one.listeners.map((listener) => [listener, { ...counts, total_connections: one.connections }]);
    return { members: {}, traffic: Object.fromEntries(traffic) };
  }
}

const path = "/load-balancer/v2.0/lbaas";
const get = (rest: string) => cloud.get(path + rest);
const post = (rest: string, body: unknown) => cloud.post(path + rest, body);
const put = (rest: string, body: unknown) => cloud.put(path + rest, body);
const remove = (rest: string) => cloud.delete(path + rest);

/** Makes a resource that must be made, and waits until it is in effect. */
async function make(kind: string, fields: Record<string, unknown>, plural = `${kind}s`) {
  const answer = await post(`/${plural}`, { [kind]: fields });
  expect(answer.status, answer.text).toBe(201);
  expect(answer.body[kind].provisioning_status).toBe("PENDING_CREATE");
  await cloud.cloud.idle();
  return answer.body[kind];
}

const balancer = (fields: Record<string, unknown> = {}) =>
  make("loadbalancer", { name: "lb", vip_subnet_id: subnetId, ...fields });

const end = async (id: string) => {
  expect((await remove(`/loadbalancers/${id}?cascade=true`)).status).toBe(204);
  await cloud.cloud.idle();
};

function expectRefused(answer: Answer, status: number, faultstring: string): void {
  expect([answer.status, answer.body]).toEqual([
    status,
    { faultcode: status < 500 ? "Client" : "Server", faultstring, debuginfo: null },
  ]);
}

describe("a load balancer", () => {
  it("has a port in Neutron that carries a floating IP, and a group that lets in what its listeners take", async () => {
    const made = await balancer({ vip_address: "10.1.0.50" });
    expect(made).toMatchObject({
      ...{ name: "lb", vip_address: "10.1.0.50", vip_subnet_id: subnetId, vip_network_id: networkId },
      ...{ provider: "amphora", admin_state_up: true, operating_status: "OFFLINE", listeners: [], pools: [] },
    });
    const { port } = (await cloud.get(`/network/v2.0/ports/${made.vip_port_id}`)).body;
    expect(port).toMatchObject({ device_owner: "Octavia", device_id: `lb-${made.id}`, name: `octavia-lb-${made.id}` });
    const floating = await cloud.make("floatingip", {
      floating_network_id: await cloud.externalNetworkId(),
      port_id: made.vip_port_id,
    });
    expect(floating.fixed_ip_address).toBe("10.1.0.50");
    const listener = { protocol: "TCP", protocol_port: 25, loadbalancer_id: made.id, allowed_cidrs: ["10.9.0.0/16"] };
    await make("listener", listener);
    const admin = { token: await cloud.adminToken() };
    const [groupId] = port.security_groups;
    const group = (await cloud.get(`/network/v2.0/security-groups/${groupId}`, admin)).body.security_group;
    expect(
      group.security_group_rules.filter((rule: { direction: string }) => rule.direction === "ingress"),
    ).toMatchObject([{ protocol: "tcp", port_range_min: 25, port_range_max: 25, remote_ip_prefix: "10.9.0.0/16" }]);
    expect((await cloud.get(`/network/v2.0/security-groups/${groupId}`)).status).toBe(404);
    const children = `Validation failure: Cannot delete Load Balancer ${made.id} - it has children`;
    expectRefused(await remove(`/loadbalancers/${made.id}`), 400, children);
    await end(made.id);
    expectRefused(await get(`/loadbalancers/${made.id}`), 404, `Load Balancer ${made.id} not found.`);
    expect((await cloud.get(`/network/v2.0/ports/${made.vip_port_id}`)).status).toBe(404);
    expect((await get("/listeners")).body.listeners).toEqual([]);
  });

  it("gives back the port that it was given", async () => {
    const port = await cloud.make("port", { network_id: networkId });
    const made = await make("loadbalancer", { vip_port_id: port.id });
    expect(made.vip_address).toBe(port.fixed_ips[0].ip_address);
    const twice = await post("/loadbalancers", { loadbalancer: { vip_port_id: port.id } });
    expectRefused(twice, 400, `Validation failure: Port ${port.id} is already used by device lb-${made.id} `);
    await end(made.id);
    const after = (await cloud.get(`/network/v2.0/ports/${port.id}`)).body.port;
    expect(after).toMatchObject({ device_owner: "", device_id: "", security_groups: port.security_groups });
  });

  it("is changed by one at a time", async () => {
    const engine = new PaperEngine();
    const slow = await TestCloud.start({ balancerEngine: () => engine });
    onTestFinished(() => slow.remove());
    let letGo = engine.hold();
    const settled = async () => {
      await vi.waitFor(() => letGo());
      letGo = engine.hold();
      await slow.cloud.idle();
    };
    const { subnet } = await slow.routedNetwork();
    const { body } = await slow.post(`${path}/loadbalancers`, { loadbalancer: { vip_subnet_id: subnet.id } });
    const { id } = body.loadbalancer;
    const listener = { listener: { protocol: "HTTP", protocol_port: 80, loadbalancer_id: id } };
    const immutable = `Load Balancer ${id} is immutable and cannot be updated.`;
    expectRefused(await slow.post(`${path}/listeners`, listener), 409, immutable);
    await settled();
    expect((await slow.post(`${path}/listeners`, listener)).status).toBe(201);
    const state = `Invalid state PENDING_UPDATE of loadbalancer resource ${id}`;
    expectRefused(await slow.put(`${path}/loadbalancers/${id}`, { loadbalancer: { name: "x" } }), 409, state);
    expectRefused(await slow.delete(`${path}/loadbalancers/${id}?cascade=true`), 409, state);
    await settled();
    const { loadbalancer } = (await slow.get(`${path}/loadbalancers/${id}`)).body;
    expect(loadbalancer).toMatchObject({ provisioning_status: "ACTIVE", operating_status: "ONLINE" });
  });

  it("is made with all that belongs to it at once, and tells its tree", async () => {
    const member = { address: "10.1.0.7", protocol_port: 8080 };
    const healthmonitor = { type: "HTTP", delay: 5, timeout: 3, max_retries: 2 };
    const pool = { name: "web", protocol: "HTTP", lb_algorithm: "ROUND_ROBIN", members: [member], healthmonitor };
    const made = await balancer({
      listeners: [{ name: "http", protocol: "HTTP", protocol_port: 80, default_pool: { name: "web" } }],
      pools: [pool],
    });
    expect(made.pools[0]).toMatchObject({
      name: "web",
      members: [member],
      healthmonitor: { url_path: "/", expected_codes: "200" },
    });
    expect(made.listeners[0].default_pool_id).toBe(made.pools[0].id);
    const { statuses } = (await get(`/loadbalancers/${made.id}/status`)).body;
    expect(statuses.loadbalancer).toMatchObject({
      ...{ name: "lb", provisioning_status: "ACTIVE" },
      listeners: [{ name: "http", pools: [{ name: "web", health_monitor: { type: "HTTP" }, members: [member] }] }],
    });
    expect((await get(`/loadbalancers/${made.id}/stats`)).body.stats).toEqual({
      ...{ bytes_in: 0, bytes_out: 0, active_connections: 0, total_connections: 0, request_errors: 0 },
    });
    await end(made.id);
  });

  it("survives a restart, with what was promised before it", async () => {
    const { id } = await balancer();
    const asked = { listener: { protocol: "HTTP", protocol_port: 80, loadbalancer_id: id } };
    const { body } = await post("/listeners", asked);
    await cloud.restart();
    await cloud.logIn();
    await cloud.cloud.idle();
    const { listener } = (await get(`/listeners/${body.listener.id}`)).body;
    expect(listener).toMatchObject({ provisioning_status: "ACTIVE", loadbalancers: [{ id }] });
    await end(id);
  });
});

describe("a load balancer that is looked after while the cloud starts", () => {
  /** A cloud with one balancer, whose listener has counted three connections, after a restart of the cloud. */
  async function restarted(engine: PaperEngine) {
    const own = await TestCloud.start({ balancerEngine: () => engine });
    onTestFinished(() => own.remove());
    const { subnet } = await own.routedNetwork();
    const listeners = [{ protocol: "HTTP", protocol_port: 80 }];
    const { body } = await own.post(`${path}/loadbalancers`, { loadbalancer: { vip_subnet_id: subnet.id, listeners } });
    const { id, vip_port_id: port } = body.loadbalancer;
    await own.cloud.idle();
    engine.serve(id, 3);
    const begin = async () => {
      await own.restart();
      await own.logIn();
    };
    return { own, id, port, begin };
  }

  it("is deleted where that is asked for meanwhile, with all that was made for it", async () => {
    const engine = new PaperEngine();
    const { own, id, port, begin } = await restarted(engine);
    const letGo = engine.hold();
    await begin();
    expect((await own.delete(`${path}/loadbalancers/${id}?cascade=true`)).status).toBe(204);
    await vi.waitFor(() => letGo());
    await own.cloud.idle();
    expect(engine.running.has(id)).toBe(false);
    expect((await own.get(`${path}/loadbalancers/${id}`)).status).toBe(404);
    expect((await own.get(`${path}/listeners`)).body.listeners).toEqual([]);
    expect((await own.get(`/network/v2.0/ports/${port}`)).status).toBe(404);
  });

  it("is changed as it was asked for meanwhile, and no sooner said to be", async () => {
    const engine = new PaperEngine();
    const { own, id, begin } = await restarted(engine);
    const letGo = engine.hold();
    await begin();
    const listener = { listener: { protocol: "HTTP", protocol_port: 81, loadbalancer_id: id } };
    const made = (await own.post(`${path}/listeners`, listener)).body.listener;
    const letGoAgain = await vi.waitFor(() => {
      letGo();
      return engine.hold();
    });
    await vi.waitFor(() => expect(engine.waiting).toBe(true));
    const status = async () => (await own.get(`${path}/listeners/${made.id}`)).body.listener.provisioning_status;
    expect(await status()).toBe("PENDING_CREATE");
    letGoAgain();
    await own.cloud.idle();
    expect(await status()).toBe("ACTIVE");
    expect(engine.running.get(id)?.config).toContain(`frontend ${made.id}`);
  });

  it("tells what it counted, also after changes, and counts nothing twice", async () => {
    const engine = new PaperEngine();
    const { own, id, begin } = await restarted(engine);
    const counted = async () => (await own.get(`${path}/loadbalancers/${id}/stats`)).body.stats.total_connections;
    expect(await counted()).toBe(3);
    await begin();
    await own.cloud.idle();
    expect(await counted()).toBe(3);
    await own.put(`${path}/loadbalancers/${id}`, { loadbalancer: { name: "another" } });
    await own.cloud.idle();
    expect(await counted()).toBe(3);
    const [listener] = (await own.get(`${path}/listeners`)).body.listeners;
    await own.put(`${path}/listeners/${listener.id}`, { listener: { connection_limit: 7 } });
    await own.cloud.idle();
    engine.serve(id, 2);
    expect(await counted()).toBe(5);
  });
});

it("takes what Octavia's own client sends: numbers as text, and null for what is so unless told otherwise", async () => {
  const { id } = await balancer();
  const listener = { protocol: "TCP", protocol_port: 81, connection_limit: "5", loadbalancer_id: id };
  expect(await make("listener", listener)).toMatchObject({ connection_limit: 5 });
  const pool = await make("pool", { protocol: "HTTP", lb_algorithm: "ROUND_ROBIN", loadbalancer_id: id });
  const fields = { type: "HTTP", delay: "5", timeout: 3, max_retries: 2, max_retries_down: 2, url_path: "/x" };
  const monitor = await make("healthmonitor", { ...fields, pool_id: pool.id });
  expect(monitor).toMatchObject({ delay: 5, max_retries_down: 2, url_path: "/x" });
  const unset = await put(`/healthmonitors/${monitor.id}`, {
    healthmonitor: { max_retries_down: null, url_path: null },
  });
  expect(unset.body.healthmonitor).toMatchObject({ max_retries_down: 3, url_path: "/" });
  await cloud.cloud.idle();
  expect((await put(`/healthmonitors/${monitor.id}`, { healthmonitor: { delay: "soon" } })).status).toBe(400);
  expect((await remove(`/loadbalancers/${id}?cascade=true`)).status).toBe(204);
  await cloud.cloud.idle();
});

it("tells what Neutron refuses as its provider's failure", async () => {
  const wanted = { vip_subnet_id: subnetId, vip_address: "10.99.0.1" };
  const { status, body } = await post("/loadbalancers", { loadbalancer: wanted });
  expect([status, body.faultcode]).toEqual([500, "Server"]);
  expect(body.faultstring).toMatch(
    /^Provider 'amphora' reports error: IP address 10\.99\.0\.1 is not a valid IP for the specified subnet\.\nNeutron server returns request_ids: \['req-[0-9a-f-]{36}'\]$/,
  );
});

describe("pools, members and monitors", () => {
  it("live and end with their load balancer's consent", async () => {
    const { id } = await balancer();
    const pool = await make("pool", { protocol: "TCP", lb_algorithm: "LEAST_CONNECTIONS", loadbalancer_id: id });
    const members = `/pools/${pool.id}/members`;
    const address = { address: "10.1.0.7", protocol_port: 80 };
    const made = (await post(members, { member: address })).body.member;
    expect(made).toMatchObject({ weight: 1, backup: false, operating_status: "NO_MONITOR" });
    await cloud.cloud.idle();
    const twice = "Another member on this pool is already using ip 10.1.0.7 on protocol_port 80";
    expectRefused(await post(members, { member: address }), 409, twice);
    const unseen = "00000000-0000-4000-8000-000000000000";
    const elsewhere = { member: { ...address, protocol_port: 81, subnet_id: unseen } };
    expectRefused(await post(members, elsewhere), 400, `Subnet ${unseen} not found.`);
    const batch = [
      { ...address, weight: 5 },
      { address: "10.1.0.8", protocol_port: 80 },
    ];
    expect((await put(members, { members: batch })).status).toBe(202);
    await cloud.cloud.idle();
    const listed = async () => (await get(members)).body.members;
    expect(await listed()).toMatchObject([{ id: made.id, weight: 5 }, { address: "10.1.0.8" }]);
    expect((await put(members, { members: batch.slice(1) })).status).toBe(202);
    await cloud.cloud.idle();
    expect(await listed()).toMatchObject([{ address: "10.1.0.8" }]);

    const monitor = { type: "TCP", delay: 5, timeout: 3, max_retries: 2, pool_id: pool.id };
    const { id: monitorId } = await make("healthmonitor", monitor);
    expectRefused(
      await post("/healthmonitors", { healthmonitor: monitor }),
      409,
      "This pool already has a health monitor",
    );
    expect((await listed())[0].operating_status).toBe("OFFLINE");
    const path = { healthmonitor: { url_path: "/x" } };
    const words = "url_path is not a valid option for health monitors of type TCP";
    expectRefused(await put(`/healthmonitors/${monitorId}`, path), 400, words);
    expect((await get(`/pools/${pool.id}`)).body.pool).toMatchObject({ healthmonitor_id: monitorId, members: [{}] });
    expect((await remove(`/pools/${pool.id}`)).status).toBe(204);
    await cloud.cloud.idle();
    expectRefused(await get(`/healthmonitors/${monitorId}`), 404, `Health Monitor ${monitorId} not found.`);
    await end(id);
  });
});

describe("what this cloud has not got", () => {
  it.each<[string, Record<string, unknown>, number, string]>([
    [
      "TLS without Barbican",
      { protocol: "TERMINATED_HTTPS", default_tls_container_ref: "x" },
      400,
      "The selected protocol is not allowed in this deployment: TERMINATED_HTTPS",
    ],
    [
      "TLS without a certificate",
      { protocol: "TERMINATED_HTTPS" },
      400,
      "Validation failure: An SNI or default certificate container reference must be provided for TERMINATED_HTTPS protocol listeners.",
    ],
    ["UDP", { protocol: "UDP" }, 501, "Provider 'amphora' does not support a requested option: UDP listeners"],
    [
      "certificates",
      { protocol: "TCP", default_tls_container_ref: "x" },
      400,
      "Validation failure: Certificate container references are not allowed on TCP protocol listeners.",
    ],
    [
      "headers in TCP",
      { protocol: "TCP", insert_headers: { "X-Forwarded-For": "true" } },
      400,
      "insert-headers is not a valid option for a TCP protocol listener.",
    ],
    [
      "other headers",
      { protocol: "HTTP", insert_headers: { "X-Mine": "true" } },
      400,
      "['X-Mine'] is not a valid option for insert_headers",
    ],
  ])("%s", async (_, fields, status, words) => {
    const { id } = await balancer();
    expectRefused(
      await post("/listeners", { listener: { protocol_port: 80, loadbalancer_id: id, ...fields } }),
      status,
      words,
    );
    await end(id);
  });

  it("an address in the external network, where nothing can be plugged in", async () => {
    const asked = { loadbalancer: { vip_network_id: await cloud.externalNetworkId() } };
    const words = "Validation failure: Supplied VIP network_id is not allowed by the configuration of this deployment.";
    expectRefused(await post("/loadbalancers", asked), 400, words);
  });
});

describe("lists and quotas", () => {
  it("are filtered, sorted and paged", async () => {
    const made = [];
    for (const name of ["b", "a", "c"]) made.push(await balancer({ name, tags: [name] }));
    const names = async (query: string) =>
      (await get(`/loadbalancers?${query}`)).body.loadbalancers.map(({ name }: { name: string }) => name);
    expect(await names("sort=name:desc")).toEqual(["c", "b", "a"]);
    expect(await names("tags=a")).toEqual(["a"]);
    const first = (await get("/loadbalancers?sort=name&limit=2")).body;
    expect(first.loadbalancers_links).toMatchObject([{ rel: "next", href: expect.stringContaining("marker=") }]);
    expect(await names(`sort=name&limit=2&marker=${first.loadbalancers[1].id}`)).toEqual(["c"]);
    expect((await get("/loadbalancers?fields=name&name=a")).body.loadbalancers).toEqual([{ name: "a" }]);
    expectRefused(await get("/loadbalancers?color=red"), 400, "One or more arguments are either duplicate or invalid");
    for (const { id } of made) await end(id);
  });

  it("bound what a project has", async () => {
    const quota = `${path}/quotas/${cloud.projectId}`;
    const admin = { token: await cloud.adminToken() };
    expect((await cloud.put(quota, { quota: { loadbalancer: 0 } })).status).toBe(403);
    const changed = await cloud.put(quota, { quota: { loadbalancer: 0 } }, admin);
    const { quota: told } = changed.body;
    expect([changed.status, told.load_balancer, told.loadbalancer, told.project_id]).toEqual([
      202,
      0,
      undefined,
      undefined,
    ]);
    const [listed] = (await cloud.get(`${path}/quotas`)).body.quotas;
    expect(listed).toMatchObject({ load_balancer: 0, loadbalancer: 0, project_id: cloud.projectId });
    const refused = await post("/loadbalancers", { loadbalancer: { vip_subnet_id: subnetId } });
    expectRefused(refused, 403, "Quota has been met for resources: Load Balancer");
    expect((await cloud.delete(quota, admin)).status).toBe(204);
    expectRefused(await cloud.delete(quota, admin), 404, `Quotas ${cloud.projectId} not found.`);
  });
});
