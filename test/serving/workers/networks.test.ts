import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressGuard, ownNetworks } from "../../../src/serving/workers/networks.ts";

const everything = new AddressGuard(["0.0.0.0/0", "::/0"]);

describe("the addresses that workers may have", () => {
  it("are loopback's and those of the machine's own private networks by default", () => {
    const info = (address: string, cidr: string, family: "IPv4" | "IPv6" = "IPv4") =>
      ({ address, cidr, family, netmask: "", mac: "", internal: false, scopeid: 0 }) as never;
    const networks = ownNetworks({
      lo: [info("127.0.0.1", "127.0.0.1/8")],
      eth0: [info("10.4.5.6", "10.4.5.6/24"), info("fd12::5", "fd12::5/64", "IPv6")],
      eth1: [info("203.0.113.7", "203.0.113.7/24"), info("169.254.3.4", "169.254.3.4/16")],
    });
    expect(networks).toEqual(["127.0.0.0/8", "::1/128", "10.4.5.6/24", "fd12::5/64"]);
    const guard = new AddressGuard(networks);
    const allowed = ["127.0.0.1", "127.9.9.9", "::1", "10.4.5.200", "fd12::99", "::ffff:10.4.5.7"];
    const refused = [
      "10.4.6.1",
      "203.0.113.8",
      "8.8.8.8",
      "169.254.169.254",
      "::ffff:169.254.169.254",
      "fd13::1",
      "::",
    ];
    expect(allowed.filter((address) => guard.refusalOf(address) !== undefined)).toEqual([]);
    expect(refused.filter((address) => guard.refusalOf(address) === undefined)).toEqual([]);
  });

  it("are never those of a cloud's metadata, in whatever form and whatever is allowed", () => {
    const metadata = [
      "169.254.169.254",
      "::ffff:169.254.169.254",
      "::ffff:a9fe:a9fe",
      "0:0:0:0:0:ffff:a9fe:a9fe",
      "::169.254.169.254",
      "64:ff9b::169.254.169.254",
      "64:ff9b::a9fe:a9fe",
      "fe80::a9fe:a9fe",
      "fd00:ec2::254",
      "0.0.0.0",
      "255.255.255.255",
      "224.0.0.1",
      "ff02::1",
    ];
    expect(metadata.filter((address) => everything.refusalOf(address) === undefined)).toEqual([]);
    expect(everything.refusalOf("8.8.8.8")).toBeUndefined();
    expect(everything.refusalOf("2001:db8::1")).toBeUndefined();
  });

  it("are told by the number, however an address is written", () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
        const hex = `::ffff:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
        const refused = a === 0 || a >= 224 || (a === 169 && b === 254);
        for (const form of [address, hex, `::ffff:${address}`, `64:ff9b::${address}`]) {
          expect([form, everything.refusalOf(form) !== undefined]).toEqual([form, refused]);
        }
      }),
    );
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const refused = new AddressGuard(["fc00::/7"]).refusalOf(address) !== undefined;
        const first = Number.parseInt(address.split(":")[0] || "0", 16);
        const isEc2 = new AddressGuard(["fd00:ec2::254/128"]).refusalOf(address) !== undefined && first === 0xfd00;
        if (!isEc2) expect([address, refused]).toEqual([address, (first & 0xfe00) !== 0xfc00]);
      }),
    );
  });

  it("are looked at when a name is resolved for a connection", async () => {
    const lookup = (guard: AddressGuard) =>
      new Promise<string>((resolve) =>
        guard.lookup("localhost", { all: true }, (error, addresses) =>
          resolve(error ? error.message : JSON.stringify(addresses)),
        ),
      );
    expect(await lookup(new AddressGuard(["127.0.0.0/8", "::1/128"]))).toMatch(/127\.0\.0\.1|::1/);
    expect(await lookup(new AddressGuard(["10.0.0.0/8"]))).toMatch(/localhost: .* in none of the allowed networks/);
    expect(await new AddressGuard(["10.0.0.0/8"]).refusalOfHost("localhost")).toMatch(/in none of the allowed/);
    expect(await new AddressGuard().refusalOfHost("localhost")).toBeUndefined();
  });
});
