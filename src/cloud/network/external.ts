import { SlipwayError } from "../../common/errors.ts";
import { defaultPools } from "./allocation-pools.ts";
import { cidrText, hostRange, ipText, parseCidr, versionOf } from "./ip.ts";
import { externalPhysicalNetwork, isOutside } from "./provider-segments.ts";
import { setSharing } from "./rbac-sharing.ts";
import type { NetworkTables } from "./records.ts";
import { newInternalRecord } from "./resource.ts";

/** The external network's name, which clients configure as their floating IP pool. */
export const externalNetworkName = "public";

/** The CIDR of the external network, once it was made. */
export function externalCidrOf(tables: NetworkTables): string | undefined {
  const network = tables.networks.find(isOutside);
  return tables.subnets.find(({ networkId, cidr }) => networkId === network?.id && versionOf(cidr) === 4)?.cidr;
}

/**
 * Makes the external network `public` with its subnet, owned by the admin project. Its range cannot change while the cloud lives:
 * floating IPs and routers have addresses of it.
 */
export function ensureExternalNetwork(tables: NetworkTables, adminProjectId: string, wanted: string): void {
  const range = parseCidr(wanted);
  if (range?.version !== 4) {
    throw new SlipwayError("E_ADDRESS_RANGE", `the external range ${wanted} is not an IPv4 CIDR`);
  }
  const cidr = cidrText(range);
  const existing = externalCidrOf(tables);
  if (existing === cidr) return;
  if (existing !== undefined) {
    throw new SlipwayError("E_ADDRESS_RANGE", `the cloud's external range is ${existing} and cannot become ${cidr}`, {
      hint: "Destroy the cloud and start it again to give it another range.",
    });
  }
  const network = tables.networks.put({
    ...newInternalRecord(adminProjectId),
    name: externalNetworkName,
    adminStateUp: true,
    shared: false,
    external: true,
    mtu: 1500,
    portSecurityEnabled: false,
    isDefault: true,
    provider: { type: "flat", physicalNetwork: externalPhysicalNetwork, segmentationId: null },
  });
  setSharing(tables, "network", network, { access_as_external: true });
  const gatewayIp = ipText({ version: 4, value: hostRange(range).first });
  tables.subnets.put({
    ...newInternalRecord(adminProjectId),
    name: "public-subnet",
    networkId: network.id,
    cidr,
    gatewayIp,
    enableDhcp: false,
    allocationPools: defaultPools(cidr, gatewayIp),
    dnsNameservers: [],
    hostRoutes: [],
  });
}
