import type { Client } from "../run-client.ts";
import { ansible } from "./ansible.ts";
import { gophercloud } from "./gophercloud.ts";
import { openstack, openstackAdministrator, openstackNetwork } from "./openstack.ts";
import { openstacksdk } from "./openstacksdk.ts";
import { pkgcloud } from "./pkgcloud.ts";

/** The clients that are tried, the most thorough first. */
export const allClients: Client[] = [
  ...[openstack, openstackAdministrator, openstackNetwork, openstacksdk, gophercloud, pkgcloud, ansible],
];
