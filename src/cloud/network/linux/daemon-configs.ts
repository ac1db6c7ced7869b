import type { NetworkingPlan, NetworkPlan } from "../dataplane.ts";
import { dnsmasqConfig } from "./dhcpv6.ts";
import { guestName } from "./names.ts";
import { radvdConfig } from "./router-advertisements.ts";

/** What the programs that serve a network's guests are to be told; undefined: it is not to run. */
export interface DaemonConfigs {
  /** Of their configuration's file, by which a teardown sees them. */
  name: string;
  radvd: string | undefined;
  dnsmasq: string | undefined;
}

export function daemonConfigs(network: NetworkPlan, plan: NetworkingPlan, instance: string): DaemonConfigs {
  return {
    name: guestName(instance, network.id),
    radvd: radvdConfig(network, plan),
    dnsmasq: dnsmasqConfig(network, plan),
  };
}
