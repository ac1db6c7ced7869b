import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { withCloudEntries } from "../../src/cloud/clouds-yaml.ts";
import { hostnameOf } from "../../src/cloud/compute/server-create.ts";
import { defaultPools } from "../../src/cloud/network/allocation-pools.ts";
import {
  contains,
  eui64Address,
  type Ip,
  ipText,
  isEui64,
  knownRange,
  linkLocalAddress,
  netmaskOf,
  normalizeCidr,
  normalizeIp,
  parseCidr,
  parseIp,
} from "../../src/cloud/network/ip.ts";

const address = fc.oneof(
  fc.record({ version: fc.constant(4 as const), value: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }) }),
  // words of zeros are what texts of IPv6 differ by
  fc
    .array(fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 0xffffn })), { minLength: 8, maxLength: 8 })
    .map((words): Ip => ({ version: 6, value: words.reduce((sum, word) => sum * 0x10000n + word, 0n) })),
);

describe("addresses", () => {
  it("numbers and texts are the same thing", () => {
    fc.assert(
      fc.property(address, (ip) => {
        expect(parseIp(ipText(ip))).toEqual(ip);
      }),
    );
  });

  it.each([
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["::1", "::1"],
    ["fd00:0:0:0:0:0:0:0", "fd00::"],
    ["1:0:1:0:1:0:1:0", "1:0:1:0:1:0:1:0"],
    ["2001:db8:0:10:100::1", "2001:db8:0:10:100::1"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["10.0.0.1", "10.0.0.1"],
    ["nobody", "nobody"],
  ])("%s is written %s", (text, normal) => expect(normalizeIp(text)).toBe(normal));

  it("are written as everybody writes them", () => {
    // URLs write a number of IPv6 as RFC 5952 says
    fc.assert(
      fc.property(address, (ip) => {
        const text = ipText(ip);
        const inUrl = new URL(`http://${ip.version === 6 ? `[${text}]` : text}/`).hostname.replace(/[[\]]/g, "");
        expect(inUrl).toBe(text);
      }),
    );
  });

  it("a range holds its first and last address, and not their neighbours", () => {
    fc.assert(
      fc.property(address, fc.integer({ min: 1, max: 31 }), (ip, prefix) => {
        const { version, first, last } = knownRange(`${ipText(ip)}/${prefix}`);
        const range = knownRange(`${ipText(ip)}/${prefix}`);
        const has = (value: bigint) => contains(range, ipText({ version, value }));
        return has(first) && has(last) && has(ip.value) && (first === 0n || !has(first - 1n));
      }),
    );
  });

  it.each([
    ...["10.0.0.0", "10.0.0.0/33", "10.0.0/24", "a/24", "10.0.0.0/24/1", ""],
    ...["fd00::", "fd00::/129", "fd00::1%eth0/64", "fd00:::/64"],
  ])("%j is no CIDR", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  it("clears host bits", () => {
    expect(normalizeCidr("10.1.2.3/16")).toBe("10.1.0.0/16");
    expect(normalizeCidr("FD00:1::5/64")).toBe("fd00:1::/64");
  });

  it("netmasks", () => {
    expect(netmaskOf({ version: 4, prefix: 24 })).toBe("255.255.255.0");
    expect(netmaskOf({ version: 6, prefix: 64 })).toBe("ffff:ffff:ffff:ffff::");
  });

  it("hosts make their addresses of their MAC address", () => {
    const own = eui64Address(knownRange("2001:db8:1::/64"), "fa:16:3e:00:01:02");
    expect(own).toBe("2001:db8:1:0:f816:3eff:fe00:102");
    expect([own, "2001:db8:1::5", "10.0.0.1"].map(isEui64)).toEqual([true, false, false]);
    expect(linkLocalAddress("52:74:f2:b1:a8:7f")).toBe("fe80::5074:f2ff:feb1:a87f");
  });

  it("pools of IPv6 end with the last address", () => {
    expect(defaultPools("fd00::/64", "fd00::")).toEqual([{ start: "fd00::1", end: "fd00::ffff:ffff:ffff:ffff" }]);
    expect(defaultPools("fd00::/126", "fd00::2")).toEqual([
      { start: "fd00::1", end: "fd00::1" },
      { start: "fd00::3", end: "fd00::3" },
    ]);
    expect(defaultPools("fd00::/64", "fe80::1")).toEqual([{ start: "fd00::1", end: "fd00::ffff:ffff:ffff:ffff" }]);
  });

  it("pools are all host addresses but the gateway", () => {
    expect(defaultPools("10.0.0.0/29", "10.0.0.3")).toEqual([
      { start: "10.0.0.1", end: "10.0.0.2" },
      { start: "10.0.0.4", end: "10.0.0.6" },
    ]);
    expect(defaultPools("10.0.0.0/30", "10.0.0.1")).toEqual([{ start: "10.0.0.2", end: "10.0.0.2" }]);
  });
});

describe("host names", () => {
  it.each([
    ["server-g1", "server-g1"],
    ["My Server_2", "my-server-2"],
    ["-a.b-", "a-b"],
    ["日本", "Server-ID"],
  ])("%j is %j", (name, expected) => {
    expect(hostnameOf(name, "ID")).toBe(expected);
  });
});

describe("clouds.yaml", () => {
  const login = (username: string) => ({ username, password: `${username}-secret`, projectName: username });
  const credentials = { admin: login("admin"), demo: login("demo") };

  it("gets the two entries, and keeps what else is there", () => {
    const text = withCloudEntries("# mine\nclouds:\n  other:\n    auth: {auth_url: x}\n", "http://h/v3", credentials);
    expect(text).toContain("# mine");
    const { clouds } = parse(text);
    expect(Object.keys(clouds)).toEqual(["other", "slipway", "slipway-admin"]);
    expect(clouds.slipway).toEqual({
      auth: {
        auth_url: "http://h/v3",
        username: "demo",
        password: "demo-secret",
        project_name: "demo",
        user_domain_name: "Default",
        project_domain_name: "Default",
      },
      region_name: "RegionOne",
      identity_api_version: 3,
      interface: "public",
    });
  });

  it("is the same when written again", () => {
    const once = withCloudEntries(undefined, "http://h/v3", credentials);
    expect(withCloudEntries(once, "http://h/v3", credentials)).toBe(once);
    expect(once.startsWith("clouds:\n  slipway:\n    auth:\n")).toBe(true);
  });
});
