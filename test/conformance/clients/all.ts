import type { Client } from "../run-client.ts";
import { ansible } from "./ansible.ts";
import { gophercloud } from "./gophercloud.ts";
import { openstack, openstackAdministrator, openstackIpv6, openstackNetwork } from "./openstack.ts";
import { openstacksdk } from "./openstacksdk.ts";
import { pkgcloud } from "./pkgcloud.ts";

/** The clients that are tried, the most thorough first. */
export const allClients: Client[] = [
  ...[openstack, openstackAdministrator, openstackNetwork, openstackIpv6, openstacksdk, gophercloud, pkgcloud, ansible],
];
