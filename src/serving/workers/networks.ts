import { lookup as resolve } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

/** Why an address is not asked. */
class AddressRefusedError extends Error {
  override readonly name = "AddressRefusedError";
  readonly code = "EADDRREFUSED";
}

/**
 * Never asked, whatever is configured: what only this machine's cloud answers (metadata is at 169.254.169.254, and its IPv6 forms),
 * what means "any", and what reaches many.
 */
const refusedAlways = blockListOf([
  "0.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/3",
  "::/128",
  "fe80::/10",
  "ff00::/8",
  "fd00:ec2::254/128",
]);

const privateNetworks = blockListOf(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]);
const loopback = ["127.0.0.0/8", "::1/128"];

/** Loopback, and those networks of the machine's own that are private. */
export function ownNetworks(interfaces: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces()): string[] {
  const own = Object.values(interfaces).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ address, cidr }) => (cidr && has(privateNetworks, address) ? [cidr] : [])),
  );
  return [...loopback, ...new Set(own)];
}

/** Which addresses workers may have: nobody who registers one may have us ask what only we can reach. */
export class AddressGuard {
  readonly #allowed: BlockList;

  constructor(networks: readonly string[] = ownNetworks()) {
    this.#allowed = blockListOf(networks);
  }

  /** Why an IP address is refused; undefined where it is allowed. */
  refusalOf(address: string): string | undefined {
    const plain = withoutMapping(address);
    if (has(refusedAlways, plain)) return `${address} is never asked`;
    return has(this.#allowed, plain) ? undefined : `${address} is in none of the allowed networks`;
  }

  /** Why a worker's host is refused: its address, or all that its name stands for. Undefined where it is allowed. */
  async refusalOfHost(host: string): Promise<string | undefined> {
    if (isIP(host)) return this.refusalOf(host);
    return new Promise((settle) => {
      this.lookup(host, { all: true }, (error) => settle(error ? error.message : undefined));
    });
  }

  /** Resolves a name for a connection, which then goes to an address that was looked at: the name cannot mean another one by then. */
  readonly lookup: LookupFunction = (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, "", 0);
      const allowed = addresses.filter(({ address }) => this.refusalOf(address) === undefined);
      const [first] = allowed;
      if (!first) {
        const reasons = addresses.map(({ address }) => this.refusalOf(address)).join(", ");
        return callback(new AddressRefusedError(`${host}: ${reasons || "no address"}`), "", 0);
      }
      if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}

function has(list: BlockList, address: string): boolean {
  return list.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

/** The IPv4 address that an IPv6 one stands for: mapped (`::ffff:a.b.c.d`), compatible, or by NAT64's prefix. */
function withoutMapping(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = groupsOf(address);
  const prefix = groups
    .slice(0, 6)
    .map((group) => group.toString(16))
    .join(":");
  const low = groups.slice(6);
  const isMapped = prefix === "0:0:0:0:0:ffff" || prefix === "64:ff9b:0:0:0:0";
  // `::` and `::1` are themselves
  const isCompatible = prefix === "0:0:0:0:0:0" && ((low[0] as number) > 0 || (low[1] as number) > 1);
  if (!isMapped && !isCompatible) return address;
  return low.flatMap((group) => [group >> 8, group & 0xff]).join(".");
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): number[] {
  const hex = address
    .replace(/%.*$/, "")
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
      [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(":"),
    );
  const [head = "", tail] = hex.split("::");
  const parse = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const front = parse(head);
  if (tail === undefined) return front;
  const back = parse(tail);
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
}
