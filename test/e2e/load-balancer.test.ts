import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findLeftovers } from "../../src/cloud/leftovers.ts";
import { createHaproxyEngine } from "../../src/cloud/loadbalancer/haproxy/engine.ts";
import { createLinuxDataplane } from "../../src/cloud/network/linux/dataplane.ts";
import { guestNamespace } from "../../src/cloud/network/linux/names.ts";
import { processesInNamespace } from "../../src/cloud/network/linux/netns.ts";
import { waitFor } from "../../src/common/wait.ts";
import { TestCloud } from "../cloud/support.ts";
import { registerCloud, removeCloud, whyNoGuests } from "./guests/scratch-cloud.ts";
import { askFromMachine, standIn } from "./guests/stand-in.ts";

const skipReason = await whyNoGuests();

const lbaas = "/load-balancer/v2.0/lbaas";

/** Servers on paper with the network of real ones: what answers for them stands in their namespaces. */
describe.skipIf(skipReason !== undefined)(`a load balancer (${skipReason ?? "Linux"})`, () => {
  let cloud: TestCloud;
  let id: string;
  let address: string;
  const members: ReturnType<typeof standIn>[] = [];

  const namespace = () => guestNamespace(cloud.cloud.instance, id);
  const shown = async () => (await cloud.get(`${lbaas}/loadbalancers/${id}`)).body.loadbalancer;
  /** Waits for what is measured every few seconds. */
  const untilStatus = (wanted: string) =>
    waitFor(
      `the load balancer to be ${wanted}`,
      async () => ((await shown()).operating_status === wanted ? true : undefined),
      { timeoutMs: 30_000, intervalMs: 200 },
    );
  const askedOften = async () => {
    const answers = [];
    for (let turn = 0; turn < 4; turn++) answers.push(await askFromMachine(address, 80));
    return [...new Set(answers)].sort();
  };

  beforeAll(async () => {
    cloud = await TestCloud.start({
      dataplane: ({ instance, stateDir, port }) => createLinuxDataplane({ instance, stateDir, hostPorts: [port] }),
      balancerEngine: createHaproxyEngine,
    });
    const { instance } = cloud.cloud;
    await registerCloud(instance, cloud.stateDir);
    const { network, subnet } = await cloud.routedNetwork("10.77.0.0/24");
    const group = await cloud.make("security_group", { name: "web" });
    const open = { direction: "ingress", protocol: "tcp", port_range_min: 8080, port_range_max: 8080 };
    await cloud.make("security_group_rule", { ...open, security_group_id: group.id, remote_ip_prefix: "10.77.0.0/24" });
    const addresses: string[] = [];
    for (const name of ["one", "two"]) {
      const networks = [{ uuid: network.id }];
      const server = await cloud.bootServer({ name, networks, security_groups: [{ name: "web" }] });
      const [{ addr }] = Object.values(server.addresses as Record<string, { addr: string }[]>)[0] as [{ addr: string }];
      const guest = standIn(guestNamespace(instance, server.id), addr, "10.77.0.1");
      await guest.start(8080, name);
      members.push(guest);
      addresses.push(addr);
    }
    const pool = {
      ...{ name: "web", protocol: "TCP", lb_algorithm: "ROUND_ROBIN" },
      healthmonitor: { type: "TCP", delay: 1, timeout: 1, max_retries: 1, max_retries_down: 1 },
      members: addresses.map((one) => ({ address: one, protocol_port: 8080 })),
    };
    const listeners = [{ protocol: "TCP", protocol_port: 80, default_pool: pool }];
    const made = await cloud.post(`${lbaas}/loadbalancers`, { loadbalancer: { vip_subnet_id: subnet.id, listeners } });
    if (made.status !== 201) throw new Error(made.text);
    const { loadbalancer } = made.body;
    id = loadbalancer.id;
    const floating = await cloud.make("floatingip", {
      floating_network_id: await cloud.externalNetworkId(),
      port_id: loadbalancer.vip_port_id,
    });
    address = floating.floating_ip_address;
    await cloud.cloud.idle();
  });

  afterAll(async () => {
    for (const member of members) member.stop();
    await cloud?.cloud.close();
    if (cloud !== undefined) await removeCloud(cloud.cloud.instance, cloud.stateDir);
  });

  it("spreads connections to its floating IP over its members, takes no others, and counts them", async () => {
    await untilStatus("ONLINE");
    expect(await shown()).toMatchObject({ provisioning_status: "ACTIVE" });
    expect(await askedOften()).toEqual(["one", "two"]);
    expect(await askFromMachine(address, 81)).toBe("timeout");
    const { stats } = (await cloud.get(`${lbaas}/loadbalancers/${id}/stats`)).body;
    expect(stats).toMatchObject({ total_connections: 4, request_errors: 0 });
    expect(stats.bytes_out).toBe(12);
  });

  it("leaves out a member that does not answer, and says so", async () => {
    members[0]?.stop();
    await untilStatus("DEGRADED");
    expect(await askedOften()).toEqual(["two"]);
    const { statuses } = (await cloud.get(`${lbaas}/loadbalancers/${id}/status`)).body;
    const [pool] = statuses.loadbalancer.listeners[0].pools;
    expect(pool.members.map((member: { operating_status: string }) => member.operating_status)).toEqual([
      "ERROR",
      "ONLINE",
    ]);
    await members[0]?.start(8080, "one");
    await untilStatus("ONLINE");
  });

  it("works on while the cloud is restarted, and is started again when it ended", async () => {
    await cloud.cloud.close();
    expect(await askedOften()).toEqual(["one", "two"]);
    await cloud.restart();
    await cloud.logIn();
    for (const pid of await processesInNamespace(namespace())) process.kill(pid, "SIGKILL");
    const answers = async () => (/^(one|two)$/.test(await askFromMachine(address, 80)) ? true : undefined);
    await waitFor("the load balancer to answer again", answers, { timeoutMs: 30_000 });
    expect(await askedOften()).toEqual(["one", "two"]);
  });

  it("takes a change without losing what it counted, and leaves nothing when it goes", async () => {
    const [listener] = (await shown()).listeners;
    const { total_connections: before } = (await cloud.get(`${lbaas}/listeners/${listener.id}/stats`)).body.stats;
    const change = { listener: { connection_limit: 100 } };
    expect((await cloud.put(`${lbaas}/listeners/${listener.id}`, change)).status).toBe(200);
    await cloud.cloud.idle();
    expect(await askedOften()).toEqual(["one", "two"]);
    const { total_connections: after } = (await cloud.get(`${lbaas}/listeners/${listener.id}/stats`)).body.stats;
    expect(after).toBe(before + 4);
    const ofBalancer = async () => {
      const found = await findLeftovers(cloud.cloud.instance);
      return found.filter(({ kind, name }) => kind === "process" || name === namespace()).map(({ kind }) => kind);
    };
    expect(new Set(await ofBalancer())).toEqual(new Set(["namespace", "process"])); // a teardown would see both
    expect((await cloud.delete(`${lbaas}/loadbalancers/${id}?cascade=true`)).status).toBe(204);
    await cloud.cloud.idle();
    expect(await ofBalancer()).toEqual([]);
  });
});
