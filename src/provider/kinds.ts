import { volume } from "./blockstorage/volume.ts";
import { flavor } from "./compute/flavor.ts";
import { instance } from "./compute/instance.ts";
import { interfaceAttach } from "./compute/interface-attach.ts";
import { keypair } from "./compute/keypair.ts";
import { quotaSet } from "./compute/quota-set.ts";
import { serverGroup } from "./compute/server-group.ts";
import { volumeAttach } from "./compute/volume-attach.ts";
import { recordSet } from "./dns/record-set.ts";
import { zone } from "./dns/zone.ts";
import { applicationCredential } from "./identity/application-credential.ts";
import { project } from "./identity/project.ts";
import { roleAssignment } from "./identity/role-assignment.ts";
import { user } from "./identity/user.ts";
import { image } from "./images/image.ts";
import { secret } from "./keymanager/secret.ts";
import type { ResourceKind } from "./kind.ts";
import { listener } from "./loadbalancer/listener.ts";
import { loadBalancer } from "./loadbalancer/load-balancer.ts";
import { member } from "./loadbalancer/member.ts";
import { members } from "./loadbalancer/members.ts";
import { monitor } from "./loadbalancer/monitor.ts";
import { pool } from "./loadbalancer/pool.ts";
import { floatingIp } from "./networking/floating-ip.ts";
import { floatingIpAssociate } from "./networking/floating-ip-associate.ts";
import { network } from "./networking/network.ts";
import { port } from "./networking/port.ts";
import { router } from "./networking/router.ts";
import { routerInterface } from "./networking/router-interface.ts";
import { routerRoute } from "./networking/router-route.ts";
import { securityGroup } from "./networking/security-group.ts";
import { securityGroupRule } from "./networking/security-group-rule.ts";
import { subnet } from "./networking/subnet.ts";
import { trunk } from "./networking/trunk.ts";
import { container } from "./objectstorage/container.ts";
import { containerObject } from "./objectstorage/container-object.ts";
import { tempUrl } from "./objectstorage/temp-url.ts";

const kinds = [
  keypair,
  serverGroup,
  instance,
  volume,
  volumeAttach,
  interfaceAttach,
  network,
  subnet,
  router,
  routerInterface,
  port,
  securityGroup,
  securityGroupRule,
  floatingIp,
  floatingIpAssociate,
  routerRoute,
  trunk,
  loadBalancer,
  listener,
  pool,
  member,
  members,
  monitor,
  zone,
  recordSet,
  secret,
  image,
  container,
  containerObject,
  tempUrl,
  applicationCredential,
  project,
  user,
  roleAssignment,
  flavor,
  quotaSet,
];

/** Every resource kind by its type token. */
export const resourceKinds: ReadonlyMap<string, ResourceKind> = new Map(kinds.map((kind) => [kind.type, kind]));
