import { pythonRepr } from "../http/python-repr.ts";
import { neutron } from "./errors.ts";
import { contains, hostRange, ipText, knownRange, parseIp } from "./ip.ts";
import type { AllocationPool } from "./records.ts";

/** All host addresses but the gateway, which cuts the range in two unless it lies at an end. */
export function defaultPools(cidr: string, gatewayIp: string | null): AllocationPool[] {
  const range = knownRange(cidr);
  const { version } = range;
  const { first, last } = hostRange(range);
  const ip = gatewayIp === null ? undefined : parseIp(gatewayIp);
  const gateway = ip?.version === version && ip.value >= first && ip.value <= last ? ip.value : undefined;
  // a range of one address keeps it
  const parts: [bigint, bigint][] =
    gateway === undefined || range.first === range.last
      ? [[first, last]]
      : [
          [first, gateway - 1n],
          [gateway + 1n, last],
        ];
  return parts
    .filter(([start, end]) => start <= end)
    .map(([start, end]) => ({
      start: ipText({ version, value: start }),
      end: ipText({ version, value: end }),
    }));
}

/** @throws ApiError 400, 409 in Neutron's words for pools that are no ranges of the subnet's, overlap, or hold its gateway */
export function checkPools(cidr: string, gatewayIp: string | null, allocationPools: AllocationPool[]): void {
  const range = knownRange(cidr);
  const hosts = hostRange(range);
  const spans = allocationPools.map((pool) => ({
    name: `${pool.start}-${pool.end}`,
    from: valueIn(pool.start, range.version),
    to: valueIn(pool.end, range.version),
    pool,
  }));
  for (const { from, to, pool, name } of spans) {
    if (from < 0n || to < 0n) throw neutron.poolInvalid(name);
    if (from > to) throw neutron.poolInvalid(pythonRepr(pool));
    if (!contains(range, pool.start) || !contains(range, pool.end) || from < hosts.first || to > hosts.last) {
      throw neutron.poolOutOfBounds(name, cidr);
    }
  }
  for (const [index, one] of spans.entries()) {
    const other = spans.slice(index + 1).find((later) => one.from <= later.to && later.from <= one.to);
    if (other !== undefined) throw neutron.poolsOverlap(one.name, other.name, cidr);
  }
  const gateway = gatewayIp === null ? -1n : valueIn(gatewayIp, range.version);
  const holder = spans.find(({ from, to }) => gateway >= from && gateway <= to);
  if (holder !== undefined) throw neutron.gatewayInPool(gatewayIp ?? "", holder.name);
}

/** Below zero for what is no address of this family. */
function valueIn(address: string, version: number): bigint {
  const ip = parseIp(address);
  return ip?.version === version ? ip.value : -1n;
}
