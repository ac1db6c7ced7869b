import type { Client } from "../run-client.ts";
import { ansible } from "./ansible.ts";
import { gophercloud } from "./gophercloud.ts";

import {
  openstack,
  openstackAdministrator,
  openstackBackups,
  openstackBalancers,
  openstackGroups,
  openstackIpv6,
  openstackNetwork,
  openstackObjects,
} from "./openstack.ts";

import { openstacksdk, openstacksdkGroups } from "./openstacksdk.ts";
import { pkgcloud } from "./pkgcloud.ts";
import { swiftclient } from "./swiftclient.ts";

/** The clients that are tried, the most thorough first. */
export const allClients: Client[] = [
  ...[
    openstack,
    openstackAdministrator,
    openstackNetwork,
    openstackIpv6,
    openstackBackups,
    openstackGroups,
    openstackObjects,
    openstackBalancers,
    swiftclient,
    openstacksdk,
    openstacksdkGroups,
    gophercloud,
    pkgcloud,
    ansible,
  ],
];
