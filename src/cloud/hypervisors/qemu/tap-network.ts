import { guestNamespace, shortId } from "../../network/linux/names.ts";
import {
  deleteNamespace,
  ensureNamespace,
  ipBatch,
  listNamespaces,
  netnsFolder,
  observeLinks,
  setSysctls,
} from "../../network/linux/netns.ts";
import type { GuestSpec } from "../hypervisor.ts";
import type { QemuNic } from "./command.ts";
import type { GuestNetwork } from "./guest-network.ts";

type GuestNic = GuestSpec["nics"][number];

/** Only the guest itself speaks from its namespace. */
const silent = { "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1" };

const bridgeOf = ({ portId }: GuestNic) => `b-${shortId(portId)}`;
const tapOf = ({ portId }: GuestNic) => `v-${shortId(portId)}`;

/** The address that the link gets whose own the guest has: a bridge would keep frames for that to itself. */
const otherMac = (mac: string) => mac.replace(/^../, "fe");

/**
 * The guests' NICs where the machine's root makes the networks, as containers have them: each guest's QEMU runs in the namespace that the data
 * plane has made for it, with a tap in place of each link, and a bridge of the two between.
 */
export function createTapNetwork(instance: string): GuestNetwork {
  return {
    async plug(spec) {
      const namespace = guestNamespace(instance, spec.id);
      if (!(await listNamespaces(namespace)).includes(namespace)) {
        if (spec.nics.length > 0)
          throw new Error(`the network of server ${spec.id} is not plugged: no namespace ${namespace}`);
        await ensureNamespace(namespace);
      }
      await setSysctls(namespace, silent);
      const links = await observeLinks(namespace);
      await ipBatch(
        namespace,
        spec.nics.flatMap((nic) => bridgeCommands(nic, links)),
      );
      return { nics: spec.nics.map(nicOf), within: ["nsenter", `--net=${netnsFolder}/${namespace}`] };
    },
    async unplug(serverId) {
      const namespace = guestNamespace(instance, serverId);
      if ((await listNamespaces(namespace)).includes(namespace)) await deleteNamespace(namespace);
    },
    forwardsOf: () => [],
    onApply() {
      // what leads into guests is the data plane's
    },
  };
}

const nicOf = (nic: GuestNic): QemuNic => ({
  ...{ portId: nic.portId, mac: nic.mac, mtu: nic.mtu },
  backend: `tap,ifname=${tapOf(nic)},script=no,downscript=no`,
});

/** `ip -batch` lines that put a bridge between a NIC's link and its tap, where they are not yet so. Pure. */
export function bridgeCommands(nic: GuestNic, present: readonly { ifname: string; address?: string }[]): string[] {
  const [bridge, tap] = [bridgeOf(nic), tapOf(nic)];
  const has = (name: string) => present.some(({ ifname }) => ifname === name);
  const own = present.find(({ ifname, address }) => address === nic.mac && ifname !== bridge && ifname !== tap);
  return [
    ...(has(bridge) ? [] : [`link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`]),
    ...(has(tap) ? [] : [`tuntap add dev ${tap} mode tap vnet_hdr`]),
    ...(own === undefined
      ? []
      : [`link set ${own.ifname} address ${otherMac(nic.mac)} master ${bridge}`, `link set ${own.ifname} up`]),
    `link set ${tap} mtu ${nic.mtu} master ${bridge}`,
    ...[tap, bridge].map((name) => `link set ${name} up`),
  ];
}
