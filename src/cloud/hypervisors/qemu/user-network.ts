import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Dataplane, NetworkingPlan } from "../../network/dataplane.ts";
import { contains, ipText, parseCidr } from "../../network/ip.ts";
import { forwardsOf } from "./forwards.ts";
import type { GuestNetwork } from "./guest-network.ts";
import { pluggedNics } from "./plugged-nics.ts";

/** Neutron's data plane where no part of the machine's network may be changed: floating IPs are loopback addresses that lead into guests. */
export type UserNetwork = Dataplane & GuestNetwork;

/** A /24 of 127.64.0.0/10 for each cloud of this machine: of its own in all likelihood, and the same at each start. */
export function loopbackRange(instance: string): { cidr: string; gatewayIp: string } {
  const [second = 0, third = 0] = createHash("sha256").update(instance).digest();
  const network = `127.${64 + (second % 64)}.${third}`;
  return { cidr: `${network}.0/24`, gatewayIp: `${network}.1` };
}

/** The first port that this process may listen on. */
async function lowestPort(): Promise<number> {
  if (process.getuid?.() === 0) return 1;
  const text = await readFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8").catch(() => "1024");
  return Number(text);
}

export async function createUserNetwork(instance: string): Promise<UserNetwork> {
  const listeners: (() => Promise<void>)[] = [];
  const lowest = await lowestPort();
  let current: NetworkingPlan = { networks: [], routers: [], ports: [], securityGroups: [] };
  return {
    external: loopbackRange(instance),
    async start() {
      // nothing is made on the machine
    },
    async apply(plan) {
      current = plan;
      for (const listener of listeners) await listener();
    },
    async destroy() {
      // as above
    },
    onApply: (listener) => void listeners.push(listener),
    forwardsOf: (serverId) => forwardsOf(current, serverId, lowest),
    async rejoin() {
      // what is within QEMU stays as long as it
    },
    nicsOf: (serverId) => pluggedNics(current).filter((nic) => nic.serverId === serverId),
    plug: async ({ nics }) => ({
      within: [],
      nics: nics.map(({ portId, mac }) => ({ portId, mac, backend: backendOf(current, portId) })),
    }),
    unplug: async () => undefined,
  };
}

/**
 * QEMU's own network, in user mode, closed: nothing comes in but by forwards, nothing goes out. Its name server, which answers nobody, has the
 * broadcast address: the third one, QEMU's choice, may be a guest's.
 * @throws Error for a port that has no address in a subnet with a gateway
 */
function backendOf(plan: NetworkingPlan, portId: string): string {
  const port = plan.ports.find(({ id }) => id === portId);
  const subnets = plan.networks.find(({ id }) => id === port?.networkId)?.subnets ?? [];
  for (const address of port?.fixedIps ?? []) {
    for (const { cidr, gatewayIp } of subnets) {
      const range = parseCidr(cidr);
      if (range?.version !== 4 || !contains(range, address)) continue;
      if (gatewayIp === null)
        throw new Error(`Port ${portId} is in a subnet without a gateway: QEMU's user-mode network needs one.`);
      return `user,restrict=on,ipv6=off,net=${cidr},host=${gatewayIp},dhcpstart=${address},dns=${ipText({ version: 4, value: range.last })}`;
    }
  }
  throw new Error(`Port ${portId} has no IPv4 address: QEMU's user-mode network needs one.`);
}
