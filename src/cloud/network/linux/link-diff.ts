import type { NamespacePlan, VethPlan } from "./desired.ts";

/** A link as `ip -j link` shows it. */
export interface ObservedLink {
  ifname: string;
  ifalias?: string;
  mtu?: number;
  address?: string;
  ifindex?: number;
  /** The number that its other end has in the namespace in which that is. */
  link_index?: number;
  /** The bridge that it is a port of. */
  master?: string;
}

/** A link as `ip -j address` shows it (which leaves the alias out). */
export interface ObservedAddresses {
  ifname: string;
  /** Administrative state, e.g. `UP`. */
  flags: string[];
  addr_info: { family: string; local: string; prefixlen: number; scope?: string }[];
}

/** A route as `ip -j route` shows it. */
export interface ObservedRoute {
  dst: string;
  gateway?: string;
  dev: string;
  protocol?: string;
}

/** Links that the plans make; others (a kernel's fallback tunnels) are not ours to delete. */
const ownLink = /^(t|q|x)-[0-9a-f]{8}$/;

/** An entry of `ip -j neighbour show proxy`. */
export interface ObservedProxy {
  dst: string;
  dev: string;
}

/** What the kernel gives to `lo` by itself. */
const loopback = ["127.0.0.1/8", "::1/128"];

/** Kept as the link's alias: a link whose other end belongs elsewhere is made anew. */
export const aliasOf = ({ peer }: VethPlan) => [peer.namespace ?? "machine", peer.mac ?? "-"].join("/");

/**
 * `ip -batch` lines that make a namespace's own links be as planned.
 * @param machinePid a process in the machine's own network namespace, where a link's end may go
 */
export function linkCommands(plan: NamespacePlan, observed: readonly ObservedLink[], machinePid: number): string[] {
  const commands: string[] = [];
  const kept = new Set<string>();
  for (const link of observed) {
    const veth = plan.veths.find(({ name }) => name === link.ifname);
    if (veth === undefined ? ownLink.test(link.ifname) : link.ifalias !== aliasOf(veth)) {
      commands.push(`link delete ${link.ifname}`);
    } else kept.add(link.ifname);
  }
  if (plan.bridge && !kept.has(plan.bridge))
    commands.push(`link add ${plan.bridge} type bridge stp_state 0 forward_delay 0`);
  for (const veth of plan.veths.filter(({ name }) => !kept.has(name))) {
    const { namespace, name, mac } = veth.peer;
    const end = `name ${name}${mac ? ` address ${mac}` : ""} mtu ${veth.mtu} netns ${namespace ?? machinePid}`;
    const own = `${veth.name}${veth.mac ? ` address ${veth.mac}` : ""} mtu ${veth.mtu}`;
    commands.push(`link add ${own} type veth peer ${end}`);
    commands.push(`link set ${veth.name}${veth.master ? ` master ${veth.master}` : ""} alias ${aliasOf(veth)}`);
  }
  return commands;
}

/** `ip -batch` lines that bring links up and give them their addresses, and the namespace its routes and what it answers for. */
export function addressCommands(
  plan: NamespacePlan,
  observed: readonly ObservedAddresses[],
  routes: readonly ObservedRoute[],
  proxies: readonly ObservedProxy[] = [],
): string[] {
  const commands: string[] = [];
  for (const link of observed) {
    if (!link.flags.includes("UP")) commands.push(`link set ${link.ifname} up`);
    const wanted = plan.addresses[link.ifname];
    if (wanted === undefined) continue;
    const rows = link.addr_info.map((row) => ({ ...row, address: `${row.local}/${row.prefixlen}` }));
    // links give themselves their link-local addresses
    const present = rows
      .filter((row) => row.scope !== "link" || row.family === "inet" || wanted.includes(row.address))
      .map(({ address }) => address);
    for (const address of present)
      if (!wanted.includes(address) && !loopback.includes(address))
        commands.push(`address delete ${address} dev ${link.ifname}`);
    for (const address of wanted)
      if (!present.includes(address))
        commands.push(`address add ${address} dev ${link.ifname}${address.includes(":") ? " nodad" : ""}`);
  }
  const wantedTargets = new Set(plan.routes.map((route) => targetOf(route.split(" ")[0] as string)));
  for (const route of routes) {
    if (route.protocol === "kernel" || wantedTargets.has(targetOf(route.dst))) continue;
    commands.push(`route delete ${route.dst} dev ${route.dev}`);
  }
  const answered = new Set(proxies.map(({ dst, dev }) => `${dst} dev ${dev}`));
  const wantedProxies = new Set(plan.proxies);
  return [
    ...commands,
    ...plan.routes.map((route) => `route replace ${route}`),
    ...[...answered].filter((proxy) => !wantedProxies.has(proxy)).map((proxy) => `neighbour delete proxy ${proxy}`),
    ...[...wantedProxies].filter((proxy) => !answered.has(proxy)).map((proxy) => `neighbour add proxy ${proxy}`),
  ];
}

/** `ip` shows a host route without its /32 or /128. */
const targetOf = (destination: string) => destination.replace(destination.includes(":") ? /\/128$/ : /\/32$/, "");
