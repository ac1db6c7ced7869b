import type { NamespacePlan } from "./desired.ts";
import { aliasOf, type ObservedLink } from "./link-diff.ts";

// Links whose network may carry more by now. None is made smaller: what its other end still sends must fit.

/** The end of a link that lies in another namespace than the one that owns it. */
export interface FarEnd {
  namespace: string;
  /** Its own number there, and that of the end here. */
  index: number;
  nearIndex: number;
  /** Bytes that it shall carry. */
  mtu: number;
}

/** `ip -batch` lines that make a namespace's own ends as large as planned. */
export function growNearEnds({ veths }: NamespacePlan, observed: readonly ObservedLink[]): string[] {
  const planned = new Map(veths.map(({ name, mtu }) => [name, mtu]));
  return grow(observed, ({ ifname }) => planned.get(ifname) ?? 0);
}

/** The other ends of those links; the machine's own is none of them. */
export function outgrownFarEnds({ veths }: NamespacePlan, observed: readonly ObservedLink[]): FarEnd[] {
  return veths.flatMap((veth) => {
    const { namespace } = veth.peer;
    const near = observed.find(({ ifname, ifalias }) => ifname === veth.name && ifalias === aliasOf(veth));
    const { mtu = veth.mtu, ifindex: nearIndex, link_index: index } = near ?? {};
    if (namespace === null || nearIndex === undefined || index === undefined || mtu >= veth.mtu) return [];
    return [{ namespace, index, nearIndex, mtu: veth.mtu }];
  });
}

/**
 * `ip -batch` lines that make a far end as large, whatever its guest calls it, and what a bridge joins it to: a virtual machine. One that the
 * guest has moved out of its namespace stays as it is.
 */
export function growFarEnd({ index, nearIndex, mtu }: FarEnd, observed: readonly ObservedLink[]): string[] {
  const end = observed.find(({ ifindex, link_index }) => ifindex === index && link_index === nearIndex);
  if (end === undefined) return [];
  return grow(observed, (link) => (link === end || (end.master !== undefined && link.master === end.master) ? mtu : 0));
}

function grow(observed: readonly ObservedLink[], wanted: (link: ObservedLink) => number): string[] {
  return observed.flatMap((link) => {
    const most = wanted(link);
    return (link.mtu ?? most) < most ? [`link set ${link.ifname} mtu ${most}`] : [];
  });
}
