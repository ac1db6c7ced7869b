import { SlipwayError } from "../../../common/errors.ts";
import { overlaps, prefixLength, rangeOf } from "./addresses.ts";

/** A range or address that the machine uses, with the words that tell a user where it comes from. */
export interface UsedRange {
  cidr: string;
  /** "address of eth0", "apt mirror", … */
  origin: string;
}

/** The ranges that an embedded cloud may pick for its external network: 64 private /24 that few sites use. */
const candidateRanges: readonly string[] = Array.from({ length: 64 }, (_, i) => `172.24.${64 + i}.0/24`);

/** Everything in `used` that a range would cut off. */
export function clashesOf(cidr: string, used: readonly UsedRange[]): UsedRange[] {
  const range = rangeOf(cidr);
  if (range === undefined) return [];
  return used.filter((other) => {
    const taken = rangeOf(other.cidr);
    return taken !== undefined && overlaps(range, taken);
  });
}

/** The first candidate that clashes with nothing. @throws SlipwayError E_ADDRESS_RANGE when all are used */
export function pickRange(used: readonly UsedRange[]): string {
  const free = candidateRanges.find((cidr) => clashesOf(cidr, used).length === 0);
  if (free !== undefined) return free;
  throw new SlipwayError(
    "E_ADDRESS_RANGE",
    "every range from 172.24.64.0/24 to 172.24.127.0/24 is used on this machine",
    {
      hint: "Name a free private range for the cloud's external network, or remove clouds that are not needed.",
      details: used.map(({ cidr, origin }) => `${cidr}: ${origin}`),
    },
  );
}

/** Returns a range that someone named if it can be used. @throws SlipwayError E_ADDRESS_RANGE */
export function checkRange(cidr: string, used: readonly UsedRange[]): string {
  const length = prefixLength(cidr);
  if (rangeOf(cidr) === undefined || !cidr.includes("/") || length < 16 || length > 28) {
    throw new SlipwayError("E_ADDRESS_RANGE", `${cidr} is not an IPv4 range between /16 and /28`, {
      hint: "Write it as 172.24.80.0/24.",
    });
  }
  const clashes = clashesOf(cidr, used);
  if (clashes.length === 0) return cidr;
  throw new SlipwayError(
    "E_ADDRESS_RANGE",
    `${cidr} is used on this machine: ${clashes[0]?.origin} ${clashes[0]?.cidr}`,
    {
      hint: "Name another private range, or none: a free one is picked then.",
      details: clashes.map((clash) => `${clash.cidr}: ${clash.origin}`),
    },
  );
}
