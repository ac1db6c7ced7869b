import type { NetworkingPlan, PortPlan, RouterPlan, SecurityRulePlan } from "../../src/cloud/network/dataplane.ts";

export const rule = (fields: Partial<SecurityRulePlan> = {}): SecurityRulePlan => ({
  direction: "ingress",
  ethertype: "IPv4",
  protocol: null,
  portMin: null,
  portMax: null,
  remoteCidr: null,
  remoteGroupId: null,
  ...fields,
});

export const port = (fields: Partial<PortPlan> = {}): PortPlan => ({
  id: "aaaaaaaa-0000-4000-8000-000000000000",
  networkId: "eeeeeeee-0000-4000-8000-000000000000",
  mac: "fa:16:3e:00:00:01",
  fixedIps: ["10.0.0.5"],
  allowedAddresses: [],
  portSecurity: true,
  securityGroupIds: ["group"],
  serverId: "bbbbbbbb-0000-4000-8000-000000000000",
  nic: 0,
  ...fields,
});

export const router = (fields: Partial<RouterPlan> = {}): RouterPlan => ({
  id: "cccccccc-0000-4000-8000-000000000000",
  externalIp: "172.24.64.10",
  enableSnat: true,
  interfaces: [{ networkId: port().networkId, ip: "10.0.0.1", cidr: "10.0.0.0/24" }],
  floatingIps: [{ floatingIp: "172.24.64.100", fixedIp: "10.0.0.5" }],
  portForwardings: [],
  routes: [],
  ...fields,
});

export const plan = (fields: Partial<NetworkingPlan> = {}): NetworkingPlan => ({
  networks: [{ id: port().networkId, mtu: 1450, subnets: [{ id: "s", cidr: "10.0.0.0/24", gatewayIp: "10.0.0.1" }] }],
  routers: [router()],
  ports: [port()],
  securityGroups: [{ id: "group", rules: [rule({ protocol: "tcp", portMin: 5100, portMax: 5100 })] }],
  ...fields,
});

export const external = { cidr: "172.24.64.0/24", gatewayIp: "172.24.64.1" };
