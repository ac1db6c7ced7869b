import * as openstack from "@pulumi/openstack";
import * as pulumi from "@pulumi/pulumi";

// Sixteen resources around any number of servers with a port each: with two servers, twenty.
const servers = new pulumi.Config().requireNumber("servers");
const { compute, networking } = openstack;

const network = new networking.Network("net", { name: "bench" });
const subnet = new networking.Subnet("sub", { networkId: network.id, cidr: "10.8.0.0/16" });
const router = new networking.Router("router", { name: "bench" });
const onRouter = new networking.RouterInterface("interface", { routerId: router.id, subnetId: subnet.id });
const group = new networking.SecGroup("group", { name: "bench", description: "of the benchmark" });
for (const port of [22, 80, 443, 8080]) {
  new networking.SecGroupRule(`tcp-${port}`, {
    securityGroupId: group.id,
    direction: "ingress",
    ethertype: "IPv4",
    protocol: "tcp",
    portRangeMin: port,
    portRangeMax: port,
    remoteIpPrefix: "10.0.0.0/8",
  });
}
const keypair = new compute.Keypair("key", {
  name: "bench",
  publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 bench",
});
const address = new networking.FloatingIp("address", { pool: "public" }, { dependsOn: [onRouter] });
new openstack.blockstorage.Volume("disk", { size: 1 });
new networking.Network("second", { name: "second" });
new networking.SecGroup("empty", { name: "empty" });
new compute.ServerGroup("group", { name: "apart", policies: ["soft-anti-affinity"] });
new networking.Router("spare", { name: "spare" });
for (let index = 0; index < servers; index++) {
  const port = new networking.Port(`port-${index}`, {
    networkId: network.id,
    fixedIps: [{ subnetId: subnet.id }],
    securityGroupIds: [group.id],
  });
  new compute.Instance(`server-${index}`, {
    name: `server-${index}`,
    imageName: "debian-13",
    flavorName: "m1.tiny",
    keyPair: keypair.name,
    networks: [{ port: port.id }],
    userData: "#cloud-config\nhostname: bench\n",
  });
}

export const endpoint = address.address;
