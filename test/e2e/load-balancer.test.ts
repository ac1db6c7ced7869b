import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNspawnHypervisor } from "../../src/cloud/hypervisors/nspawn/hypervisor.ts";
import { ensureGuestImage } from "../../src/cloud/images/guest-image.ts";
import { findLeftovers } from "../../src/cloud/leftovers.ts";
import { createHaproxyEngine } from "../../src/cloud/loadbalancer/haproxy/engine.ts";
import { createLinuxDataplane } from "../../src/cloud/network/linux/dataplane.ts";
import { guestName, guestNamespace } from "../../src/cloud/network/linux/names.ts";
import { processesInNamespace } from "../../src/cloud/network/linux/netns.ts";
import { waitFor } from "../../src/common/wait.ts";
import { TestCloud } from "../cloud/support.ts";
import { registerCloud, removeCloud, whyNoGuests } from "./guests/scratch-cloud.ts";
import { askFromMachine } from "./guests/stand-in.ts";

const skipReason = await whyNoGuests();

const lbaas = "/load-balancer/v2.0/lbaas";

/** A guest that answers every connection at port 8080 with its name, after every boot. */
const answering = (name: string) => `#cloud-config
write_files:
- path: /usr/local/bin/answer
  content: |
    import socket
    server = socket.create_server(("", 8080))
    while True:
        caller, _ = server.accept()
        caller.sendall(b"${name}")
        caller.close()
- path: /etc/systemd/system/answer.service
  content: |
    [Service]
    ExecStart=/usr/bin/python3 /usr/local/bin/answer
    [Install]
    WantedBy=multi-user.target
runcmd:
- systemctl enable --now answer.service
- for path in latest/meta-data/instance-id latest/meta-data/local-ipv4 openstack/latest/meta_data.json; do
  python3 -c "import sys, urllib.request; print('told', urllib.request.urlopen(sys.argv[1]).read().decode())"
  http://169.254.169.254/$path > /dev/console; done
`;

describe.skipIf(skipReason !== undefined)(`a load balancer (${skipReason ?? "Linux"})`, () => {
  let cloud: TestCloud;
  let id: string;
  let address: string;
  const servers: string[] = [];

  const namespace = () => guestNamespace(cloud.cloud.instance, id);
  const shown = async () => (await cloud.get(`${lbaas}/loadbalancers/${id}`)).body.loadbalancer;
  /** Waits for what is measured every few seconds. */
  const untilStatus = (wanted: string) =>
    waitFor(
      `the load balancer to be ${wanted}`,
      async () => ((await shown()).operating_status === wanted ? true : undefined),
      { timeoutMs: 60_000, intervalMs: 200 },
    );
  const act = async (action: Record<string, unknown>) => {
    const answer = await cloud.post(`/compute/v2.1/servers/${servers[0]}/action`, action);
    expect(answer.status, answer.text).toBe(202);
  };
  /** How many connections were made to the listener. */
  let asked = 0;
  const askedOften = async () => {
    const answers = [];
    for (let turn = 0; turn < 4; turn++, asked++) answers.push(await askFromMachine(address, 80));
    return [...new Set(answers)].sort();
  };
  /** On a busy machine a member that works misses its checks now and then. */
  const untilBothAnswer = () =>
    waitFor("both guests to answer", async () => ((await askedOften()).join() === "one,two" ? true : undefined), {
      timeoutMs: 60_000,
    });

  beforeAll(async () => {
    const { rootfs: path, digest } = await ensureGuestImage();
    cloud = await TestCloud.start({
      hypervisor: createNspawnHypervisor,
      images: [{ name: "debian-13", path, digest, minDiskGb: 1 }],
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
      const user_data = Buffer.from(answering(name)).toString("base64");
      const server = await cloud.bootServer({ name, networks, user_data, security_groups: [{ name: "web" }] });
      const [{ addr }] = Object.values(server.addresses as Record<string, { addr: string }[]>)[0] as [{ addr: string }];
      servers.push(server.id);
      addresses.push(addr);
    }
    const pool = {
      ...{ name: "web", protocol: "TCP", lb_algorithm: "ROUND_ROBIN" },
      healthmonitor: { type: "TCP", delay: 2, timeout: 2, max_retries: 1, max_retries_down: 2 },
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
    await cloud?.cloud.close();
    if (cloud !== undefined) await removeCloud(cloud.cloud.instance, cloud.stateDir);
  });

  it("spreads connections to its floating IP over its members, takes no others, and counts them", async () => {
    // a member counts as working until its first check has failed: guests that boot come and go
    await untilBothAnswer();
    await untilStatus("ONLINE");
    expect(await shown()).toMatchObject({ provisioning_status: "ACTIVE" });
    const [haproxy] = await processesInNamespace(namespace());
    const environment = (await readFile(`/proc/${haproxy}/environ`, "utf8")).split("\0").filter(Boolean);
    expect(environment.map((variable) => variable.split("=")[0])).toEqual(["PATH"]); // a configuration may name others
    const stats = async () => (await cloud.get(`${lbaas}/loadbalancers/${id}/stats`)).body.stats;
    const [before, askedBefore] = [await stats(), asked];
    await untilBothAnswer();
    expect(await askFromMachine(address, 81)).toBe("timeout");
    const after = await stats();
    expect(after.total_connections - before.total_connections).toBe(asked - askedBefore);
    expect(after.bytes_out - before.bytes_out).toBe(3 * (asked - askedBefore));
  });

  it("has guests that ask who they are, and are told", async () => {
    for (const id of servers) {
      const { body } = await cloud.get(`/compute/v2.1/servers/${id}`);
      const [{ addr }] = Object.values(body.server.addresses as Record<string, { addr: string }[]>)[0] as [
        { addr: string },
      ];
      const lines = await waitFor(
        "a guest to have asked",
        async () => {
          const output = await cloud.post(`/compute/v2.1/servers/${id}/action`, { "os-getConsoleOutput": {} });
          const told = [...String(output.body.output).matchAll(/told (.*)/g)].map(([, line = ""]) => line.trim());
          return told.length < 3 ? undefined : told;
        },
        { timeoutMs: 30_000 },
      );
      expect(lines).toEqual([
        expect.stringMatching(/^i-[0-9a-f]{8}$/),
        addr,
        expect.stringContaining(`"uuid":"${id}"`),
      ]);
    }
  });

  it("leaves out a member that does not answer, and says so", async () => {
    await act({ "os-stop": null });
    await untilStatus("DEGRADED");
    expect(await askedOften()).toEqual(["two"]);
    const { statuses } = (await cloud.get(`${lbaas}/loadbalancers/${id}/status`)).body;
    const [pool] = statuses.loadbalancer.listeners[0].pools;
    expect(pool.members.map((member: { operating_status: string }) => member.operating_status)).toEqual([
      "ERROR",
      "ONLINE",
    ]);
    await act({ "os-start": null });
    await untilStatus("ONLINE");
  });

  it("works on while the cloud is restarted, and is started again when it ended", async () => {
    const counted = async () => (await cloud.get(`${lbaas}/loadbalancers/${id}/stats`)).body.stats.total_connections;
    const [before, askedBefore] = [await counted(), asked];
    await cloud.cloud.close();
    await untilBothAnswer();
    await cloud.restart();
    await cloud.logIn();
    await cloud.cloud.idle();
    expect(await counted()).toBe(before + asked - askedBefore);
    for (const pid of await processesInNamespace(namespace())) process.kill(pid, "SIGKILL");
    const answers = async () => (/^(one|two)$/.test(await askFromMachine(address, 80)) ? true : undefined);
    await waitFor("the load balancer to answer again", answers, { timeoutMs: 30_000 });
    await untilBothAnswer();
  });

  it("takes a change without losing what it counted, and leaves nothing when it goes", async () => {
    const [listener] = (await shown()).listeners;
    const { total_connections: before } = (await cloud.get(`${lbaas}/listeners/${listener.id}/stats`)).body.stats;
    const askedBefore = asked;
    const change = { listener: { connection_limit: 100 } };
    expect((await cloud.put(`${lbaas}/listeners/${listener.id}`, change)).status).toBe(200);
    await cloud.cloud.idle();
    await untilBothAnswer();
    const { total_connections: after } = (await cloud.get(`${lbaas}/listeners/${listener.id}/stats`)).body.stats;
    expect(after).toBe(before + asked - askedBefore);
    const ofBalancer = async () => {
      const found = await findLeftovers(cloud.cloud.instance);
      const names = [namespace(), guestName(cloud.cloud.instance, id)];
      return found.filter(({ name }) => names.some((one) => name.endsWith(one))).map(({ kind }) => kind);
    };
    expect(new Set(await ofBalancer())).toEqual(new Set(["namespace", "process"])); // a teardown would see both
    expect((await cloud.delete(`${lbaas}/loadbalancers/${id}?cascade=true`)).status).toBe(204);
    await cloud.cloud.idle();
    expect(await ofBalancer()).toEqual([]);
  });
});
