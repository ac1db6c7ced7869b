import type { NetworkingPlan, PortPlan, SecurityRulePlan } from "../../network/dataplane.ts";
import { contains, parseCidr } from "../../network/ip.ts";

/** A port of this machine behind which a guest's lies. */
export interface Forward {
  /** The NIC's Neutron port. */
  portId: string;
  protocol: "tcp" | "udp";
  hostAddress: string;
  hostPort: number;
  guestAddress: string;
  guestPort: number;
}

/** How many ports of one rule are led in one by one. */
const mostPorts = 64;

/** What is led in of a rule with more ports: where services usually listen. */
const usualPorts = { tcp: [22, 80, 443, 3000, 5000, 8000, 8080, 8443, 9000], udp: [53, 123, 443, 5353] } as const;

/** Ports below the machine's first free one are found this much higher up, where only an administrator may take them. */
const privilegedOffset = 10_000;

/**
 * What of this machine's loopback addresses leads into a server's guest: the ports of its floating IPs, and single ones that are forwarded to
 * it, as far as its security groups let this machine in.
 * @param lowestPort the first port that this process may listen on
 */
export function forwardsOf(plan: NetworkingPlan, serverId: string, lowestPort: number): Forward[] {
  return plan.ports.filter((port) => port.serverId === serverId).flatMap((port) => intoPort(plan, port, lowestPort));
}

function intoPort(plan: NetworkingPlan, port: PortPlan, lowestPort: number): Forward[] {
  const routers = plan.routers.filter(
    (router) => router.externalIp !== null && router.interfaces.some(({ networkId }) => networkId === port.networkId),
  );
  const own = ({ fixedIp }: { fixedIp: string }) => port.fixedIps.includes(fixedIp);
  const open = openPorts(plan, port);
  const whole = routers
    .flatMap((router) => router.floatingIps.filter(own))
    .flatMap((address) => open.map((one) => ({ ...address, ...one, externalPort: one.port })));
  const single = routers
    .flatMap((router) => router.portForwardings.filter(own))
    .flatMap((forwarding) =>
      open
        .filter(({ protocol, port: inside }) => protocol === forwarding.protocol && inside === forwarding.internalPort)
        .map((one) => ({ ...forwarding, ...one })),
    );
  return [...whole, ...single].map(({ protocol, floatingIp, fixedIp, externalPort, port: guestPort }) => ({
    ...{ portId: port.id, protocol, hostAddress: floatingIp, guestAddress: fixedIp, guestPort },
    hostPort: externalPort < lowestPort ? externalPort + privilegedOffset : externalPort,
  }));
}

const everything: SecurityRulePlan = {
  ...{ direction: "ingress", ethertype: "IPv4", protocol: null, portMin: null, portMax: null },
  ...{ remoteCidr: null, remoteGroupId: null },
};

function openPorts(plan: NetworkingPlan, port: PortPlan): { protocol: "tcp" | "udp"; port: number }[] {
  const groups = plan.securityGroups.filter(({ id }) => port.securityGroupIds.includes(id));
  const rules = port.portSecurity ? groups.flatMap((group) => group.rules) : [everything];
  const open = rules.filter(opensToThisMachine).flatMap(portsOf);
  const byName = new Map(open.map((one) => [`${one.protocol} ${one.port}`, one]));
  return [...byName.values()].toSorted((a, b) =>
    a.protocol === b.protocol ? a.port - b.port : a.protocol === "tcp" ? -1 : 1,
  );
}

/** Who connects comes from 127.0.0.1; other guests are not reached, so that rules about groups open nothing. */
function opensToThisMachine({ direction, ethertype, remoteCidr, remoteGroupId }: SecurityRulePlan): boolean {
  if (direction !== "ingress" || ethertype !== "IPv4" || remoteGroupId !== null) return false;
  const range = remoteCidr === null ? undefined : parseCidr(remoteCidr);
  return remoteCidr === null || (range !== undefined && contains(range, "127.0.0.1"));
}

const numbers: Record<string, "tcp" | "udp"> = { "6": "tcp", "17": "udp", tcp: "tcp", udp: "udp" };

function portsOf({ protocol, portMin, portMax }: SecurityRulePlan) {
  const known = protocol === null ? undefined : numbers[protocol.toLowerCase()];
  const protocols = protocol === null ? (["tcp", "udp"] as const) : known === undefined ? [] : [known];
  const [from, to] = [portMin ?? 1, portMax ?? 65_535];
  return protocols.flatMap((each) => {
    const ports =
      to - from < mostPorts
        ? Array.from({ length: to - from + 1 }, (_, index) => from + index)
        : usualPorts[each].filter((port) => port >= from && port <= to);
    return ports.map((port) => ({ protocol: each, port }));
  });
}

/** A forward as QEMU's options and monitor name it: `tcp:127.66.0.10:22-10.0.0.5:22`. */
export function ruleOf({ protocol, hostAddress, hostPort, guestAddress, guestPort }: Forward): string {
  return `${protocol}:${hostAddress}:${hostPort}-${guestAddress}:${guestPort}`;
}
