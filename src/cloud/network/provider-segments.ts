import { ApiError } from "../http/api-error.ts";
import { pythonText } from "../http/python-repr.ts";
import { neutron } from "./errors.ts";
import type { Network, NetworkTables, ProviderSegment } from "./records.ts";

/** The physical network that the external network lies on. */
export const externalPhysicalNetwork = "public";

/** Whether a network is the one whose addresses are the machine's: the data plane's own. */
export const isOutside = ({ provider }: Network) => provider?.physicalNetwork === externalPhysicalNetwork;

/** VXLAN's numbers. */
const lowest = 1;
const highest = 1000;

/** Bytes: what is left of 1500 in a tunnel by VXLAN; networks without a tunnel have all of it. */
export function largestMtu({ type }: ProviderSegment): number {
  return type === "vxlan" ? 1450 : 1500;
}

/** What an administrator asks for by `provider:` attributes. */
interface SegmentRequest {
  type?: string | undefined;
  physicalNetwork?: string | undefined;
  segmentationId?: number | undefined;
}

/** How a new network is carried: by VXLAN unless an administrator says otherwise. @throws ApiError 400, 409 */
export function segmentFor(tables: NetworkTables, wanted: SegmentRequest): ProviderSegment {
  const { type, physicalNetwork, segmentationId } = wanted;
  const taken = tables.networks.list().flatMap(({ provider }) => (provider === undefined ? [] : [provider]));
  if (type === undefined) {
    if (physicalNetwork !== undefined || segmentationId !== undefined) {
      throw neutron.invalidInput("network_type required");
    }
    return { type: "vxlan", physicalNetwork: null, segmentationId: freeNumber(taken) };
  }
  if (type === "local") return { type, physicalNetwork: null, segmentationId: null };
  if (type === "flat") {
    if (physicalNetwork === undefined)
      throw neutron.invalidInput("physical_network required for flat provider network");
    if (physicalNetwork !== externalPhysicalNetwork) {
      throw neutron.invalidInput(`physical_network '${physicalNetwork}' unknown for flat provider network`);
    }
    if (taken.some((one) => one.physicalNetwork === physicalNetwork)) {
      const words = `Unable to create the flat network. Physical network ${physicalNetwork} is in use.`;
      throw new ApiError(409, words, "FlatNetworkInUse");
    }
    return { type, physicalNetwork, segmentationId: null };
  }
  if (type !== "vxlan") throw neutron.invalidInput(`network_type value '${pythonText(type)}' not supported`);
  if (segmentationId === undefined) return { type, physicalNetwork: null, segmentationId: freeNumber(taken) };
  if (taken.some((one) => one.segmentationId === segmentationId)) {
    const words = `Unable to create the network. The tunnel ID ${segmentationId} is in use.`;
    throw new ApiError(409, words, "TunnelIdInUse");
  }
  return { type, physicalNetwork: null, segmentationId };
}

function freeNumber(taken: ProviderSegment[]): number {
  const used = new Set(taken.map(({ segmentationId }) => segmentationId));
  for (let number = lowest; number <= highest; number++) if (!used.has(number)) return number;
  throw new ApiError(
    503,
    "Unable to create the network. No tenant network is available for allocation.",
    "NoNetworkAvailable",
  );
}
