import type { Dataplane } from "../../network/dataplane.ts";
import type { ObservedLink } from "../../network/linux/link-diff.ts";
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
import type { GuestNic } from "../hypervisor.ts";
import type { QemuNic } from "./command.ts";
import type { GuestNetwork } from "./guest-network.ts";
import { type PluggedNic, pluggedNics } from "./plugged-nics.ts";

type NicOfPort = Pick<GuestNic, "portId" | "mac">;

/** The data plane, which makes links anew under guests that run, and the guests' NICs. */
export type TapNetwork = Dataplane & GuestNetwork;

/** Only the guest itself speaks from its namespace. */
const silent = { "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1" };

const bridgeOf = ({ portId }: NicOfPort) => `b-${shortId(portId)}`;
const tapOf = ({ portId }: NicOfPort) => `v-${shortId(portId)}`;

/** Another one where the data plane makes another link. */
const linkOf = ({ serverId, portId, mac }: PluggedNic) => `${serverId} ${portId} ${mac}`;

/** The address that the link gets whose own the guest has: a bridge would keep frames for that to itself. */
const otherMac = (mac: string) => mac.replace(/^../, (first) => (first === "fe" ? "fa" : "fe"));

/**
 * The guests' NICs where the machine's root makes the networks, as containers have them: each guest's QEMU runs in the namespace that the data
 * plane has made for it, with a tap in place of each link, and a bridge of the two between.
 */
export function createTapNetwork(instance: string, dataplane: Dataplane): TapNetwork {
  const listeners: (() => Promise<void>)[] = [];
  let plugged: PluggedNic[] = [];
  const joined = new Set<string>(); // NICs whose links are known to be bridged since they were made
  return {
    ...dataplane,
    async apply(plan) {
      await dataplane.apply(plan);
      plugged = pluggedNics(plan);
      const kept = new Set(plugged.map(linkOf));
      for (const key of joined) if (!kept.has(key)) joined.delete(key);
      for (const listener of listeners) await listener();
    },
    nicsOf: (serverId) => plugged.filter((nic) => nic.serverId === serverId),
    async rejoin(serverId) {
      const unjoined = plugged.filter((nic) => nic.serverId === serverId && !joined.has(linkOf(nic)));
      if (unjoined.length === 0) return;
      const namespace = guestNamespace(instance, serverId);
      const links = await observeLinks(namespace);
      const inGuest = unjoined.filter((nic) => links.some(({ ifname }) => ifname === bridgeOf(nic))); // others are not plugged in yet
      await ipBatch(
        namespace,
        inGuest.flatMap((nic) => joinCommands(nic, links)),
      );
      for (const nic of inGuest.filter((one) => hasLink(one, links))) joined.add(linkOf(nic));
    },
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
    onApply: (listener) => void listeners.push(listener),
  };
}

const nicOf = (nic: GuestNic): QemuNic => ({
  ...{ portId: nic.portId, mac: nic.mac, mtu: nic.mtu },
  backend: `tap,ifname=${tapOf(nic)},script=no,downscript=no`,
});

/** The data plane's link to a NIC that is not bridged. */
const newLink = (nic: NicOfPort, links: readonly ObservedLink[]) =>
  links.find(({ ifname, address }) => address === nic.mac && ifname !== bridgeOf(nic) && ifname !== tapOf(nic));

const hasLink = (nic: NicOfPort, links: readonly ObservedLink[]) =>
  newLink(nic, links) !== undefined ||
  links.some(({ ifname, master }) => master === bridgeOf(nic) && ifname !== tapOf(nic));

/** `ip -batch` lines that bridge the data plane's link to a NIC, where there is a new one. */
function joinCommands(nic: NicOfPort, links: readonly ObservedLink[]): string[] {
  const link = newLink(nic, links);
  if (link === undefined) return [];
  return [`link set ${link.ifname} address ${otherMac(nic.mac)} master ${bridgeOf(nic)}`, `link set ${link.ifname} up`];
}

/** `ip -batch` lines that put a bridge between a NIC's link and its tap, where they are not yet so. Pure. */
export function bridgeCommands(nic: GuestNic, present: readonly ObservedLink[]): string[] {
  const [bridge, tap] = [bridgeOf(nic), tapOf(nic)];
  const has = (name: string) => present.some(({ ifname }) => ifname === name);
  return [
    ...(has(bridge) ? [] : [`link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`]),
    ...(has(tap) ? [] : [`tuntap add dev ${tap} mode tap vnet_hdr`]),
    ...joinCommands(nic, present),
    `link set ${tap} mtu ${nic.mtu} master ${bridge}`,
    ...[tap, bridge].map((name) => `link set ${name} up`),
  ];
}
