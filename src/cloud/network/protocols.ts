import { lookup } from "../../common/lookup.ts";
import { ApiError } from "../http/api-error.ts";
import { pythonRepr, pythonText } from "../http/python-repr.ts";
import type { Converter } from "./validators.ts";

/** IP protocols that Neutron knows by name, in the order in which it lists them. */
const numbers = lookup<number>({
  ...{ ah: 51, dccp: 33, egp: 8, esp: 50, gre: 47, hopopt: 0, icmp: 1, igmp: 2, ip: 0, ipip: 4, "ipv6-encap": 41 },
  ...{ "ipv6-frag": 44, "ipv6-icmp": 58, icmpv6: 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43, ospf: 89 },
  ...{ pgm: 113, rsvp: 46, sctp: 132, tcp: 6, udp: 17, udplite: 136, vrrp: 112 },
});

/** A protocol's number, by its name or number. */
export function protocolNumber(protocol: string): number {
  return numbers[protocol] ?? Number(protocol);
}

/** Whether the protocol has ports: DCCP, SCTP, TCP, UDP and UDP-Lite. */
export const takesPorts = (number: number) => [33, 132, 6, 17, 136].includes(number);

/** A protocol as it is kept: names in lower case, numbers as text. @throws ApiError 400 */
export const toProtocol: Converter = (value) => {
  if (value === null) return null;
  const protocol = pythonText(value).toLowerCase();
  if (protocol in numbers || (/^\d+$/.test(protocol) && Number(protocol) <= 255)) return protocol;
  const known = [null, ...Object.keys(numbers)];
  const words = `Security group rule protocol ${protocol} not supported. Only protocol values ${pythonRepr(known)} and integer representations [0 to 255] are supported.`;
  throw new ApiError(400, words, "SecurityGroupRuleInvalidProtocol");
};
