import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { withCloudEntries } from "../../src/cloud/clouds-yaml.ts";
import { hostnameOf } from "../../src/cloud/compute/server-create.ts";
import { contains, ipv4ToNumber, normalizeCidr, numberToIpv4, parseCidr } from "../../src/cloud/network/ipv4.ts";
import { defaultPools } from "../../src/cloud/network/subnets.ts";

const address = fc.nat({ max: 2 ** 32 - 1 });

describe("IPv4", () => {
  it("numbers and texts are the same thing", () => {
    fc.assert(fc.property(address, (value) => ipv4ToNumber(numberToIpv4(value)) === value));
  });

  it("a range holds its first and last address, and not their neighbours", () => {
    fc.assert(
      fc.property(address, fc.integer({ min: 1, max: 31 }), (value, prefix) => {
        const range = parseCidr(`${numberToIpv4(value)}/${prefix}`);
        if (range === undefined) return false;
        const { first, last } = range;
        const inside = contains(range, numberToIpv4(first)) && contains(range, numberToIpv4(last));
        const outside = first === 0 || !contains(range, numberToIpv4(first - 1));
        return inside && outside && contains(range, numberToIpv4(value));
      }),
    );
  });

  it.each(["10.0.0.0", "10.0.0.0/33", "10.0.0/24", "a/24", "10.0.0.0/24/1", ""])("%j is no CIDR", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  it("clears host bits", () => expect(normalizeCidr("10.1.2.3/16")).toBe("10.1.0.0/16"));

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
