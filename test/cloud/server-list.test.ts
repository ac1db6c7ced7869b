import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string };
const ids: Record<string, string> = {};
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = { token: await cloud.adminToken() };
  for (const name of ["alpha", "Beta", "gamma"]) ids[name] = (await cloud.bootServer({ name, networks: [] })).id;
  const tags = (name: string, list: string[]) => cloud.put(`${servers}/${ids[name]}/tags`, { tags: list }, version(26));
  await tags("alpha", ["x", "y"]);
  await tags("Beta", ["y"]);
  await cloud.post(`${servers}/${ids.gamma}/action`, { "os-stop": null });
  await cloud.post(`${servers}/${ids.Beta}/action`, { lock: null });
  const gone = (await cloud.bootServer({ name: "gone", networks: [] })).id;
  await cloud.delete(`${servers}/${gone}`);
  await cloud.cloud.idle();
});
afterAll(() => cloud.remove());

const servers = "/compute/v2.1/servers";
const version = (minor: number, options = {}) => ({
  ...options,
  headers: { "openstack-api-version": `compute 2.${minor}` },
});
const list = (query: string, minor = 1, options = {}) => cloud.get(`${servers}?${query}`, version(minor, options));
const names = async (query: string, minor = 1, options = {}) =>
  (await list(query, minor, options)).body.servers.map(({ name }: { name: string }) => name);

describe("the list of servers", () => {
  it.each([
    ["", 1, ["gamma", "Beta", "alpha"]],
    ["sort_key=display_name&sort_dir=asc", 1, ["alpha", "Beta", "gamma"]],
    ["sort_key=vm_state&sort_dir=asc&sort_key=display_name&sort_dir=desc", 1, ["Beta", "alpha", "gamma"]],
    ["name=^B", 1, ["Beta"]],
    ["name=beta", 1, ["Beta"]], // MariaDB's way
    ["status=shutoff", 1, ["gamma"]],
    ["status=shutoff&status=ACTIVE", 1, ["gamma", "Beta", "alpha"]],
    ["status=nonsense", 1, []],
    ["tags=x,y", 26, ["alpha"]],
    ["tags-any=x,y", 26, ["Beta", "alpha"]],
    ["not-tags=x,y", 26, ["gamma", "Beta"]],
    ["not-tags-any=x,y", 26, ["gamma"]],
    ["locked=true", 73, ["Beta"]],
    ["vm_state=stopped", 1, ["gamma", "Beta", "alpha"]], // for administrators alone, and not told
    ["vm_state=stopped", 83, ["gamma"]],
    ["deleted=true", 1, ["gamma", "Beta", "alpha"]],
    ["changes-since=2020-01-01T00:00:00Z", 1, ["gone", "gamma", "Beta", "alpha"]],
    ["changes-since=2999-01-01T00:00:00Z", 1, []],
    ["colour=red", 74, ["gamma", "Beta", "alpha"]],
  ])("for ?%s at 2.%i is %j", async (query, minor, expected) => {
    const found = await names(query, minor);
    expect(query.startsWith("changes") ? found.toSorted() : found).toEqual(
      query.startsWith("changes") ? expected.toSorted() : expected,
    );
  });

  it("comes in pages that lead to each other", async () => {
    const first = (await list("limit=2&sort_key=display_name&sort_dir=asc")).body;
    expect(first.servers_links).toEqual([
      {
        rel: "next",
        href: `${cloud.base}${servers}?limit=2&sort_dir=asc&sort_key=display_name&marker=${first.servers[1].id}`,
      },
    ]);
    const second = await names(new URL(first.servers_links[0].href).search.slice(1));
    expect(second).toEqual(["gamma"]);
    expect((await list("limit=2&marker=none")).body.badRequest.message).toBe("marker [none] not found");
    expect((await list("limit=0")).body).toEqual({ servers: [] });
  });

  it.each([
    ["limit=-1", 1, "Invalid input for query parameters limit. Value: -1. '-1' does not match '^[0-9]*$'"],
    ["name=[", 1, "Invalid input for query parameters name. Value: [. '[' is not a 'regex'"],
    [
      "changes-since=soon",
      1,
      "Invalid input for query parameters changes-since. Value: soon. 'soon' is not a 'date-time'",
    ],
    ["status=nonsense", 38, "Invalid status value"],
    ["colour=red", 75, "Additional properties are not allowed ('colour' was unexpected)"],
    [
      "changes-since=2021-01-01T00:00:00Z&changes-before=2020-01-01T00:00:00Z",
      66,
      "The value of changes-since must be less than or equal to changes-before.",
    ],
  ])("refuses ?%s at 2.%i", async (query, minor, message) => {
    expect((await list(query, minor)).body).toEqual({ badRequest: { code: 400, message } });
  });

  it("of other projects is for administrators, as are deleted servers", async () => {
    expect((await list("all_tenants=1")).body.forbidden.message).toBe(
      "Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.",
    );
    expect(await names("all_tenants=1", 1, admin)).toEqual(["gamma", "Beta", "alpha"]);
    expect(await names("", 1, admin)).toEqual([]);
    expect(await names(`all_tenants&project_id=${cloud.projectId}&name=a$`, 1, admin)).toEqual([
      "gamma",
      "Beta",
      "alpha",
    ]);
    expect(await names("all_tenants=1&deleted=true", 1, admin)).toEqual(["gone"]);
    expect((await list("status=deleted")).body.forbidden.message).toBe(
      "Only administrators may list deleted instances",
    );
  });
});
