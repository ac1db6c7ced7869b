import type { InlineResource } from "../../engine/support/inline-program.ts";

const id = (idOf: string) => ({ idOf });
const openstack = (kind: string, name: string, inputs: InlineResource["inputs"], after: string[] = []) => ({
  type: `openstack:${kind}`,
  name,
  inputs,
  after,
  version: "3.15.2",
});
const port = (name: string) =>
  openstack("networking/port:Port", name, {
    networkId: id("net"),
    fixedIps: [{ subnetId: id("sub") }],
    securityGroupIds: [id("group")],
  });
const rule = (name: string, from: number) =>
  openstack("networking/secGroupRule:SecGroupRule", name, {
    securityGroupId: id("group"),
    direction: "ingress",
    ethertype: "IPv4",
    protocol: "tcp",
    portRangeMin: from,
    portRangeMax: from,
    remoteIpPrefix: "10.8.0.0/16",
  });
const server = (name: string, on: string) =>
  openstack("compute/instance:Instance", name, {
    imageName: "debian-13",
    flavorName: "m1.tiny",
    networks: [{ port: id(on) }],
    schedulerHints: [{ group: id("apart") }],
  });

/** Twenty resources, with and without names of their own, that hang from one another. */
export const twentyResources: InlineResource[] = [
  openstack("networking/network:Network", "net", { tags: ["kill-test"] }),
  openstack("networking/subnet:Subnet", "sub", { networkId: id("net"), cidr: "10.8.0.0/24" }),
  openstack("networking/router:Router", "router", { name: "router" }),
  openstack("networking/routerInterface:RouterInterface", "interface", { routerId: id("router"), subnetId: id("sub") }),
  openstack("networking/secGroup:SecGroup", "group", { name: "kill-test", description: "for the kill test" }),
  rule("ssh", 22),
  rule("http", 80),
  rule("https", 443),
  port("port-0"),
  port("port-1"),
  openstack("compute/serverGroup:ServerGroup", "apart", { policies: ["soft-anti-affinity"] }),
  server("server-0", "port-0"),
  server("server-1", "port-1"),
  openstack("networking/floatingIp:FloatingIp", "address", { pool: "public", description: "kill test" }, ["interface"]),
  openstack("blockstorage/volume:Volume", "disk", { size: 1 }),
  openstack("compute/volumeAttach:VolumeAttach", "attachment", { instanceId: id("server-0"), volumeId: id("disk") }),
  openstack("networking/network:Network", "second", { name: "second" }),
  openstack("networking/subnet:Subnet", "second-sub", { networkId: id("second"), cidr: "10.9.0.0/24" }),
  openstack("networking/secGroup:SecGroup", "empty", {}),
  openstack("blockstorage/volume:Volume", "spare", { size: 1, name: "spare" }),
];
