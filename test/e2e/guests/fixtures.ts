import type { GuestSpec } from "../../../src/cloud/hypervisors/hypervisor.ts";
import type { NetworkingPlan, SecurityRulePlan } from "../../../src/cloud/network/dataplane.ts";

export const ids = {
  server: "5e4e4e40-0000-4000-8000-000000000001",
  port: "90270000-0000-4000-8000-000000000001",
  network: "4e700000-0000-4000-8000-000000000001",
  subnet: "50b00000-0000-4000-8000-000000000001",
  router: "40070000-0000-4000-8000-000000000001",
  group: "9400b000-0000-4000-8000-000000000001",
};
const mac = "fa:16:3e:12:34:56";
const fixedIp = "10.77.0.21";
const gatewayIp = "10.77.0.1";

export const rule = (fields: Partial<SecurityRulePlan>): SecurityRulePlan => ({
  direction: "ingress",
  ethertype: "IPv4",
  protocol: null,
  portMin: null,
  portMax: null,
  remoteCidr: null,
  remoteGroupId: null,
  ...fields,
});

export const openPort = (port: number) =>
  rule({ protocol: "tcp", portMin: port, portMax: port, remoteCidr: "0.0.0.0/0" });
export const anyEgress = rule({ direction: "egress" });

/** One guest on one network behind one router, reached by one floating IP. */
export function onePlan(external: { routerIp: string; floatingIp: string }, rules: SecurityRulePlan[]): NetworkingPlan {
  return {
    networks: [{ id: ids.network, mtu: 1400, subnets: [{ id: ids.subnet, cidr: "10.77.0.0/24", gatewayIp }] }],
    routers: [
      {
        id: ids.router,
        externalIp: external.routerIp,
        enableSnat: true,
        interfaces: [{ networkId: ids.network, ip: gatewayIp, cidr: "10.77.0.0/24" }],
        floatingIps: [{ floatingIp: external.floatingIp, fixedIp }],
        portForwardings: [],
        routes: [],
      },
    ],
    ports: [
      {
        id: ids.port,
        networkId: ids.network,
        mac,
        fixedIps: [fixedIp],
        allowedAddresses: [],
        portSecurity: true,
        securityGroupIds: [ids.group],
        serverId: ids.server,
        nic: 0,
      },
    ],
    securityGroups: [{ id: ids.group, rules }],
  };
}

/** The guest of {@link onePlan} with OpenStack's config drive (metadata version 2018-08-27). */
export function oneGuest(userData: string): GuestSpec {
  const network = {
    links: [{ id: "tap0", type: "ovs", ethernet_mac_address: mac, mtu: 1400, vif_id: ids.port }],
    networks: [
      {
        id: "network0",
        type: "ipv4",
        link: "tap0",
        ip_address: fixedIp,
        netmask: "255.255.255.0",
        network_id: ids.network,
        routes: [{ network: "0.0.0.0", netmask: "0.0.0.0", gateway: gatewayIp }],
      },
    ],
    services: [],
  };
  return {
    id: ids.server,
    hostname: "web",
    imageId: "image",
    vcpus: 2,
    ramMb: 1024,
    diskGb: 5,
    disks: [],
    nics: [{ portId: ids.port, networkId: ids.network, mac, mtu: 1400 }],
    configDrive: {
      "openstack/latest/meta_data.json": JSON.stringify({ uuid: ids.server, hostname: "web", name: "web" }),
      "openstack/latest/network_data.json": JSON.stringify(network),
      "openstack/latest/user_data": userData,
    },
  };
}
