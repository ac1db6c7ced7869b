import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { PropertyMap, ResourceProvider } from "../../src/engine/resource-provider.ts";
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

const lives: Life[] = [
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
];

describe("the life of", () => {
  test.each(lives.map((life) => [life.kind, life] as const))("%s", (_, life) => live(life, cloud, provider));
});
