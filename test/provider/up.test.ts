import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ResourceProvider } from "../../src/engine/resource-provider.ts";
import { listServers } from "../../src/openstack/compute/servers.ts";
import { listFloatingIps } from "../../src/openstack/network/floating-ips.ts";
import { listPorts } from "../../src/openstack/network/ports.ts";
import { startTestCloud, type TestCloud } from "./test-cloud.ts";
import { TestProject } from "./test-project.ts";

// each run starts a Node that loads Pulumi's SDK: seconds where the machine is busy
vi.setConfig({ testTimeout: 90_000 });

/** The shipped program, through the embedded engine and this provider, on a cloud whose guests are on paper. The tests follow one another. */
let cloud: TestCloud;
let project: TestProject;
/** Calls of the engine on the provider in the run under test. */
let calls: string[] = [];
/** Set to make guests fail to boot. */
let bootFailure: string | undefined;

beforeAll(async () => {
  cloud = await startTestCloud({ guests: { failBoot: () => bootFailure } });
  project = await TestProject.create(cloud, recorded);
});
afterAll(() => cloud.stop());

/** The same provider, with a record of what it is asked to do. */
function recorded(provider: ResourceProvider): ResourceProvider {
  return new Proxy(provider, {
    get(target, name: keyof ResourceProvider) {
      const method = target[name];
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        calls.push(name);
        return (method as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

async function run(operation: "up" | "preview" | "destroy") {
  calls = [];
  return project[operation]();
}

const sorted = (steps: string[]) => [...steps].sort();

test("a preview on an empty cloud plans everything and makes nothing", async () => {
  const { changes } = await run("preview");
  expect(changes).toEqual({ create: 19 });
  expect(await listServers(cloud.session)).toEqual([]);
  expect(await listFloatingIps(cloud.session)).toEqual([]);
});

test("a failure in the middle names the cloud's reason, and the next run finishes", async () => {
  bootFailure = "no room on any compute host";
  await expect(run("up")).rejects.toThrow(/server-g1 .* went into ERROR.*no room on any compute host.*req-/);
  bootFailure = undefined;
  const [broken] = await listServers(cloud.session);
  await run("up");
  expect(project.steps).toContain("create-replacement Instance server-g1");
  expect(project.steps.filter((step) => step.includes("SecGroup"))).toEqual([]);
  const servers = await listServers(cloud.session);
  expect(servers.map(({ name, status }) => ({ name, status }))).toEqual([{ name: "server-g1", status: "ACTIVE" }]);
  expect(servers[0]?.id).not.toBe(broken?.id);
});

test("everything carries the stack's tag, and only the wanted ports are open", async () => {
  const tag = "slipway:slipway/production";
  expect(await listServers(cloud.session, { metadata: { slipway: tag } })).toHaveLength(1);
  expect(await listFloatingIps(cloud.session, { tags: tag })).toHaveLength(1);
  expect(await listPorts(cloud.session, { tags: tag })).toHaveLength(1);
  const { body } = await cloud.session.request<{ security_groups: Group[] }>("network", "GET", "/security-groups", {
    query: { tags: tag },
  });
  const rules = body.security_groups.flatMap((group) => group.security_group_rules);
  expect(
    sorted(rules.map((rule) => `${rule.direction} ${rule.ethertype} ${rule.port_range_min} ${rule.remote_ip_prefix}`)),
  ).toEqual([
    "egress IPv4 null null",
    "egress IPv6 null null",
    "ingress IPv4 22 172.24.64.0/18",
    "ingress IPv4 5100 0.0.0.0/0",
  ]);
});

interface Group {
  security_group_rules: Record<"direction" | "ethertype" | "port_range_min" | "remote_ip_prefix", string | null>[];
}

test("an unchanged program asks for nothing but the look-ups", async () => {
  const { changes, outputs } = await run("up");
  expect(changes).toEqual({ same: 19 });
  expect(calls.filter((call) => call === "invoke")).toHaveLength(3);
  expect(calls.filter((call) => ["create", "update", "delete", "read"].includes(call))).toEqual([]);
  expect(outputs).toMatchObject({
    serverName: "server-g1",
    generation: "g1",
    frontendPort: 5100,
    image: "debian-13",
    flavor: "m1.small",
    fixedIp: expect.stringMatching(/^10\.20\.0\.\d+$/),
    floatingIp: expect.stringMatching(/^172\.24\.\d+\.\d+$/),
  });
});

test("one edited rule: only that rule is replaced", async () => {
  await project.configure({ "slipway:sshCidr": "172.24.65.0/24" });
  await run("up");
  expect(project.steps).toEqual([
    "create-replacement SecGroupRule model-server-ssh",
    "replace SecGroupRule model-server-ssh",
    "delete-replaced SecGroupRule model-server-ssh",
  ]);
});

test("a renamed network is renamed, and nothing that depends on it is touched", async () => {
  await project.configure({ "slipway:network": "renamed" });
  const [before] = await listServers(cloud.session);
  await run("up");
  expect(sorted(project.steps)).toEqual([
    "update Network model-server",
    "update Router model-server",
    "update SecGroup model-server",
  ]);
  expect((await listServers(cloud.session))[0]?.id).toBe(before?.id);
});

test("another address range: subnet, interface, port and server follow in order, the address stays", async () => {
  const before = (await project.outputs()).floatingIp;
  await project.configure({ "slipway:cidr": "10.30.0.0/24" });
  const { outputs } = await run("up");
  expect(outputs.floatingIp).toBe(before);
  expect(outputs.fixedIp).toMatch(/^10\.30\.0\./);
  const at = (step: string) => project.steps.indexOf(step);
  expect(at("create-replacement Subnet model-server")).toBeLessThan(at("create-replacement Port server-g1"));
  expect(at("create-replacement Port server-g1")).toBeLessThan(at("create-replacement Instance server-g1"));
  expect(at("delete-replaced Instance server-g1")).toBeLessThan(at("create-replacement Instance server-g1"));
  expect(at("delete-replaced Port server-g1")).toBeLessThan(at("delete-replaced Subnet model-server"));
  expect(await listServers(cloud.session)).toHaveLength(1);
});

test("a new generation is a new host beside the same address", async () => {
  const before = (await project.outputs()).floatingIp;
  await project.configure({ "slipway:generation": 2 });
  const { outputs } = await run("up");
  expect(outputs).toMatchObject({ serverName: "server-g2", generation: "g2", floatingIp: before });
  expect(project.steps.indexOf("create Instance server-g2")).toBeLessThan(
    project.steps.indexOf("delete Instance server-g1"),
  );
  expect((await listServers(cloud.session)).map(({ name }) => name)).toEqual(["server-g2"]);
});

test("an unknown image fails in the preview with the cloud's images", async () => {
  await project.configure({ "slipway:image": "debain-13" });
  await expect(run("preview")).rejects.toMatchObject({
    code: "E_LOOKUP",
    message: expect.stringMatching(/there is no image debain-13; the cloud has debian-13 \([0-9a-f-]{36}\)/),
  });
});

test("an ambiguous image fails in the preview with both", async () => {
  await project.configure({ "slipway:image": "debian-13" });
  const { body } = await cloud.session.request<{ id: string }>("image", "POST", "/images", {
    body: { name: "debian-13", disk_format: "raw", container_format: "bare" },
  });
  await cloud.session.request("image", "PUT", `/images/${body.id}/file`, {
    body: Buffer.from("other"),
    headers: { "content-type": "application/octet-stream" },
    expect: [204],
  });
  await expect(run("preview")).rejects.toMatchObject({
    code: "E_LOOKUP",
    message: expect.stringContaining("2 images are called debian-13"),
    details: expect.arrayContaining([`debian-13 (${body.id})`]),
  });
  await cloud.session.request("image", "DELETE", `/images/${body.id}`);
});

test("a setting that does not exist fails in the program with what was meant", async () => {
  await project.configure({ "slipway:flavour": "m1.small" });
  await expect(run("preview")).rejects.toMatchObject({
    code: "E_CONFIG_INVALID",
    message: expect.stringContaining("slipway:flavour is not a setting; did you mean flavor?"),
  });
});

test("nothing is left after a destroy", async () => {
  await run("destroy");
  expect(await listServers(cloud.session)).toEqual([]);
  expect(await listPorts(cloud.session)).toEqual([]);
  expect(await listFloatingIps(cloud.session)).toEqual([]);
  for (const collection of ["routers", "subnets", "networks", "security-groups"]) {
    const { body } = await cloud.session.request<Record<string, { tags: string[] }[]>>(
      "network",
      "GET",
      `/${collection}`,
    );
    expect(body[collection.replace("-", "_")]?.filter(({ tags }) => tags.length > 0)).toEqual([]);
  }
  const keys = await cloud.session.request<{ keypairs: unknown[] }>("compute", "GET", "/os-keypairs");
  expect(keys.body.keypairs).toEqual([]);
});

test("without a publication the program says what to run", async () => {
  await project.configure({ "slipway:flavour": undefined });
  await rm(join(project.folder, ".slipway/stacks/production/publication.json"));
  await expect(run("preview")).rejects.toMatchObject({
    code: "E_PAYLOAD_MISSING",
    exitCode: 3,
    message: "nothing is published for stack production",
    hint: expect.stringContaining("Run `slipway payload push`"),
  });
});

test("a wrong password fails before anything is made, with the cloud's words", async () => {
  await project.publish("http://172.24.64.1:8080/v1/AUTH_demo/slipway-production");
  await project.logInAs({ password: "wrong" });
  await expect(run("preview")).rejects.toMatchObject({ code: "E_AUTH_FAILED", exitCode: 3 });
});
