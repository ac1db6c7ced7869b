import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { parse } from "yaml";
import { FakeHypervisor } from "../../../src/cloud/hypervisors/fake.ts";
import type { GuestSpec } from "../../../src/cloud/hypervisors/hypervisor.ts";
import type { Dataplane, NetworkingPlan } from "../../../src/cloud/network/dataplane.ts";
import { TestCloud } from "../support.ts";

/** Remembers what each boot was given. */
class RecordingHypervisor extends FakeHypervisor {
  readonly booted: GuestSpec[] = [];
  override async boot(spec: GuestSpec): Promise<void> {
    this.booted.push(spec);
    await super.boot(spec);
  }
  /** The user-data of the last boot. */
  get userData(): string {
    return Buffer.from(this.booted.at(-1)?.configDrive["openstack/latest/user_data"] ?? "").toString();
  }
}

let cloud: TestCloud;
let hypervisor: RecordingHypervisor;
afterEach(() => cloud.remove());

async function start(more: { dataplane?: Dataplane } = {}) {
  hypervisor = new RecordingHypervisor();
  cloud = await TestCloud.start({ hypervisor, ...more });
  return cloud.routedNetwork();
}

const document =
  '#cloud-config\nruncmd:\n  - [systemctl, start, it]\nwrite_files:\n  - path: /a\n    permissions: "0644"\n';
const sent = Buffer.from(document).toString("base64");

async function boot(networkId: string, userData: string = sent) {
  return cloud.bootServer({ networks: [{ uuid: networkId }], user_data: userData });
}

describe("user-data on its way to a guest", () => {
  it.each([
    ["P16:apt-fails", { packages: ["slipway-no-such-package"] }],
    ["P16:unknown-key", { no_such_module: true }],
    ["P16:step-exits-7", { runcmd: ["exit 7", ["systemctl", "start", "it"]] }],
    ["P17:cloud-init-never-done", { bootcmd: [["sleep", "infinity"]] }],
  ])("is changed by %s, and by nothing when that is disarmed", async (name, change) => {
    const { network } = await start();
    cloud.cloud.faults.arm(name);
    const { id } = await boot(network.id);
    expect(hypervisor.userData).toMatch(/^#cloud-config\n/);
    expect(parse(hypervisor.userData)).toEqual({ ...parse(document), ...change });
    expect(hypervisor.userData).toContain('permissions: "0644"');
    expect(cloud.cloud.faults.list()).toMatchObject([{ firings: [{ what: `boot of server web ${id}` }] }]);

    await cloud.cloud.faults.disarm();
    await boot(network.id);
    expect(hypervisor.userData).toBe(document);
  });

  it("is unpacked where it is packed; what is no cloud-config is left as it is", async () => {
    const { network } = await start();
    cloud.cloud.faults.arm("P16:unknown-key");
    await boot(network.id, gzipSync(document).toString("base64"));
    expect(parse(hypervisor.userData)).toEqual({ ...parse(document), no_such_module: true });
    const script = "#!/bin/sh\ntrue\n";
    await boot(network.id, Buffer.from(script).toString("base64"));
    expect(hypervisor.userData).toBe(script);
    expect(cloud.cloud.faults.list()).toMatchObject([{ firings: [{}] }]);
  });

  it("makes new SSH host keys at the next boot, once, with P21", async () => {
    const { network } = await start();
    cloud.cloud.faults.arm("P21");
    const { id } = await boot(network.id);
    expect(hypervisor.userData).toBe(document);
    const reboot = async () => {
      await cloud.post(`/compute/v2.1/servers/${id}/action`, { reboot: { type: "HARD" } });
      await cloud.cloud.idle();
      return hypervisor.userData;
    };
    expect(parse(await reboot())).toEqual({
      ...parse(document),
      bootcmd: ["rm -f /etc/ssh/ssh_host_* && ssh-keygen -A"],
    });
    expect(await reboot()).toBe(document);
  });
});

it("P19:apt-lock-held: the first `bootcmd` holds dpkg's locks for as long as it is told to", async () => {
  const { network } = await start();
  cloud.cloud.faults.arm("P19", { delayMs: 5000 });
  await boot(network.id);
  const [[shell, , script]] = parse(hypervisor.userData).bootcmd;
  expect(shell).toBe("sh");
  expect(script).toMatch(/^setsid python3 -c '.*lock-frontend.*fcntl\.lockf.*time\.sleep\(5\)' .*&$/);
});

it("P23:ready-then-dies: a server ends by itself some time after its first boot", async () => {
  const { network } = await start();
  cloud.cloud.faults.arm("P23", { delayMs: 50 });
  const { id } = await boot(network.id);
  await expect.poll(async () => (await cloud.server(id)).status, { timeout: 10_000 }).toBe("SHUTOFF");
  await cloud.post(`/compute/v2.1/servers/${id}/action`, { "os-start": null });
  await cloud.cloud.idle();
  expect(await cloud.server(id)).toMatchObject({ status: "ACTIVE" });
});

it.each([
  ["P12:no-valid-host", /^No valid host was found\. $/],
  ["P12:gpu-exhausted", /^Exceeded maximum number of retries\. .* for instance [0-9a-f-]{36}\.$/],
])("%s: the server goes into ERROR and says why; no guest is made", async (name, words) => {
  const { network } = await start();
  cloud.cloud.faults.arm(name);
  const server = await boot(network.id);
  expect(server).toMatchObject({ status: "ERROR", fault: { code: 500, message: expect.stringMatching(words) } });
  expect(hypervisor.booted).toEqual([]);
  await cloud.cloud.faults.disarm();
  expect(await boot(network.id)).toMatchObject({ status: "ACTIVE" });
});

it("P17:ssh-late keeps port 22 shut for its delay, and opens it by itself", async () => {
  const plans: NetworkingPlan[] = [];
  const dataplane: Dataplane = {
    external: { cidr: "172.24.99.0/24", gatewayIp: "127.0.0.3" },
    start: async () => {},
    apply: async (plan) => void plans.push(plan),
    destroy: async () => {},
  };
  const { network } = await start({ dataplane });
  const { security_groups } = (await cloud.get("/network/v2.0/security-groups")).body;
  for (const port of [22, 5100]) {
    await cloud.make("security_group_rule", {
      ...{ security_group_id: security_groups[0].id, direction: "ingress", protocol: "tcp", ethertype: "IPv4" },
      ...{ port_range_min: port, port_range_max: port },
    });
  }
  const open = () =>
    plans
      .at(-1)
      ?.securityGroups.flatMap(({ rules }) => rules.flatMap(({ portMin }) => portMin ?? []))
      .sort();
  expect(open()).toEqual([22, 5100]);
  const delayMs = 500;
  const begun = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now: begun }); // a clock that stands still: a slow boot is not late
  onTestFinished(() => void vi.useRealTimers());
  cloud.cloud.faults.arm("ssh-late", { delayMs });
  await boot(network.id);
  expect(open()).toEqual([5100]);
  vi.setSystemTime(begun + delayMs);
  await expect.poll(open, { timeout: 10_000 }).toEqual([22, 5100]);
});
