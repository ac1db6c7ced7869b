import { ApiError } from "../http/api-error.ts";
import { pythonText } from "../http/python-repr.ts";
import { neutron } from "./errors.ts";
import type { Port } from "./records.ts";
import { type Converter, ipAddress, isCidr, isObject } from "./validators.ts";

const most = 10;

/** An allowed address pair as it may be sent: without a MAC address it is the port's own. */
interface Pair {
  ip_address: string;
  mac_address?: string | undefined;
}

/** `allowed_address_pairs` as it is sent. @throws ApiError 400 in Neutron's words, which it has of its own for them */
export const toPairs: Converter = (value) => {
  if (value === null) return [];
  if (!Array.isArray(value)) throw neutron.badRequest("Allowed address pairs must be a list.");
  if (value.length > most) {
    const words = `The number of allowed address pair exceeds the maximum ${most}.`;
    throw neutron.tooMany(words, "AllowedAddressPairExhausted");
  }
  const seen = new Set<string>();
  for (const pair of value) demandPair(pair, seen);
  return value;
};

function demandPair(pair: unknown, seen: Set<string>): void {
  if (!isObject(pair)) throw neutron.badRequest(`Invalid data format for allowed address pair: '${pythonText(pair)}'`);
  if (!("ip_address" in pair)) {
    throw new ApiError(400, "AllowedAddressPair must contain ip_address", "AllowedAddressPairsMissingIP");
  }
  const mac = pair.mac_address;
  if (mac !== undefined && !(typeof mac === "string" && /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(mac))) {
    throw neutron.badRequest(`'${pythonText(mac)}' is not a valid MAC address`);
  }
  const key = `${mac} ${pair.ip_address}`;
  if (seen.has(key)) {
    const words = `Request contains duplicate address pair: mac_address ${pythonText(mac)} ip_address ${pythonText(pair.ip_address)}.`;
    throw new ApiError(400, words, "DuplicateAddressPairInRequest");
  }
  seen.add(key);
  const [unknown] = Object.keys(pair).filter((name) => !["mac_address", "ip_address"].includes(name));
  if (unknown !== undefined) throw neutron.badRequest(`Unrecognized attribute(s) '${unknown}'`);
  if (isCidr(pair.ip_address)) return;
  const fault = ipAddress(pair.ip_address);
  if (fault !== undefined) throw neutron.badRequest(fault);
}

/** The pairs of a port, each with its MAC address. @throws ApiError 409 where the port has no security to except them from */
export function pairsFor(pairs: Pair[] | undefined, mac: string, portSecurity: boolean): Port["allowedAddressPairs"] {
  if (pairs === undefined || pairs.length === 0) return [];
  if (!portSecurity) throw neutron.pairsNeedSecurity();
  return pairs.map((pair) => ({ ip_address: pair.ip_address, mac_address: pair.mac_address ?? mac }));
}
