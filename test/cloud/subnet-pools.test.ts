import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cidrsWithout, compactCidrs, isWithinCidrs, meet } from "../../src/cloud/network/cidr-sets.ts";
import { cidrText, knownRange, parseCidr } from "../../src/cloud/network/ip.ts";
import { type Answer, TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string };
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = { token: await cloud.adminToken() };
});
afterAll(() => cloud.remove());

const v2 = "/network/v2.0";
const pools = `${v2}/subnetpools`;
const told = ({ status, body }: Answer) => [status, body.NeutronError?.type, body.NeutronError?.message];
const makePool = (fields: object) => cloud.make("subnetpool", { name: "pool", prefixes: ["10.50.0.0/16"], ...fields });
const nothing = "0ca7e0d5-7d5d-4a5e-9b3c-000000000000";

// each as Neutron 21 answered
describe("subnet pools", () => {
  it("put their prefixes together, and answer changes with numbers", async () => {
    const pool = await makePool({ prefixes: ["10.50.0.0/16", "10.49.0.0/16", "10.51.0.1/16"] });
    expect(pool).toEqual({
      ...{ id: expect.any(String), name: "pool", description: "", tags: [], revision_number: 0, ip_version: 4 },
      ...{
        default_prefixlen: "8",
        min_prefixlen: "8",
        max_prefixlen: "32",
        prefixes: ["10.49.0.0/16", "10.50.0.0/15"],
      },
      ...{ is_default: false, shared: false, default_quota: null, address_scope_id: null },
      ...{ tenant_id: cloud.projectId, project_id: cloud.projectId },
      ...{ created_at: expect.any(String), updated_at: expect.any(String) },
    });
    const put = (subnetpool: object) => cloud.put(`${pools}/${pool.id}`, { subnetpool });
    const changed = (await put({ default_prefixlen: 26, min_prefixlen: 16, description: "d" })).body.subnetpool;
    expect(changed).toMatchObject({ default_prefixlen: 26, min_prefixlen: 16, max_prefixlen: 32, description: "d" });
    expect(changed).not.toHaveProperty("default_quota");
    expect((await put({ prefixes: ["10.48.0.0/14", "10.52.0.0/16"] })).body.subnetpool.prefixes).toEqual([
      ...["10.48.0.0/14", "10.52.0.0/16"],
    ]);
    expect(told(await put({ prefixes: ["10.49.0.0/16"] }))).toEqual([
      400,
      "IllegalSubnetPoolPrefixUpdate",
      "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.",
    ]);
    expect(told(await put({ shared: true }))[2]).toBe("Cannot update read-only attribute shared");
    expect(told(await put({ is_default: true }))[2]).toBe(
      "(rule:update_subnetpool and rule:update_subnetpool:is_default) is disallowed by policy",
    );
    const prefixes = (change: string, body: object) => cloud.put(`${pools}/${pool.id}/${change}_prefixes`, body);
    expect((await prefixes("add", { prefixes: ["10.60.0.0/16"] })).body).toEqual({
      prefixes: ["10.48.0.0/14", "10.52.0.0/16", "10.60.0.0/16"],
    });
    expect(told(await prefixes("add", { prefixes: ["10.61.0.0/16", "zz"] }))).toEqual([
      ...[400, "AddrFormatError", "invalid IPNetwork zz"],
    ]);
    expect(told(await prefixes("add", { prefixes: [] }))[2]).toBe("Request body contains invalid data");
    expect((await prefixes("remove", { prefixes: ["10.60.0.0/16", "10.66.0.0/16"] })).body).toEqual({
      prefixes: ["10.48.0.0/14", "10.52.0.0/16"],
    });
    expect((await cloud.delete(`${pools}/${pool.id}`)).status).toBe(204);
    expect(told(await cloud.get(`${pools}/${pool.id}`))).toEqual([
      ...[404, "SubnetPoolNotFound", `Subnet pool ${pool.id} could not be found.`],
    ]);
  });

  const bounds = (words: string) => [400, "IllegalSubnetPoolPrefixBounds", `Illegal prefix bounds: ${words}.`];
  it.each([
    [{ name: "" }, [400, "HTTPBadRequest", "Invalid input for name. Reason: '' Blank strings are not permitted."]],
    [{ prefixes: [] }, [400, "EmptySubnetPoolPrefixList", "Empty subnet pool prefix list."]],
    [
      { prefixes: ["zzz"] },
      [400, "HTTPBadRequest", "Invalid input for prefixes. Reason: 'zzz' is not a valid IP subnet."],
    ],
    [
      { prefixes: ["10.50.0.0/16", "fd00::/48"] },
      [400, "PrefixVersionMismatch", "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."],
    ],
    [{ min_prefixlen: 28, max_prefixlen: 24 }, bounds("min_prefixlen=28, max_prefixlen=24")],
    [{ max_prefixlen: 33 }, bounds("max_prefixlen=33, ip_version_max=32")],
    [{ default_prefixlen: 4 }, bounds("default_prefixlen=4, min_prefixlen=8")],
    [{ default_prefixlen: 30, max_prefixlen: 28 }, bounds("default_prefixlen=30, max_prefixlen=28")],
    [
      { default_quota: -1 },
      [400, "HTTPBadRequest", "Invalid input for default_quota. Reason: '-1' should be non-negative."],
    ],
    [
      { shared: true, is_default: true },
      [
        ...[403, "PolicyNotAuthorized"],
        "((rule:create_subnetpool and rule:create_subnetpool:is_default) and rule:create_subnetpool:shared) is disallowed by policy",
      ],
    ],
    [{ address_scope_id: nothing }, [404, "AddressScopeNotFound", `Address scope ${nothing} could not be found.`]],
  ])("refuse %j", async (fields, expected) => {
    const subnetpool = { name: "refused", prefixes: ["10.50.0.0/16"], ...fields };
    expect(told(await cloud.post(pools, { subnetpool }))).toEqual(expected);
  });

  it("give subnets ranges: the smallest free block that has room, or the one that is named", async () => {
    const pool = await makePool({
      prefixes: ["10.48.0.0/14", "10.52.0.0/16"],
      default_prefixlen: 26,
      min_prefixlen: 16,
    });
    const { id: network_id } = await cloud.make("network", {});
    const post = (fields: object) =>
      cloud.post(`${v2}/subnets`, { subnet: { network_id, ip_version: 4, subnetpool_id: pool.id, ...fields } });
    const first = (await post({})).body.subnet;
    expect(first).toMatchObject({ cidr: "10.52.0.0/26", gateway_ip: "10.52.0.1", subnetpool_id: pool.id });
    expect((await post({ prefixlen: 24 })).body.subnet.cidr).toBe("10.52.1.0/24");
    expect((await post({ cidr: "10.51.7.0/24" })).body.subnet.cidr).toBe("10.51.7.0/24");
    expect((await post({ gateway_ip: "10.50.0.9" })).body.subnet).toMatchObject({
      cidr: "10.50.0.0/26",
      allocation_pools: [
        { start: "10.50.0.1", end: "10.50.0.8" },
        { start: "10.50.0.10", end: "10.50.0.62" },
      ],
    });
    const unavailable =
      "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.";
    expect(told(await post({ cidr: "10.51.7.0/25" }))).toEqual([500, "SubnetAllocationError", unavailable]);
    expect(told(await post({ prefixlen: 15 }))[2]).toBe(
      "Unable to allocate subnet with prefix length 15, minimum allowed prefix is 16.",
    );
    expect(told(await post({ prefixlen: 33 }))).toEqual([400, "AddrFormatError", "invalid IPNetwork 0.0.0.0/33"]);
    expect(told(await post({ ip_version: 6 }))[2]).toBe(
      "Bad subnets request: Cannot allocate IPv6 subnet from IPv4 subnet pool.",
    );
    expect(told(await post({ subnetpool_id: null, cidr: "10.71.7.0/25" }))[1]).toBe("NetworkSubnetPoolAffinityError");
    expect(told(await cloud.delete(`${pools}/${pool.id}`))).toEqual([
      ...[400, "SubnetPoolDeleteError", "Unable to delete subnet pool: Subnet pool has existing allocations."],
    ]);
    const removal = await cloud.put(`${pools}/${pool.id}/remove_prefixes`, { prefixes: ["10.48.0.0/14"] });
    expect(told(removal)[2]).toBe(
      "Illegal update to prefixes: One or more the prefixes to be removed is in use by a subnet..",
    );
    await cloud.put(`${pools}/${pool.id}`, { subnetpool: { default_quota: 300 } });
    expect(told(await post({ prefixlen: 24 }))).toEqual([
      ...[409, "SubnetPoolQuotaExceeded", "Per-tenant subnet pool prefix quota exceeded."],
    ]);
    await cloud.delete(`${v2}/subnets/${first.id}`);
    await cloud.put(`${pools}/${pool.id}`, { subnetpool: { default_quota: 10_000 } });
    expect((await post({ cidr: "10.52.0.0/26" })).status).toBe(201); // free again
  });

  it("give subnets the address after their first as their gateway, also where it lies outside", async () => {
    const answerTo = async (prefix: string, prefixlen: number) => {
      const { id: subnetpool_id } = await makePool({ prefixes: [prefix] });
      const { id: network_id } = await cloud.make("network", {});
      const ip_version = prefix.includes(":") ? 6 : 4;
      const subnet = { network_id, subnetpool_id, ip_version, prefixlen, enable_dhcp: false, gateway_ip: null };
      return cloud.post(`${v2}/subnets`, { subnet });
    };
    expect((await answerTo("10.73.0.0/24", 32)).body.subnet.gateway_ip).toBe("10.73.0.1");
    expect((await answerTo("2001:db8:73::/64", 128)).body.subnet.gateway_ip).toBe("2001:db8:73::1");
    expect((await answerTo("2001:db8:74::/64", 127)).body.subnet.gateway_ip).toBe("2001:db8:74::1");
    expect(told(await answerTo("10.74.0.0/24", 31))).toEqual([
      ...[409, "IpamValueInvalid", "Gateway IP 10.74.0.1 cannot be allocated in CIDR 10.74.0.0/31"],
    ]);
  });

  it("are for all where an administrator says so, and one of them is the default", async () => {
    expect(told(await cloud.post(`${v2}/subnets`, { subnet: await defaulted() }))[2]).toBe(
      "Bad subnets request: No default subnetpool found for IPv4.",
    );
    const fields = { name: "all", prefixes: ["10.72.0.0/16"], default_prefixlen: 24, shared: true, is_default: true };
    const pool = await cloud.make("subnetpool", fields, admin.token);
    const second = await cloud.post(pools, { subnetpool: { ...fields, name: "second" } }, admin);
    expect(told(second)).toEqual([
      ...[400, "InvalidInput"],
      "Invalid input for operation: A default subnetpool for this IP family has already been set. Only one default may exist per IP family.",
    ]);
    expect(await cloud.make("subnet", await defaulted())).toMatchObject({
      cidr: "10.72.0.0/24",
      subnetpool_id: pool.id,
    });
    expect((await cloud.get(`${pools}/${pool.id}`)).body.subnetpool).toMatchObject({ shared: true });
    expect((await cloud.put(`${pools}/${pool.id}`, { subnetpool: { name: "mine" } })).status).toBe(403);
  });

  async function defaulted() {
    return { network_id: (await cloud.make("network", {})).id, ip_version: 4, use_default_subnetpool: true };
  }
});

describe("address scopes", () => {
  const scopes = `${v2}/address-scopes`;

  it("hold pools apart and say what networks are in them", async () => {
    const scope = await cloud.make("address_scope", { name: "scope", ip_version: 4 });
    expect(scope).toEqual({
      ...{ id: expect.any(String), name: "scope", shared: false, ip_version: 4 },
      ...{ tenant_id: cloud.projectId, project_id: cloud.projectId },
    });
    const inScope = { address_scope_id: scope.id, prefixes: ["10.70.0.0/16"], default_prefixlen: 24 };
    const pool = await makePool(inScope);
    const twin = await cloud.post(pools, { subnetpool: { name: "twin", ...inScope, prefixes: ["10.70.4.0/24"] } });
    expect(told(twin)).toEqual([
      ...[409, "AddressScopePrefixConflict"],
      "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.",
    ]);
    const six = await cloud.make("address_scope", { name: "six", ip_version: 6 });
    const wrong = await cloud.put(`${pools}/${pool.id}`, { subnetpool: { address_scope_id: six.id } });
    expect(told(wrong)[1]).toBe("IllegalSubnetPoolIpVersionAssociationToAddressScope");
    const network = await cloud.make("network", {});
    await cloud.make("subnet", { network_id: network.id, ip_version: 4, subnetpool_id: pool.id });
    expect((await cloud.get(`${v2}/networks/${network.id}`)).body.network.ipv4_address_scope).toBe(scope.id);
    expect(told(await cloud.delete(`${scopes}/${scope.id}`))).toEqual([
      ...[409, "AddressScopeInUse"],
      `Unable to complete operation on address scope ${scope.id}. There are one or more subnet pools in use on the address scope.`,
    ]);
    await cloud.put(`${pools}/${pool.id}`, { subnetpool: { address_scope_id: null } });
    expect((await cloud.delete(`${scopes}/${scope.id}`)).status).toBe(204);
    expect(told(await cloud.get(`${scopes}/${scope.id}`))[1]).toBe("AddressScopeNotFound");
  });

  it.each([
    [{ ip_version: 5 }, "Invalid input for ip_version. Reason: 5 is not in valid_values."],
    [{}, "Failed to parse request. Required attribute 'ip_version' not specified"],
    [{ ip_version: 4, description: "x" }, "Unrecognized attribute(s) 'description'"],
    [
      { ip_version: 4, shared: true },
      "(rule:create_address_scope and rule:create_address_scope:shared) is disallowed by policy",
    ],
  ])("refuse %j", async (fields, message) => {
    expect(told(await cloud.post(scopes, { address_scope: { name: "s", ...fields } }))[2]).toBe(message);
  });

  it("of an administrator's are shared once and for all", async () => {
    const { id } = await cloud.make("address_scope", { ip_version: 4, shared: true }, admin.token);
    expect((await cloud.get(`${scopes}/${id}`)).body.address_scope.shared).toBe(true);
    expect(told(await cloud.put(`${scopes}/${id}`, { address_scope: { shared: false } }, admin))[2]).toBe(
      `Unable to update address scope ${id} : Shared address scope can't be unshared.`,
    );
    expect((await cloud.get(`${scopes}/${id}/tags`)).body.NeutronError.type).toBe("HTTPNotFound");
  });
});

describe("sets of addresses", () => {
  // small numbers, so that they meet; an independent reference counts address by address
  const lists = (version: 4 | 6) => {
    const cidr = fc.tuple(fc.integer({ min: 24, max: 32 }), fc.integer({ min: 0, max: 255 })).map(([prefix, last]) => {
      const written = version === 4 ? `10.0.0.${last}/${prefix}` : `fd00::${last.toString(16)}/${prefix + 96}`;
      return cidrText(knownRange(written));
    });
    return [fc.array(cidr, { maxLength: 8 }), fc.array(cidr, { maxLength: 8 })] as const;
  };
  const addressesOf = (cidrs: string[]) => {
    const all = new Set<bigint>();
    for (const range of cidrs.flatMap((one) => parseCidr(one) ?? [])) {
      for (let address = range.first; address <= range.last; address++) all.add(address);
    }
    return all;
  };

  it.each([4, 6] as const)("have what they had, in as few CIDRs as can be, in IPv%d", (version) => {
    fc.assert(
      fc.property(...lists(version), (some, others) => {
        const compact = compactCidrs(some);
        expect(addressesOf(compact)).toEqual(new Set([...addressesOf(some)].sort((a, b) => Number(a - b))));
        for (const [index, one] of compact.entries()) {
          const rest = compact.filter((_, at) => at !== index);
          const [first, second] = [parseCidr(one), parseCidr(compact[index + 1] ?? "")];
          expect(meet([one], rest)).toBe(false);
          const joined =
            first?.prefix === second?.prefix
              ? parseCidr(`${one.split("/")[0]}/${(first?.prefix ?? 1) - 1}`)
              : undefined;
          expect(joined !== undefined && joined.first === first?.first && joined.last === second?.last).toBe(false);
        }
        const left = addressesOf(cidrsWithout(some, others).map(cidrText));
        const taken = addressesOf(others);
        expect([...left].toSorted()).toEqual([...addressesOf(some)].filter((one) => !taken.has(one)).toSorted());
        expect(isWithinCidrs(some, others)).toBe(left.size === 0);
        expect(meet(some, others)).toBe([...addressesOf(some)].some((one) => taken.has(one)));
      }),
    );
  });
});
