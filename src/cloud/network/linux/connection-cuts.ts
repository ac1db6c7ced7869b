import type { NetworkingPlan, PortForwardingPlan, PortPlan } from "../dataplane.ts";
import { networkNamespace, routerNamespace } from "./names.ts";
import { membersOf, portFilter, sourcesOf } from "./network-ruleset.ts";

/** Arguments of one `conntrack -D` in a namespace. */
export interface ConnectionCut {
  namespace: string;
  arguments: string[];
}

/**
 * Open connections outlive the rule that let them in, since the filter accepts what is established. So after a change that takes
 * something away the connections that it may concern are forgotten: those still allowed go on at their next packet, the others end.
 * A floating IP that moves to another guest of the same router keeps its open connections (they end at the old guest, undisturbed);
 * one that is taken away loses them.
 */
export function connectionCuts(before: NetworkingPlan, after: NetworkingPlan, instance: string): ConnectionCut[] {
  return [...floatingIpCuts(before, after, instance), ...filterCuts(before, after, instance)];
}

function floatingIpCuts(before: NetworkingPlan, after: NetworkingPlan, instance: string): ConnectionCut[] {
  return before.routers.flatMap((router) => {
    const kept = after.routers.find(({ id }) => id === router.id);
    if (kept === undefined) return []; // its namespace goes, and its connections with it
    const namespace = routerNamespace(instance, router.id);
    const removed = router.floatingIps.filter(
      (old) => !kept.floatingIps.some((now) => now.floatingIp === old.floatingIp),
    );
    const closed = router.portForwardings.filter((old) => !kept.portForwardings.some((now) => isSame(old, now)));
    return [
      ...removed.flatMap(({ floatingIp, fixedIp }) => [
        { namespace, arguments: ["--orig-dst", floatingIp] },
        { namespace, arguments: ["--orig-src", fixedIp, "--reply-dst", floatingIp] },
      ]),
      ...closed.map(({ floatingIp, protocol, externalPort }) => ({
        namespace,
        arguments: ["--proto", protocol, "--orig-dst", floatingIp, "--orig-port-dst", String(externalPort)],
      })),
    ];
  });
}

const isSame = (a: PortForwardingPlan, b: PortForwardingPlan) => JSON.stringify(a) === JSON.stringify(b);

function filterCuts(before: NetworkingPlan, after: NetworkingPlan, instance: string): ConnectionCut[] {
  const networks = after.networks.map(({ id }) => networkNamespace(instance, id));
  return before.ports.flatMap((old) => {
    const now = after.ports.find(({ id }) => id === old.id);
    if (old.serverId === null || now === undefined) return [];
    const ips = sourcesOf(old);
    if (lostMembership(before, after, old, now)) return networks.flatMap((namespace) => cutsOf(namespace, ips));
    return lostRule(before, after, old, now) ? cutsOf(networkNamespace(instance, old.networkId), ips) : [];
  });
}

const cutsOf = (namespace: string, ips: string[]): ConnectionCut[] =>
  ips.flatMap((ip) => {
    const family = ip.includes(":") ? ["--family", "ipv6"] : [];
    return [
      { namespace, arguments: [...family, "--orig-dst", ip] },
      { namespace, arguments: [...family, "--orig-src", ip] },
    ];
  });

function lostRule(before: NetworkingPlan, after: NetworkingPlan, old: PortPlan, now: PortPlan): boolean {
  if (!old.portSecurity) return now.portSecurity;
  if (!now.portSecurity) return false;
  const had = portFilter(before, old);
  const has = portFilter(after, now);
  return (
    had.egress.some((rule) => !has.egress.includes(rule)) || had.ingress.some((rule) => !has.ingress.includes(rule))
  );
}

/** The port left a group, or lost an address, that other ports' rules let through. */
function lostMembership(before: NetworkingPlan, after: NetworkingPlan, old: PortPlan, now: PortPlan): boolean {
  const remoteGroups = new Set(
    before.securityGroups.flatMap(({ rules }) => rules.flatMap((rule) => rule.remoteGroupId ?? [])),
  );
  return old.securityGroupIds.some(
    (group) =>
      remoteGroups.has(group) &&
      old.fixedIps.some((ip) => membersOf(before, group).includes(ip) && !membersOf(after, group).includes(ip)) &&
      (!now.securityGroupIds.includes(group) || old.fixedIps.some((ip) => !now.fixedIps.includes(ip))),
  );
}
