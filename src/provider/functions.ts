import { getVolume } from "./blockstorage/get-volume.ts";
import { getAvailabilityZones } from "./compute/get-availability-zones.ts";
import { getFlavor } from "./compute/get-flavor.ts";
import { getHypervisor } from "./compute/get-hypervisor.ts";
import { getInstance } from "./compute/get-instance.ts";
import { getKeypair } from "./compute/get-keypair.ts";
import type { ProviderFunction } from "./function.ts";
import { getAuthScope } from "./identity/get-auth-scope.ts";
import { getImage } from "./images/get-image.ts";
import { getImageIds } from "./images/get-image-ids.ts";
import { getFloatingIp } from "./networking/get-floating-ip.ts";
import { getNetwork } from "./networking/get-network.ts";
import { getPort } from "./networking/get-port.ts";
import { getRouter } from "./networking/get-router.ts";
import { getSecurityGroup } from "./networking/get-security-group.ts";
import { getSubnet } from "./networking/get-subnet.ts";
import { getSubnetIds } from "./networking/get-subnet-ids.ts";

const functions = [
  getKeypair,
  getFlavor,
  getAvailabilityZones,
  getHypervisor,
  getInstance,
  getNetwork,
  getSubnet,
  getSubnetIds,
  getRouter,
  getPort,
  getSecurityGroup,
  getFloatingIp,
  getVolume,
  getImage,
  getImageIds,
  getAuthScope,
];

/** Every function by its token. */
export const providerFunctions: ReadonlyMap<string, ProviderFunction> = new Map(
  functions.map((one) => [one.token, one]),
);
