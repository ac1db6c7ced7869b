import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PropertyMap, ResourceProvider } from "../../src/engine/resource-provider.ts";
import { again, make, providerOf, resource, startTestCloud, type TestCloud } from "./test-cloud.ts";

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

type Made = Awaited<ReturnType<typeof make>>;

/** The resources of a small stack, made in order; each with what the program says of it. */
async function makeStack(prefix: string): Promise<{ made: Made; news: PropertyMap }[]> {
  const all: { made: Made; news: PropertyMap }[] = [];
  const add = async (kind: string, name: string, news: PropertyMap) => {
    const made = await make(provider, resource(kind, name), news);
    all.push({ made, news });
    return made;
  };
  const external = (
    await provider.invoke("openstack:networking/getNetwork:getNetwork", { name: "public", external: true })
  ).result;
  const image = (await provider.invoke("openstack:images/getImage:getImage", { name: "debian-13" })).result;
  const flavor = (await provider.invoke("openstack:compute/getFlavor:getFlavor", { name: "m1.small" })).result;
  const key = await add("compute/keypair:Keypair", "key", {
    name: `${prefix}-key`,
    publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 trace",
  });
  const network = await add("networking/network:Network", "net", {
    name: `${prefix}-net`,
    adminStateUp: true,
    tags: ["b", "a"],
  });
  const subnet = await add("networking/subnet:Subnet", "net", {
    networkId: network.id,
    cidr: "10.77.0.0/24",
    ipVersion: 4,
  });
  const router = await add("networking/router:Router", "net", {
    name: `${prefix}-router`,
    externalNetworkId: external.id ?? null,
  });
  await add("networking/routerInterface:RouterInterface", "net", { routerId: router.id, subnetId: subnet.id });
  const group = await add("networking/secGroup:SecGroup", "group", {
    name: `${prefix}-sg`,
    deleteDefaultRules: true,
    description: "mine",
  });
  const rule = { securityGroupId: group.id, ethertype: "IPv4" };
  await add("networking/secGroupRule:SecGroupRule", "out", { ...rule, direction: "egress" });
  await add("networking/secGroupRule:SecGroupRule", "ssh", {
    ...rule,
    direction: "ingress",
    protocol: "tcp",
    portRangeMin: 22,
    portRangeMax: 22,
    remoteIpPrefix: "0.0.0.0/0",
  });
  await add("networking/secGroupRule:SecGroupRule", "all", {
    ...rule,
    direction: "ingress",
    protocol: "tcp",
    portRangeMin: 1,
    portRangeMax: 65535,
    remoteIpPrefix: "10.0.0.0/8",
  });
  const port = await add("networking/port:Port", "port", {
    networkId: network.id,
    adminStateUp: true,
    securityGroupIds: [group.id],
    fixedIps: [{ subnetId: subnet.id }],
    tags: ["t"],
  });
  await add("networking/floatingIp:FloatingIp", "address", {
    pool: "public",
    description: `${prefix} address`,
    tags: ["t"],
  });
  await add("compute/instance:Instance", "server", {
    name: `${prefix}-server`,
    imageId: image.id ?? null,
    flavorId: flavor.id ?? null,
    keyPair: key.id,
    networks: [{ port: port.id }],
    userData: "#cloud-config\nhostname: one\n",
    metadata: { role: "web" },
  });
  return all;
}

describe("a small stack", () => {
  let stack: { made: Made; news: PropertyMap }[];
  beforeAll(async () => {
    stack = await makeStack("small");
  });

  test("a second run finds no difference in any resource", async () => {
    for (const { made, news } of stack) {
      const { diff } = await again(provider, made, news);
      expect({ urn: made.r.urn, ...diff }).toEqual({
        urn: made.r.urn,
        changes: false,
        replaces: [],
        deleteBeforeReplace: false,
        detailedDiff: {},
      });
    }
  });

  test("reading everything again changes neither outputs nor inputs", async () => {
    for (const { made } of stack) {
      const read = await provider.read(made.r, made.id, made.outputs, made.inputs, {});
      const { updated: _, deviceId: __, deviceOwner: ___, binding: ____, ...outputs } = made.outputs;
      expect(read).toMatchObject({ id: made.id, inputs: made.inputs, outputs });
    }
  });

  test("everything is gone after deleting in reverse order, and deleting again is success", async () => {
    for (const { made } of stack.toReversed()) {
      await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
      await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
      expect((await provider.read(made.r, made.id, made.outputs, made.inputs, {})).id).toBe("");
    }
  });
});
