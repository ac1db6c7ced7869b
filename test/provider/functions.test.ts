import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PropertyMap, PropertyValue, ResourceProvider } from "../../src/engine/resource-provider.ts";
import { providerFunctions } from "../../src/provider/functions.ts";
import { createOpenStackProvider } from "../../src/provider/provider.ts";
import type { Property } from "../../src/provider/schema/property.ts";
import facts from "./function-facts.json" with { type: "json" };
import { make, providerOf, resource, startTestCloud, type TestCloud } from "./test-cloud.ts";

/** What `@pulumi/openstack` 3.15.2 knows of a function: `string required`, `boolean =False`; a result that it sets in each answer is `always` there. */
interface Facts {
  token: string;
  args: Record<string, string>;
  results: Record<string, string>;
}
const known = Object.values(facts as Record<string, Facts>);

let cloud: TestCloud;
let provider: ResourceProvider;
let admin: ResourceProvider;
/** Ids of what there is to look up, by a short name. */
const ids: Record<string, string> = {};

beforeAll(async () => {
  cloud = await startTestCloud();
  provider = await providerOf(cloud);
  admin = createOpenStackProvider({ env: {} });
  const { username: userName, password, projectName: tenantName } = cloud.cloud.credentials.admin;
  await admin.configure({ ...cloud.variables, userName, password, tenantName });
  await furnish();
});
afterAll(async () => {
  await provider.close();
  await admin.close();
  await cloud.stop();
});

/** Two of most things, so that a look-up has something to choose from. */
async function furnish(): Promise<void> {
  const add = async (short: string, kind: string, news: PropertyMap) => {
    ids[short] = (await make(provider, resource(kind, short), news)).id;
  };
  await add("key", "compute/keypair:Keypair", { name: "key" });
  await add("net", "networking/network:Network", { name: "net", tags: ["a"] });
  const networkId = ids.net ?? "";
  await add("one", "networking/subnet:Subnet", {
    name: "one",
    networkId,
    cidr: "10.9.0.0/24",
    gatewayIp: "10.9.0.1",
    dnsNameservers: ["10.9.0.2"],
    allocationPools: [{ start: "10.9.0.10", end: "10.9.0.99" }],
    tags: ["a", "b"],
  });
  await add("two", "networking/subnet:Subnet", { name: "two", networkId, cidr: "10.9.1.0/24", enableDhcp: false });
  const external = (await provider.invoke(tokenOf("getNetwork"), { name: "public" })).result;
  ids.public = String(external.id);
  await add("router", "networking/router:Router", { name: "router", externalNetworkId: ids.public ?? "", tags: ["a"] });
  await add("other-router", "networking/router:Router", { name: "other", adminStateUp: false });
  await add("group", "networking/secGroup:SecGroup", { name: "group", description: "mine", tags: ["a"] });
  await add("port", "networking/port:Port", {
    name: "port",
    networkId,
    fixedIps: [{ subnetId: ids.one ?? "", ipAddress: "10.9.0.50" }],
    securityGroupIds: [ids.group ?? ""],
    tags: ["a"],
  });
  await add("bare", "networking/port:Port", { name: "bare", networkId, noSecurityGroups: true });
  await add("address", "networking/floatingIp:FloatingIp", { pool: "public", description: "mine", tags: ["a"] });
  await add("other-address", "networking/floatingIp:FloatingIp", { pool: "public" });
  await add("server", "compute/instance:Instance", {
    name: "server",
    imageName: "debian-13",
    flavorName: "m1.small",
    keyPair: "key",
    networks: [{ port: ids.port ?? "" }],
    metadata: { role: "web" },
    tags: ["t"],
  });
  for (const [name, role] of [
    ["data", "db"],
    ["rest", "web"],
  ]) {
    const { body } = await cloud.session.request<{ volume: { id: string } }>("volumev3", "POST", "/volumes", {
      body: { volume: { name, size: 1, metadata: { role } } },
    });
    ids[name ?? ""] = body.volume.id;
  }
  await cloud.cloud.idle();
}

function tokenOf(name: string): string {
  const found = known.find(({ token }) => token.endsWith(`:${name}`));
  if (found === undefined) throw new Error(`no facts of ${name}`);
  return found.token;
}

/** Every `$name` becomes that thing's id. */
function withIds(value: PropertyValue): PropertyValue {
  if (typeof value === "string" && value.startsWith("$")) return ids[value.slice(1)] ?? value;
  if (Array.isArray(value)) return value.map(withIds);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withIds(one)]));
}

describe("the tables", () => {
  test("there are all functions and no others", () => {
    expect([...providerFunctions.keys()].sort()).toEqual(known.map(({ token }) => token).sort());
  });

  test.each(known)("$token takes what the official provider takes", ({ token, args }) => {
    const ours = Object.entries(providerFunctions.get(token)?.args ?? {});
    expect(Object.fromEntries(ours.map(([name, property]) => [name, factOf(property)]))).toEqual(args);
  });
});

function factOf({ shape, required, default: value }: Property): string {
  const kind = shape.is === "list" || shape.is === "set" ? "array" : shape.is;
  return kind + (required ? " required" : "") + (value === undefined ? "" : ` =${pythonic(value)}`);
}

/** The facts' way to write defaults. */
function pythonic(value: PropertyValue): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  return String(value);
}

type Case = [name: string, args: PropertyMap, expected: PropertyMap];

const answers: Case[] = [
  [
    "getKeypair",
    { name: "key" },
    { id: "key", name: "key", fingerprint: expect.stringMatching(/^([0-9a-f]{2}:){15}/) },
  ],
  ["getFlavor", { name: "m1.small" }, { name: "m1.small", vcpus: 1, ram: 2048, disk: 20, isPublic: true }],
  ["getFlavor", { minRam: 4000 }, { name: "m1.medium" }],
  // CRC-32 of "nova-", as Terraform hashes the names
  ["getAvailabilityZones", {}, { names: ["nova"], state: "available", id: "3928017685" }],
  ["getAvailabilityZones", { state: "unavailable" }, { names: [], id: "0" }],
  ["getNetwork", { name: "net" }, { id: "$net", adminStateUp: "true", shared: "false", allTags: ["a"] }],
  ["getNetwork", { matchingSubnetCidr: "10.9.1.0/24" }, { id: "$net", name: "net" }],
  [
    "getSubnet",
    { name: "one" },
    {
      id: "$one",
      cidr: "10.9.0.0/24",
      ipVersion: 4,
      gatewayIp: "10.9.0.1",
      enableDhcp: true,
      networkId: "$net",
      dnsNameservers: ["10.9.0.2"],
      allocationPools: [{ start: "10.9.0.10", end: "10.9.0.99" }],
      hostRoutes: [],
      allTags: ["a", "b"],
    },
  ],
  ["getSubnet", { networkId: "$net", tags: ["b", "a"] }, { id: "$one" }],
  ["getSubnet", { networkId: "$net", dhcpEnabled: false }, { id: "$two", enableDhcp: false }],
  ["getSubnet", { networkId: "$net", dhcpDisabled: true }, { id: "$two" }],
  ["getSubnet", { subnetId: "$two" }, { name: "two" }],
  ["getSubnet", { cidr: "10.9.1.0/24", ipVersion: 4 }, { id: "$two" }],
  ["getSubnetIdsV2", { networkId: "$net", sortKey: "name", sortDirection: "desc" }, { ids: ["$two", "$one"] }],
  ["getSubnetIdsV2", { networkId: "$net", nameRegex: "^o" }, { ids: ["$one"] }],
  ["getSubnetIdsV2", { name: "nothing" }, { ids: [], id: "0" }],
  [
    "getRouter",
    { name: "router" },
    {
      id: "$router",
      externalNetworkId: "$public",
      enableSnat: true,
      status: "ACTIVE",
      externalFixedIps: [{ ipAddress: expect.any(String), subnetId: expect.any(String) }],
      allTags: ["a"],
    },
  ],
  ["getRouter", { adminStateUp: false }, { id: "$other-router", adminStateUp: false, externalNetworkId: "" }],
  ["getRouter", { routerId: "$router", tags: ["a"] }, { name: "router" }],
  [
    "getPort",
    { name: "port" },
    {
      id: "$port",
      portId: "$port",
      networkId: "$net",
      allFixedIps: ["10.9.0.50"],
      allSecurityGroupIds: ["$group"],
      deviceId: "$server",
      bindings: [expect.objectContaining({ vnicType: "normal" })],
      allTags: ["a"],
    },
  ],
  ["getPort", { networkId: "$net", fixedIp: "10.9.0.50" }, { id: "$port" }],
  ["getPort", { networkId: "$net", securityGroupIds: ["$group", "elsewhere"] }, { id: "$port" }],
  ["getPort", { portId: "$bare" }, { name: "bare", allSecurityGroupIds: [] }],
  ["getSecGroup", { name: "group" }, { id: "$group", description: "mine", allTags: ["a"] }],
  ["getSecGroup", { secgroupId: "$group" }, { name: "group" }],
  ["getFloatingIp", { description: "mine" }, { id: "$address", pool: "$public", status: "DOWN", allTags: ["a"] }],
  ["getFloatingIp", { pool: "$public", tags: ["a"] }, { id: "$address" }],
  [
    "getInstanceV2",
    { id: "$server" },
    {
      id: "$server",
      name: "server",
      flavorName: "m1.small",
      imageName: "debian-13",
      keyPair: "key",
      powerState: "active",
      accessIpV4: "10.9.0.50",
      metadata: { role: "web" },
      securityGroups: ["group"],
      tags: ["t"],
      networks: [{ name: "net", fixedIpV4: "10.9.0.50", fixedIpV6: "", mac: expect.any(String), port: "", uuid: "" }],
    },
  ],
  ["getVolumeV3", { name: "data" }, { id: "$data", size: 1, status: "available", metadata: { role: "db" } }],
  ["getVolumeV3", { metadata: { role: "web" } }, { id: "$rest", name: "rest", bootable: "false", multiattach: false }],
  ["getVolumeV3", { status: "available", name: "rest" }, { attachments: [], sourceVolumeId: "" }],
  ["getImage", { name: "debian-13" }, { name: "debian-13", visibility: "public", sortKey: "name" }],
  ["getImage", { nameRegex: "^debian" }, { name: "debian-13" }],
  ["getImageIds", { nameRegex: "^deb" }, { ids: [expect.any(String)], sort: "name:asc" }],
  ["getImageIds", { sortKey: "created_at", sortDirection: "desc" }, { ids: [expect.any(String)] }],
  ["getImageIds", { properties: { os_distro: "none" } }, { ids: [], id: "0" }],
  [
    "getAuthScope",
    { name: "scope" },
    { id: "scope", userName: "demo", projectName: "demo", projectDomainName: "Default", domainId: "" },
  ],
];

describe("answers", () => {
  test.each(answers)("%s %j", async (name, args, expected) => {
    const { result, failures } = await provider.invoke(tokenOf(name), withIds(args) as PropertyMap);
    expect(failures).toEqual([]);
    expect(result).toMatchObject(withIds(expected) as PropertyMap);
    expectShape(name, result);
  });

  test("a hypervisor, for administrators", async () => {
    const token = tokenOf("getHypervisorV2");
    const { result } = await admin.invoke(token, { hostname: "slipway" });
    expect(result).toMatchObject({ id: "1", state: "up", status: "enabled", type: "fake" });
    expectShape("getHypervisorV2", result);
    expect(Number(result.memory)).toBeGreaterThan(0);
    await expect(provider.invoke(token, { hostname: "slipway" })).rejects.toMatchObject({ status: 403 });
    await expect(admin.invoke(token, { hostname: "elsewhere" })).rejects.toMatchObject({
      code: "E_LOOKUP",
      message: expect.stringContaining("Could not find any hypervisor with this name"),
    });
  });

  test("the login's roles and catalogue, and its token only where it is asked for", async () => {
    const ask = async (args: PropertyMap) =>
      (await provider.invoke(tokenOf("getAuthScope"), { name: "scope", ...args })).result;
    const scope = await ask({});
    expect(scope.roles).toContainEqual({ roleId: expect.any(String), roleName: "member" });
    const compute = (scope.serviceCatalogs as PropertyMap[]).find(({ type }) => type === "compute");
    expect(compute?.endpoints).toContainEqual({
      id: expect.any(String),
      interface: "public",
      region: "RegionOne",
      regionId: "RegionOne",
      url: await cloud.session.endpoint("compute"),
    });
    expect(scope).not.toHaveProperty("tokenId");
    expect((await ask({ setTokenId: true })).tokenId).toEqual(expect.stringMatching(/.{20}/));
  });

  test("a server that is not there is an empty answer, as the official provider has it", async () => {
    const { result } = await provider.invoke(tokenOf("getInstanceV2"), { id: "00000000-0000-0000-0000-000000000000" });
    expect(result.id).toBe("");
  });

  test("a keypair that is not there is the cloud's refusal", async () => {
    await expect(provider.invoke(tokenOf("getKeypair"), { name: "none" })).rejects.toMatchObject({ status: 404 });
  });
});

/** Every result that the official provider always answers is there, everything is of its type, and nothing else. */
function expectShape(name: string, result: PropertyMap): void {
  const results: Facts["results"] = known.find(({ token }) => token === tokenOf(name))?.results ?? {};
  for (const [key, fact] of Object.entries(results)) {
    const [type, always] = fact.split(" ");
    const value = result[key];
    if (value === undefined && always === undefined) continue;
    const number = type === "number" ? "integer" : type; // JSON's numbers are of one kind
    expect({ name, key, type: typeOf(value) }).toEqual({ name, key, type: number });
  }
  expect(Object.keys(result).filter((key) => results[key] === undefined)).toEqual([]);
}

function typeOf(value: PropertyValue | undefined): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "object" && value !== null) return "map";
  if (typeof value === "number") return "integer";
  return typeof value;
}

describe("exactly one", () => {
  const several: [string, PropertyMap, RegExp][] = [
    ["getSubnet", { networkId: "$net" }, /returned more than one openstack_networking_subnet_v2.*one \(.*two \(/],
    ["getRouter", {}, /More than one Router found.*other \(.*router \(/],
    ["getPort", { networkId: "$net" }, /More than one openstack_networking_port_v2 found.*bare \(/],
    ["getSecGroup", {}, /More than one Security Group found/],
    ["getFloatingIp", { pool: "$public" }, /More than one openstack_networking_floatingip_v2 found/],
    ["getVolumeV3", {}, /openstack_blockstorage_volume_v3 query returned multiple results.*data \(.*rest \(/],
  ];
  const none: [string, PropertyMap, RegExp][] = [
    ["getSubnet", { name: "no" }, /returned no openstack_networking_subnet_v2.*there is no subnet no; the cloud has /],
    ["getRouter", { name: "no" }, /No Router found: there is no router no; the cloud has other \(/],
    ["getPort", { name: "no" }, /No openstack_networking_port_v2 found: there is no port no/],
    ["getPort", { networkId: "$net", fixedIp: "10.9.0.77" }, /No openstack_networking_port_v2 found/],
    ["getSecGroup", { name: "no" }, /No Security Group found with name: there is no security group no/],
    ["getFloatingIp", { address: "10.0.0.9" }, /No openstack_networking_floatingip_v2 found/],
    ["getVolumeV3", { name: "no" }, /query returned no results: there is no volume no; the cloud has data \(/],
    ["getVolumeV3", { metadata: { role: "no" } }, /query returned no results/],
  ];

  test.each([...several, ...none])("%s %j", async (name, args, message) => {
    await expect(provider.invoke(tokenOf(name), withIds(args) as PropertyMap)).rejects.toMatchObject({
      code: "E_LOOKUP",
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ["getSubnet", { dhcpEnabled: true, dhcpDisabled: true }, "dhcpEnabled"],
    ["getSubnet", { ipVersion: 5 }, "ipVersion"],
    ["getSubnetIdsV2", { name: "a", nameRegex: "a" }, "name"],
    ["getSubnetIdsV2", { nameRegex: "(" }, "nameRegex"],
    ["getImageIds", { nameRegex: "(" }, "nameRegex"],
    ["getAvailabilityZones", { state: "up" }, "state"],
    ["getKeypair", {}, "name"],
    ["getInstanceV2", {}, "id"],
    ["getRouter", { nmae: "r" }, "nmae"],
  ] as [string, PropertyMap, string][])("%s refuses %j", async (name, args, property) => {
    const { failures } = await provider.invoke(tokenOf(name), args);
    expect(failures.map((failure) => failure.property)).toContain(property);
  });
});
