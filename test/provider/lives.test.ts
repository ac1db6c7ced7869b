import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { PropertyMap, ResourceProvider } from "../../src/engine/resource-provider.ts";
import { findCredentials } from "../../src/openstack/clouds.ts";
import { openSession } from "../../src/openstack/session.ts";
import { type Life, live, type World } from "./life.ts";
import { providerOf, startTestCloud, type TestCloud } from "./test-cloud.ts";

vi.setConfig({ testTimeout: 30_000 });

/** Every kind's whole life, on a cloud whose guests are on paper. */
let cloud: TestCloud;
let provider: ResourceProvider;

beforeAll(async () => {
  cloud = await startTestCloud();
  provider = await providerOf(cloud);
});
afterAll(async () => {
  await provider.close();
  await cloud.stop();
});

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 test";
const machine = { imageName: "debian-13", flavorName: "m1.small", networkMode: "none" };
const volumePath = (id: string) => `/volumes/${id}`;

/** A network with a subnet and a port in it. */
async function connected({
  need,
}: World): Promise<Record<"network" | "subnet" | "port", PropertyMap & { id: string }>> {
  const network = await need("networking/network:Network", {});
  const subnet = await need("networking/subnet:Subnet", { networkId: network.id, cidr: "10.66.0.0/24" });
  const port = await need("networking/port:Port", { networkId: network.id, fixedIps: [{ subnetId: subnet.id }] });
  return { network, subnet, port };
}

/** The same behind a router that leads out. */
async function reachable(world: World) {
  const all = await connected(world);
  const { result: external } = await provider.invoke("openstack:networking/getNetwork:getNetwork", { name: "public" });
  const router = await world.need("networking/router:Router", { externalNetworkId: external.id ?? null });
  await world.need("networking/routerInterface:RouterInterface", { routerId: router.id, subnetId: all.subnet.id });
  return { ...all, router };
}

/** Changes a Neutron object behind the program's back. */
const byAnother = (path: string, member: string, fields: PropertyMap) => (_: World, id: string) =>
  cloud.session.request("network", "PUT", `/${path}/${id}`, { body: { [member]: fields } });

const lives: Life[] = [
  {
    kind: "compute/keypair:Keypair",
    news: () => ({ name: "key", publicKey }),
    outputs: { fingerprint: expect.stringMatching(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/) },
    replace: { news: { publicKey: `${publicKey}x` }, because: "publicKey" },
    importLacks: [],
  },
  {
    kind: "compute/instance:Instance",
    async news(world) {
      const { port } = await connected(world);
      return {
        ...{ name: "host", imageName: "debian-13", flavorName: "m1.tiny", networks: [{ port: port.id }] },
        ...{ metadata: { role: "web" }, tags: ["t"], stopBeforeDestroy: true },
        vendorOptions: { detachPortsBeforeDestroy: true },
      };
    },
    outputs: { powerState: "active", flavorName: "m1.tiny", allTags: ["t"], allMetadata: { role: "web" } },
    drift: {
      by: (_, id) =>
        cloud.session.request("compute", "PUT", `/servers/${id}`, { body: { server: { name: "theirs" } } }),
      shows: "name",
    },
    update: { flavorName: "m1.small", powerState: "shelved_offloaded", metadata: { role: "db" }, tags: ["u"] },
    replace: { news: { keyPair: "another" }, because: "keyPair" },
    // what Nova tells of an interface is its network; whether its port was given is not to be seen
    importLacks: ["stopBeforeDestroy", "vendorOptions", "networks"],
    importTakes: ["tags[0]"],
    restless: ["updated"],
  },
  {
    kind: "networking/network:Network",
    news: () => ({ name: "net", adminStateUp: true, tags: ["t"] }),
    outputs: { external: false, shared: false, allTags: ["t"] },
    drift: { by: byAnother("networks", "network", { description: "theirs" }), shows: "description" },
    update: { name: "nets", description: "d", tags: ["u"], adminStateUp: false },
    replace: { news: { transparentVlan: true }, because: "transparentVlan" },
    importLacks: [],
    importTakes: ["tags[0]"],
  },
  {
    kind: "networking/subnet:Subnet",
    async news({ need }) {
      const network = await need("networking/network:Network", {});
      const allocationPools = [{ start: "10.1.0.50", end: "10.1.0.99" }];
      return { name: "sub", networkId: network.id, cidr: "10.1.0.7/24", dnsNameservers: ["10.1.0.2"], allocationPools };
    },
    outputs: { gatewayIp: "10.1.0.1", enableDhcp: true, ipVersion: 4, noGateway: false },
    drift: { by: byAnother("subnets", "subnet", { dns_nameservers: [] }), shows: "dnsNameservers" },
    update: { name: "subs", dnsNameservers: ["10.1.0.3", "10.1.0.2"], enableDhcp: false },
    replace: { news: { cidr: "10.2.0.0/24" }, because: "cidr" },
    importLacks: [],
  },
  {
    kind: "networking/router:Router",
    news: () => ({ name: "r", adminStateUp: true, tags: ["t"] }),
    outputs: { externalNetworkId: "", enableSnat: false, externalFixedIps: [] },
    drift: { by: byAnother("routers", "router", { name: "theirs" }), shows: "name" },
    async update({ provider: asked }) {
      const { result } = await asked.invoke("openstack:networking/getNetwork:getNetwork", { name: "public" });
      return { name: "rs", externalNetworkId: result.id ?? null }; // SNAT is the administrator's to switch
    },
    replace: { news: { availabilityZoneHints: ["other"] }, because: "availabilityZoneHints" },
    importLacks: [],
    importTakes: ["tags[0]"],
  },
  {
    kind: "networking/routerInterface:RouterInterface",
    async news(world) {
      const { subnet } = await connected(world);
      return { routerId: (await world.need("networking/router:Router", {})).id, subnetId: subnet.id };
    },
    update: { forceDestroy: true },
    replace: { news: { subnetId: "another" }, because: "subnetId" },
    importLacks: [],
  },
  {
    kind: "networking/port:Port",
    async news({ need }) {
      const network = await need("networking/network:Network", {});
      const subnet = await need("networking/subnet:Subnet", { networkId: network.id, cidr: "10.3.0.0/24" });
      return {
        ...{ name: "p", networkId: network.id, fixedIps: [{ subnetId: subnet.id, ipAddress: "10.3.0.9" }] },
        ...{ noSecurityGroups: true, adminStateUp: true, tags: ["t"] },
        allowedAddressPairs: [{ ipAddress: "10.3.0.200" }],
        extraDhcpOptions: [{ name: "mtu", value: "1400" }],
      };
    },
    outputs: { allFixedIps: ["10.3.0.9"], allSecurityGroupIds: [], macAddress: expect.any(String) },
    drift: { by: byAnother("ports", "port", { allowed_address_pairs: [] }), shows: "allowedAddressPairs" },
    update: { name: "ps", description: "d", extraDhcpOptions: [], allowedAddressPairs: [], tags: [] },
    replace: { news: { macAddress: "fa:16:3e:00:00:01" }, because: "macAddress" },
    importLacks: ["fixedIps", "noSecurityGroups"],
    importTakes: ["tags[0]"],
  },
  {
    kind: "networking/secGroup:SecGroup",
    news: () => ({ name: "sg", description: "mine", deleteDefaultRules: true, tags: ["t"] }),
    drift: { by: byAnother("security-groups", "security_group", { name: "theirs" }), shows: "name" },
    update: { name: "sgs", tags: [] },
    replace: { news: { deleteDefaultRules: false }, because: "deleteDefaultRules" },
    importLacks: ["deleteDefaultRules"],
    importTakes: ["tags[0]"],
  },
  {
    kind: "networking/secGroupRule:SecGroupRule",
    news: async ({ need }) => ({
      ...{ direction: "ingress", ethertype: "IPv4", protocol: "tcp", portRangeMin: 80, portRangeMax: 81 },
      ...{ remoteIpPrefix: "10.0.0.5/24", securityGroupId: (await need("networking/secGroup:SecGroup", {})).id },
    }),
    outputs: { remoteGroupId: "", description: "" },
    replace: { news: { portRangeMax: 82 }, because: "portRangeMax" },
    importLacks: [],
  },
  {
    kind: "networking/floatingIp:FloatingIp",
    news: () => ({ pool: "public", description: "one", tags: ["t"] }),
    outputs: { address: expect.stringMatching(/^172\.24\./), portId: "", fixedIp: "" },
    drift: { by: byAnother("floatingips", "floatingip", { description: "theirs" }), shows: "description" },
    update: { description: "two", tags: [] },
    replace: { news: { pool: "another" }, because: "pool" },
    importLacks: [],
    importTakes: ["tags[0]"],
  },
  {
    kind: "compute/serverGroup:ServerGroup",
    news: () => ({ name: "apart", policies: ["soft-anti-affinity"] }),
    outputs: { policies: ["soft-anti-affinity"], rules: { maxServerPerHost: 0 }, members: [] },
    replace: { news: { policies: ["affinity"] }, because: "policies" },
    importLacks: [],
  },
  {
    kind: "blockstorage/volume:Volume",
    news: () => ({ name: "data", size: 1, metadata: { step: "1" } }),
    outputs: { attachments: [], availabilityZone: "nova", description: "", volumeType: "__DEFAULT__", backupId: "" },
    drift: {
      by: (_, id) => cloud.session.request("volumev3", "PUT", volumePath(id), { body: { volume: { name: "theirs" } } }),
      shows: "name",
    },
    update: { size: 2, description: "larger", metadata: { step: "2" } },
    replace: { news: { availabilityZone: "other" }, because: "availabilityZone" },
    importLacks: [],
  },
  {
    kind: "compute/volumeAttach:VolumeAttach",
    news: async ({ need }) => ({
      instanceId: (await need("compute/instance:Instance", machine)).id,
      volumeId: (await need("blockstorage/volume:Volume", { size: 1 })).id,
    }),
    outputs: { device: "/dev/vdb" },
    replace: { news: { volumeId: "another" }, because: "volumeId" },
    importLacks: [],
  },
  {
    kind: "compute/interfaceAttach:InterfaceAttach",
    async news(world) {
      const { port } = await connected(world);
      return { instanceId: (await world.need("compute/instance:Instance", machine)).id, portId: port.id };
    },
    outputs: { fixedIp: expect.stringMatching(/^10\.66\.0\./) },
    replace: { news: { portId: "another" }, because: "portId" },
    importLacks: [],
  },
  {
    kind: "networking/floatingIpAssociate:FloatingIpAssociate",
    async news(world) {
      const { port } = await reachable(world);
      const { address } = await world.need("networking/floatingIp:FloatingIp", { pool: "public" });
      return { floatingIp: address ?? null, portId: port.id };
    },
    drift: {
      by: (_, id) =>
        cloud.session.request("network", "PUT", `/floatingips/${id}`, { body: { floatingip: { port_id: null } } }),
      shows: "portId",
    },
    replace: { news: { floatingIp: "172.24.0.1" }, because: "floatingIp" },
    importLacks: [],
    outlives: true,
  },
  {
    kind: "networking/routerRoute:RouterRoute",
    async news(world) {
      const { router } = await reachable(world);
      return { routerId: router.id, destinationCidr: "10.99.0.0/16", nextHop: "10.66.0.200" };
    },
    replace: { news: { nextHop: "10.66.0.201" }, because: "nextHop" },
    importLacks: [],
  },
  {
    kind: "networking/trunk:Trunk",
    async news(world) {
      const { port, network } = await connected(world);
      const carried = await world.need("networking/port:Port", { networkId: network.id });
      const subPorts = [{ portId: carried.id, segmentationType: "vlan", segmentationId: 100 }];
      return { name: "all", portId: port.id, subPorts, tags: ["t"] };
    },
    outputs: { allTags: ["t"], description: "" },
    drift: {
      by: (_, id) =>
        cloud.session.request("network", "PUT", `/trunks/${id}`, { body: { trunk: { description: "theirs" } } }),
      shows: "description",
    },
    update: { name: "none", subPorts: [], tags: ["u"] },
    replace: { news: { portId: "another" }, because: "portId" },
    importLacks: false,
  },
  {
    kind: "images/image:Image",
    news: () => ({
      ...{ name: "own", containerFormat: "bare", diskFormat: "raw", localFilePath: join(cloud.folder, "image.raw") },
      ...{ properties: { role: "web", "a/b": "1" }, tags: ["t"] },
    }),
    outputs: {
      ...{ status: "active", visibility: "private", protected: false, hidden: false, sizeBytes: 16, minDiskGb: 0 },
      ...{ checksum: "6fcae3853a37a429a9f65b4a9f0d4c66", metadata: {}, schema: "/v2/schemas/image" },
      properties: { role: "web", "a/b": "1", os_hash_algo: "sha512" },
    },
    drift: {
      by: (_, id) =>
        cloud.session.request("image", "PATCH", `/images/${id}`, {
          body: [{ op: "replace", path: "/role", value: "theirs" }],
          headers: { "content-type": "application/openstack-images-v2.1-json-patch" },
        }),
      shows: "properties",
    },
    update: { name: "other", properties: { role: "db", more: "2" }, tags: [], minDiskGb: 1, protected: false },
    replace: { news: { diskFormat: "qcow2" }, because: "diskFormat" },
    importLacks: ["localFilePath", "imageCachePath"],
    importTakes: ["imageCachePath"],
  },
  {
    kind: "objectstorage/container:Container",
    news: () => ({ name: "shelf", containerRead: ".r:*", metadata: { role: "web", old: "1" }, versioning: true }),
    outputs: { storagePolicy: "Policy-0", versioning: true, __meta: '{"schema_version":"1"}' },
    drift: {
      by: (_, id) =>
        cloud.session.request("object-store", "POST", `/${id}`, { headers: { "x-container-read": "" }, expect: [204] }),
      shows: "containerRead",
    },
    update: { containerWrite: "*:*", metadata: { role: "db" }, versioning: false },
    replace: { news: { storagePolicy: "gold" }, because: "storagePolicy" },
    importLacks: ["metadata"],
  },
  {
    kind: "objectstorage/containerObject:ContainerObject",
    async news({ need }) {
      const { id } = await need("objectstorage/container:Container", {});
      return {
        containerName: id,
        name: "a/b.txt",
        content: "hello",
        metadata: { role: "web" },
        contentType: "text/plain",
      };
    },
    outputs: { contentLength: 5, etag: "5d41402abc4b2a76b9719d911017c592", contentEncoding: "", objectManifest: "" },
    drift: {
      by: (_, id) =>
        cloud.session.request("object-store", "POST", `/${id}`, { headers: { "content-type": "text/html" } }),
      shows: "contentType",
    },
    update: { content: "other", deleteAt: "2099-01-02T03:04:05Z" },
    replace: { news: { name: "c.txt" }, because: "name" },
    importLacks: false,
    restless: ["date", "transId"],
  },
  {
    kind: "objectstorage/tempUrl:TempUrl",
    async news({ need }) {
      const { id } = await need("objectstorage/container:Container", { metadata: { "Temp-URL-Key": "secret" } });
      return { container: id, object: "a.txt", ttl: 60 };
    },
    outputs: { method: "get", url: expect.stringMatching(/temp_url_sig=[0-9a-f]{64}&temp_url_expires=\d+$/) },
    replace: { news: { ttl: 61 }, because: "ttl" },
    importLacks: false,
    outlives: true,
  },
  {
    kind: "identity/applicationCredential:ApplicationCredential",
    news: () => ({
      ...{ name: "deploy", roles: ["reader"], expiresAt: "2099-01-02T05:04:05+02:00" },
      accessRules: [{ path: "/v2.1/servers", method: "GET", service: "compute" }],
    }),
    outputs: {
      ...{ roles: ["reader"], unrestricted: false, expiresAt: "2099-01-02T03:04:05Z", description: "" },
      secret: expect.stringMatching(/.{20}/),
    },
    replace: { news: { description: "other" }, because: "description" },
    importLacks: [],
  },
];

/** Kinds that administrators make. */
const adminLives: Life[] = [
  {
    kind: "compute/flavor:Flavor",
    news: () => ({ name: "own", ram: 512, vcpus: 1, disk: 1, description: "small", extraSpecs: { "hw:a": "1" } }),
    outputs: { isPublic: false, swap: 0, ephemeral: 0, rxTxFactor: 1, extraSpecs: { "hw:a": "1" } },
    update: { description: "smaller", extraSpecs: { "hw:b": "2" } },
    replace: { news: { ram: 1024 }, because: "ram" },
    importLacks: [],
  },
  {
    kind: "compute/quotaSetV2:QuotaSetV2",
    news: async ({ need }) => ({ projectId: (await need("identity/project:Project", {})).id, cores: 7 }),
    outputs: { cores: 7, instances: 10, floatingIps: -1, injectedFiles: 5 },
    update: { cores: 8, instances: 3 },
    replace: { news: { projectId: "another" }, because: "projectId" },
    importLacks: [],
    outlives: true,
  },
  {
    kind: "identity/project:Project",
    news: () => ({ name: "lab", description: "one", tags: ["t"] }),
    outputs: { enabled: true, isDomain: false, domainId: "default", parentId: "default" },
    update: { name: "labs", description: "two", enabled: false, tags: [] },
    replace: { news: { parentId: "another" }, because: "parentId" },
    importLacks: [],
  },
  {
    kind: "identity/user:User",
    news: () => ({
      ...{ name: "ann", password: "first", extra: { email: "ann@example.test" }, ignorePasswordExpiry: true },
      multiFactorAuthRules: [{ rules: ["password", "totp"] }],
    }),
    outputs: { enabled: true, domainId: "default", defaultProjectId: "", extra: { email: "ann@example.test" } },
    update: { name: "anna", password: "second", description: "d", multiFactorAuthRules: [], enabled: false },
    replace: { news: { region: "another" }, because: "region" },
    importLacks: ["password", "ignorePasswordExpiry"],
  },
  {
    kind: "identity/roleAssignment:RoleAssignment",
    async news({ need }) {
      const session = openSession(await findCredentials({ env: {}, variables: cloud.adminVariables }));
      const { body } = await session.request<{ roles: { id: string }[] }>("identity", "GET", "/roles?name=member");
      session.close();
      const userId = (await need("identity/user:User", {})).id;
      return { userId, projectId: (await need("identity/project:Project", {})).id, roleId: body.roles[0]?.id ?? "" };
    },
    outputs: { domainId: "", groupId: "" },
    replace: { news: { roleId: "another" }, because: "roleId" },
    importLacks: [],
  },
];

test.each(adminLives.map((life) => [life.kind, life] as const))(
  "the life of %s, by an administrator",
  async (_, life) => {
    const admin = await providerOf(cloud, cloud.adminVariables);
    try {
      await live(life, cloud, admin);
    } finally {
      await admin.close();
    }
  },
);

describe("the life of", () => {
  test.each(lives.map((life) => [life.kind, life] as const))("%s", (_, life) => live(life, cloud, provider));
});
