import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InitializationFailed, type PropertyMap, type ResourceProvider } from "../../src/engine/resource-provider.ts";
import { OpenStackError } from "../../src/openstack/errors.ts";
import { unreachable } from "../../src/openstack/keystone.ts";
import { TransportError } from "../../src/openstack/transport.ts";
import { withSubnetsInTurn } from "../../src/provider/networking/subnets-in-turn.ts";
import { again, make, providerOf, resource, startTestCloud, type TestCloud } from "./test-cloud.ts";

/** Changes of single resources, on a cloud whose guests are on paper. */
let cloud: TestCloud;
let provider: ResourceProvider;
/** Set to make guests fail to boot. */
let bootFailure: string | undefined;

beforeAll(async () => {
  cloud = await startTestCloud({ guests: { failBoot: () => bootFailure } });
  provider = await providerOf(cloud);
});
afterAll(async () => {
  await provider.close();
  await cloud.stop();
});

const network = resource("networking/network:Network", "net");
const router = resource("networking/router:Router", "router");
const group = resource("networking/secGroup:SecGroup", "group");
const rule = resource("networking/secGroupRule:SecGroupRule", "rule");
const port = resource("networking/port:Port", "port");
const subnet = resource("networking/subnet:Subnet", "subnet");
const server = resource("compute/instance:Instance", "server");
const address = resource("networking/floatingIp:FloatingIp", "address");

type Made = Awaited<ReturnType<typeof make>>;

/** Diff and, if that says so, Update with new inputs. */
async function change(made: Made, news: PropertyMap) {
  const { inputs, diff } = await again(provider, made, news);
  const outputs = await provider.update(made.r, made.id, made.outputs, made.inputs, inputs, false, {});
  return { diff, outputs };
}

async function machine(news: PropertyMap = {}) {
  return make(provider, server, { imageName: "debian-13", flavorName: "m1.small", networkMode: "none", ...news });
}

describe("names", () => {
  test("a made-up name is kept from run to run and new on replacement", async () => {
    const made = await make(provider, network, {});
    expect(made.inputs.name).toMatch(/^net-[0-9a-f]{7}$/);
    expect(made.inputs.__defaults).toEqual(["name"]);
    expect((await again(provider, made, {})).inputs.name).toBe(made.inputs.name);
    expect((await provider.check(network, {}, {})).inputs.name).not.toBe(made.inputs.name);
  });

  test("a replacement deletes first where the program gave the name", async () => {
    const named = await make(provider, network, { name: "given" });
    const unnamed = await make(provider, network, {});
    const news = { transparentVlan: true };
    expect((await again(provider, named, { name: "given", ...news })).diff).toMatchObject({
      replaces: ["transparentVlan"],
      deleteBeforeReplace: true,
    });
    expect((await again(provider, unnamed, news)).diff.deleteBeforeReplace).toBe(false);
  });
});

describe("empty collections", () => {
  test("are in the state after a read, stay there over updates, and are no difference", async () => {
    const net = await make(provider, network, { name: "refreshed" });
    const made = await make(provider, subnet, { networkId: net.id, cidr: "10.3.0.0/24" });
    expect(made.outputs).not.toHaveProperty("hostRoutes");
    const read = await provider.read(subnet, made.id, made.outputs, made.inputs, {});
    expect(read.outputs).toEqual({ ...made.outputs, hostRoutes: [] });
    const seen = { ...made, outputs: read.outputs };
    const same = { networkId: net.id, cidr: "10.3.0.0/24" };
    expect((await again(provider, seen, same)).diff.changes).toBe(false);
    const { outputs } = await change(seen, { ...same, description: "new" });
    expect(outputs).toMatchObject({ description: "new", hostRoutes: [] });
  });
});

describe("tags", () => {
  test("foreign tags are no difference and survive a change of the own", async () => {
    const made = await make(provider, network, { name: "tagged", tags: ["a", "b"] });
    await cloud.session.request("network", "PUT", `/networks/${made.id}/tags`, {
      body: { tags: ["a", "b", "foreign"] },
    });
    const read = await provider.read(network, made.id, made.outputs, made.inputs, {});
    expect(read.outputs).toMatchObject({ tags: ["a", "b"], allTags: ["a", "b", "foreign"] });
    const seen = { ...made, outputs: read.outputs };
    expect((await again(provider, seen, { name: "tagged", tags: ["b", "a"] })).diff.changes).toBe(false);
    const { diff, outputs } = await change(seen, { name: "tagged", tags: ["b", "c"] });
    expect(diff.detailedDiff).toEqual({
      "tags[0]": { kind: "delete", inputDiff: false },
      "tags[1]": { kind: "add", inputDiff: false },
    });
    expect(outputs).toMatchObject({ tags: ["b", "c"], allTags: ["b", "c", "foreign"] });
  });
});

describe("updates in place", () => {
  test("a network takes what is new and forgets what is no more given", async () => {
    const made = await make(provider, network, { name: "one", description: "first" });
    const { diff, outputs } = await change(made, { name: "two" });
    expect(diff.detailedDiff).toEqual({
      name: { kind: "update", inputDiff: false },
      description: { kind: "delete", inputDiff: false },
    });
    expect(outputs).toMatchObject({ name: "two", description: "", id: made.id });
  });

  test("a port takes other groups, and none", async () => {
    const net = await make(provider, network, {});
    const inside = await make(provider, subnet, { networkId: net.id, cidr: "10.1.0.0/24" });
    const one = await make(provider, group, {});
    const base = { networkId: net.id, fixedIps: [{ subnetId: inside.id, ipAddress: "10.1.0.9" }] };
    const made = await make(provider, port, { ...base, securityGroupIds: [one.id] });
    expect(made.outputs).toMatchObject({ allFixedIps: ["10.1.0.9"], allSecurityGroupIds: [one.id] });
    const { outputs } = await change(made, { ...base, noSecurityGroups: true });
    expect(outputs.allSecurityGroupIds).toEqual([]);
  });

  test("a server takes another name, other metadata and another power state", async () => {
    const made = await machine({ name: "web", metadata: { role: "web", old: "1" } });
    expect(made.outputs).toMatchObject({ powerState: "active", imageName: "debian-13", flavorName: "m1.small" });
    expect(made.outputs.created).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC$/);
    const same = { imageName: "debian-13", flavorName: "m1.small", networkMode: "none" };
    const news = { ...same, name: "api", metadata: { role: "api" }, powerState: "shutoff" };
    const { diff, outputs } = await change(made, news);
    expect(diff.replaces).toEqual([]);
    expect(Object.keys(diff.detailedDiff)).toEqual(["metadata.old", "metadata.role", "name", "powerState"]);
    expect(outputs).toMatchObject({ name: "api", powerState: "shutoff", allMetadata: { role: "api" } });
    const started = await change(
      { ...made, inputs: { ...made.inputs, ...news }, outputs },
      { ...news, powerState: "active" },
    );
    expect(started.outputs.powerState).toBe("active");
  });

  test("user-data is in the state as SHA-1, and a change of it replaces the server", async () => {
    const made = await machine({ name: "ud", userData: "#cloud-config\nhostname: one\n" });
    expect(made.outputs.userData).toBe("57d2be4fd35ad8641a140adf2edb5e237c34cf36");
    const base = { name: "ud", imageName: "debian-13", flavorName: "m1.small", networkMode: "none" };
    expect((await again(provider, made, { ...base, userData: "#cloud-config\nhostname: one\n" })).diff.changes).toBe(
      false,
    );
    expect((await again(provider, made, { ...base, userData: "#cloud-config\nhostname: two\n" })).diff).toEqual({
      changes: true,
      replaces: ["userData"],
      deleteBeforeReplace: true,
      detailedDiff: { userData: { kind: "update-replace", inputDiff: false } },
    });
  });

  test("an association made elsewhere is no difference of the floating IP", async () => {
    const made = await make(provider, address, { pool: "public", description: "d" });
    const outputs = { ...made.outputs, portId: "elsewhere", fixedIp: "10.0.0.4" };
    const { diff } = await again(provider, { ...made, outputs }, { pool: "public", description: "d" });
    expect(diff.changes).toBe(false);
  });
});

describe("rules", () => {
  const base = { direction: "ingress", ethertype: "IPv4", protocol: "tcp" };

  test("another description excludes the old rule, another port does not", async () => {
    const { id: securityGroupId } = await make(provider, group, {});
    const given = { ...base, securityGroupId, portRangeMin: 80, portRangeMax: 80, remoteIpPrefix: "10.0.0.0/8" };
    const made = await make(provider, rule, given);
    expect((await again(provider, made, { ...given, description: "web" })).diff).toMatchObject({
      replaces: ["description"],
      deleteBeforeReplace: true,
    });
    expect((await again(provider, made, { ...given, portRangeMin: 81, portRangeMax: 81 })).diff).toMatchObject({
      replaces: ["portRangeMax", "portRangeMin"],
      deleteBeforeReplace: false,
    });
  });

  test("all ports, which Neutron stores as none, and a range with host bits are no difference", async () => {
    const { id: securityGroupId } = await make(provider, group, {});
    const all = { ...base, securityGroupId, portRangeMin: 1, portRangeMax: 65535 };
    const made = await make(provider, rule, all);
    expect(made.outputs).toMatchObject({ portRangeMin: 1, portRangeMax: 65535 });
    expect((await again(provider, made, all)).diff.changes).toBe(false);
    const ranged = { ...all, portRangeMin: 9, portRangeMax: 9, remoteIpPrefix: "10.0.0.5/24" };
    const other = await make(provider, rule, { ...ranged, remoteIpPrefix: "10.0.0.0/24" });
    expect((await again(provider, other, ranged)).diff.changes).toBe(false);
  });

  test("what Neutron would refuse is refused in Check", async () => {
    const news = {
      ...base,
      securityGroupId: "g",
      direction: "in",
      protocol: "http",
      portRangeMin: 70000,
      remoteIpPrefix: "10.0.0.0/33",
    };
    const { failures } = await provider.check(rule, {}, news);
    expect(failures.map(({ property }) => property).sort()).toEqual([
      "direction",
      "portRangeMin",
      "protocol",
      "remoteIpPrefix",
    ]);
  });
});

describe("interrupted and broken creates", () => {
  test("a server in ERROR keeps its id and its fault, and the next diff replaces it", async () => {
    bootFailure = "no valid host was found";
    const { inputs } = await provider.check(
      server,
      {},
      { imageName: "debian-13", flavorName: "m1.small", networkMode: "none" },
    );
    const failure = await provider.create(server, inputs, false, {}).catch((error: unknown) => error);
    bootFailure = undefined;
    expect(failure).toMatchObject({
      name: "InitializationFailed",
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      outputs: { powerState: "error" },
      reasons: [expect.stringMatching(/went into ERROR: .*no valid host was found.*\(created by request req-/)],
    });
    const { id, outputs } = failure as { id: string; outputs: PropertyMap };
    expect(await provider.diff(server, id, outputs, inputs, inputs, [])).toMatchObject({
      changes: true,
      replaces: ["powerState"],
    });
    // a run that gave up while the server was still being built hears of it with its next update
    const update = provider.update(server, id, { ...outputs, powerState: "build" }, inputs, inputs, false, {});
    await expect(update).rejects.toMatchObject({
      name: "InitializationFailed",
      outputs: { powerState: "error" },
      reasons: [expect.stringMatching(/went into ERROR: .*The next `slipway up` replaces it\.$/)],
    });
    await provider.delete(server, id, outputs, inputs, {});
  });

  test("what a create made before it was cut off is found again, and nothing else", async () => {
    const net = await make(provider, network, { name: "found", description: "mine" });
    const inside = await make(provider, subnet, { networkId: net.id, cidr: "10.2.0.0/24" });
    const bound = await make(provider, port, { networkId: net.id, fixedIps: [{ subnetId: inside.id }] });
    const host = await make(provider, server, {
      name: "host",
      imageName: "debian-13",
      flavorName: "m1.small",
      networks: [{ port: bound.id }],
      metadata: { slipway: "p/s" },
    });
    const floating = await make(provider, address, { pool: "public", description: "p/s address" });
    const firewall = await make(provider, group, { name: "fw" });
    const ssh = await make(provider, rule, {
      securityGroupId: firewall.id,
      direction: "ingress",
      ethertype: "IPv4",
      protocol: "tcp",
      portRangeMin: 22,
      portRangeMax: 22,
    });
    const key = await make(provider, resource("compute/keypair:Keypair", "key"), {
      name: "k",
      publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 x",
    });
    for (const made of [net, inside, bound, host, floating, firewall, ssh, key]) {
      const found = await provider.findInterrupted?.(made.r, made.inputs);
      expect({ urn: made.r.urn, id: found?.id }).toEqual({ urn: made.r.urn, id: made.id });
      const { updated: _, deviceId: __, deviceOwner: ___, privateKey: ____, ...outputs } = made.outputs;
      expect(found?.outputs).toMatchObject(outputs);
    }
    const find = (made: Made, over: PropertyMap) => provider.findInterrupted?.(made.r, { ...made.inputs, ...over });
    expect(await find(host, { metadata: { slipway: "p/other" } })).toBeUndefined();
    expect(await find(host, { name: "hos" })).toBeUndefined();
    expect(await find(floating, { description: "p/s" })).toBeUndefined();
    expect(await find(ssh, { portRangeMin: 23, portRangeMax: 23 })).toBeUndefined();
    expect(await find(key, { publicKey: "ssh-ed25519 other" })).toBeUndefined();
    await make(provider, network, { name: "found", description: "mine" });
    expect(await find(net, {})).toBeUndefined();
  });

  test("a server that went into ERROR meanwhile is found with its fault, so that it is replaced or deleted", async () => {
    bootFailure = "no valid host was found";
    try {
      const inputs = { name: "broken", imageName: "debian-13", flavorName: "m1.small", networkMode: "none" };
      const failed = await provider.create(server, inputs, false, {}).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(InitializationFailed);
      const { id } = failed as InitializationFailed;
      await expect(provider.findInterrupted?.(server, inputs)).rejects.toMatchObject({
        name: "InitializationFailed",
        id,
        reasons: [expect.stringContaining("went into ERROR")],
      });
      await provider.delete(server, id, {}, inputs, {});
    } finally {
      bootFailure = undefined;
    }
  });

  test("only a lost answer leaves it open whether something was made", () => {
    const lost = (code: string) =>
      unreachable(new TransportError("POST", new URL("http://cloud.test/servers"), code, code));
    const answered = (status: number) => new OpenStackError({ status, method: "POST", url: "u", body: "" });
    expect(provider.mayHaveMade?.(lost("TIMEOUT"))).toBe(true);
    expect(provider.mayHaveMade?.(answered(504))).toBe(true);
    expect(provider.mayHaveMade?.(lost("ECONNREFUSED"))).toBe(false);
    expect(provider.mayHaveMade?.(answered(409))).toBe(false);
    expect(provider.mayHaveMade?.(new Error("other"))).toBe(false);
  });

  test("of several subnets the first that has an address is taken", async () => {
    const full = (status: number, body: string) => new OpenStackError({ status, method: "POST", url: "u", body });
    const asked = async (refusals: Record<string, Error>) => {
      const tried: string[] = [];
      const call = async ({ subnetIds }: PropertyMap) => {
        const [id = ""] = subnetIds as string[];
        tried.push(id);
        if (refusals[id] !== undefined) throw refusals[id];
      };
      const outcome = await withSubnetsInTurn({ subnetIds: ["a", "b", "c"] }, "subnetIds", call).catch(String);
      return [tried.join(), outcome];
    };
    const exhausted = full(409, '{"NeutronError": {"type": "IpAddressGenerationFailure"}}');
    const drained = full(400, '{"NeutronError": {"type": "ExternalIpAddressExhausted"}}');
    expect(await asked({ a: exhausted, b: drained })).toEqual(["a,b,c", undefined]);
    expect(await asked({ a: full(404, "") })).toEqual(["a,b", undefined]);
    expect(await asked({ a: full(409, "OverQuota") })).toEqual(["a", expect.stringContaining("OverQuota")]);
    expect(await asked({ a: exhausted, b: exhausted, c: exhausted })).toEqual(["a,b,c", expect.any(String)]);
  });

  test("a gateway that is set after the create is on the subnet that the program names, and stays there", async () => {
    // only administrators choose a gateway's address
    const provider = await providerOf(cloud, cloud.adminVariables);
    const found = await provider.invoke("openstack:networking/getNetwork:getNetwork", {
      name: "public",
      external: true,
    });
    const { id: externalNetworkId = null, subnets } = found.result as { id: string; subnets: string[] };
    const news = {
      externalNetworkId,
      externalSubnetIds: subnets,
      vendorOptions: { setRouterGatewayAfterCreate: true },
    };
    const made = await make(provider, router, news);
    expect(made.outputs.externalFixedIps).toEqual([{ ipAddress: expect.any(String), subnetId: subnets[0] }]);
    const next = await again(provider, made, news);
    expect(next.diff.changes).toBe(false);
    const update = await provider.update(router, made.id, made.outputs, made.inputs, made.inputs, false, {});
    expect(update.externalFixedIps).toEqual(made.outputs.externalFixedIps);
    await provider.delete(router, made.id, made.outputs, made.inputs, {});
  });

  test("an address without a description is never adopted", async () => {
    const made = await make(provider, address, { pool: "public" });
    expect(await provider.findInterrupted?.(address, made.inputs)).toBeUndefined();
  });
});

describe("deletes", () => {
  test("something in use is retried until the limit, then the cloud's reason is told", async () => {
    const net = await make(provider, network, {});
    const inside = await make(provider, subnet, { networkId: net.id, cidr: "10.3.0.0/24" });
    const user = await make(provider, port, { networkId: net.id, fixedIps: [{ subnetId: inside.id }] });
    const short = provider.delete(network, net.id, net.outputs, net.inputs, { timeoutSeconds: 0.2 });
    await expect(short).rejects.toMatchObject({ name: "OpenStackError", status: 409 });
    const patient = provider.delete(network, net.id, net.outputs, net.inputs, {});
    await provider.delete(port, user.id, user.outputs, user.inputs, {});
    await patient;
    expect((await provider.read(network, net.id, net.outputs, net.inputs, {})).id).toBe("");
  });
});

describe("import", () => {
  test("inputs are what a program would have to say", async () => {
    const made = await make(provider, network, { name: "imported", description: "d", tags: ["t"] });
    const { id, inputs, outputs } = await provider.read(network, made.id, {}, {}, {});
    expect(id).toBe(made.id);
    expect(inputs).toMatchObject({ name: "imported", description: "d", __defaults: [] });
    expect(outputs.__meta).toBe(made.outputs.__meta);
  });
});

describe("what is not there", () => {
  test("a type and a function beyond the embedded engine", async () => {
    await expect(provider.check(resource("orchestration/stackV1:StackV1", "s"), {}, {})).rejects.toMatchObject({
      code: "E_UNSUPPORTED",
    });
    await expect(provider.invoke("openstack:dns/getZone:getZone", {})).rejects.toMatchObject({ code: "E_UNSUPPORTED" });
  });

  test.each([
    ["openstack:compute/getFlavor:getFlavor", "huge", /there is no flavor huge; the cloud has .*m1\.small \(\d+ vCPU/],
    ["openstack:images/getImage:getImage", "windows", /there is no image windows; the cloud has debian-13/],
    ["openstack:networking/getNetwork:getNetwork", "publik", /there is no network publik; the cloud has .*public/],
  ])("%s names the candidates", async (token, name, message) => {
    await expect(provider.invoke(token, { name })).rejects.toMatchObject({
      code: "E_LOOKUP",
      exitCode: 3,
      message: expect.stringMatching(message),
    });
  });
});
