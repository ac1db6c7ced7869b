import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let admin: { token: string };
beforeAll(async () => {
  cloud = await TestCloud.start();
  admin = { token: await cloud.adminToken() };
});
afterAll(() => cloud.remove());

const v2 = "/network/v2.0";
const fault = (type: string, message: string) => ({ NeutronError: { type, message, detail: "" } });
const nothingThere = fault("HTTPNotFound", "The resource could not be found.");

// each as Neutron 21 answered, but for what this cloud has and has not
describe("extensions", () => {
  it("are told with Neutron's names, words and dates, one by one and together", async () => {
    const { extensions } = (await cloud.get(`${v2}/extensions`)).body;
    const pairs = {
      name: "Allowed Address Pairs",
      alias: "allowed-address-pairs",
      description: "Provides allowed address pairs",
      updated: "2013-07-23T10:00:00-00:00",
      links: [],
    };
    expect(extensions).toContainEqual(pairs);
    expect((await cloud.get(`${v2}/extensions/allowed-address-pairs`)).body).toEqual({ extension: pairs });
    const aliases = extensions.map(({ alias }: { alias: string }) => alias);
    expect(new Set(aliases).size).toBe(aliases.length);
    expect(aliases).not.toContain("qos");
  });

  it("that there are not are a page, or JSON where that is asked for", async () => {
    const page = await cloud.get(`${v2}/extensions/z%3Cz`);
    expect([page.status, page.headers.get("content-type"), page.text]).toEqual([
      404,
      "text/html; charset=UTF-8",
      "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  The resource could not be found.<br /><br />\nExtension with alias z&lt;z does not exist\n\n\n </body>\n</html>",
    ]);
    const json = await cloud.get(`${v2}/extensions/z%3Cz`, { headers: { accept: "application/json" } });
    expect([json.status, json.text]).toEqual([
      404,
      '{"message":"The resource could not be found.<br /><br />\\nExtension with alias z<z does not exist\\n\\n","code":"404 Not Found","title":"Not Found"}',
    ]);
  });
});

describe("agents", () => {
  const list = async (query = "", as = admin) => (await cloud.get(`${v2}/agents${query}`, as)).body.agents;

  it("are the one host's, counted as it works, and nobody's but the administrators'", async () => {
    await cloud.routedNetwork("10.61.0.0/24");
    const [l3] = await list("?agent_type=L3%20agent");
    expect(l3).toEqual({
      id: expect.any(String),
      ...{ agent_type: "L3 agent", binary: "neutron-l3-agent", topic: "l3_agent", host: hostname() },
      ...{ admin_state_up: true, alive: true, availability_zone: "nova", description: null, resources_synced: null },
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
      started_at: expect.any(String),
      heartbeat_timestamp: expect.any(String),
      configurations: expect.objectContaining({ routers: 1, ex_gw_ports: 1, interfaces: 1, floating_ips: 0 }),
    });
    const ids = (await list("?alive=true&fields=id")).map(({ id }: { id: string }) => id);
    expect(ids).toEqual(ids.toSorted());
    expect(ids).toHaveLength(2);
    expect(await list("", { token: cloud.token })).toEqual([]);
    expect((await cloud.get(`${v2}/agents/${l3.id}`)).body).toEqual(nothingThere);
    expect((await cloud.delete(`${v2}/agents/${l3.id}`)).status).toBe(404);
    expect((await cloud.get(`${v2}/agents?zone=x`, admin)).body).toEqual(
      fault("HTTPBadRequest", "['zone'] is invalid attribute for filtering"),
    );
  });

  it("are described and switched off, and come back as others when they are deleted", async () => {
    const [{ id }] = await list("?binary=neutron-linuxbridge-agent&fields=id");
    const put = (agent: object) => cloud.put(`${v2}/agents/${id}`, { agent }, admin);
    expect((await put({ admin_state_up: false, description: "d" })).body.agent).toMatchObject({
      ...{ id, admin_state_up: false, description: "d" },
    });
    expect((await put({ description: null })).body.agent).toMatchObject({ admin_state_up: false, description: null });
    expect((await put({ host: "x" })).body).toEqual(fault("HTTPBadRequest", "Cannot update read-only attribute host"));
    expect((await cloud.delete(`${v2}/agents/${id}`, admin)).status).toBe(204);
    expect((await cloud.get(`${v2}/agents/${id}`, admin)).body).toEqual(
      fault("AgentNotFound", `Agent ${id} could not be found.`),
    );
    expect(await list("?binary=neutron-linuxbridge-agent")).toMatchObject([{ admin_state_up: true }]);
  });
});

describe("lists of what there is", () => {
  it("tells administrators how many addresses are left", async () => {
    const network = await cloud.make("network", { name: "counted" });
    const pools = { allocation_pools: [{ start: "10.62.0.10", end: "10.62.0.19" }] };
    const subnet = await cloud.make("subnet", {
      network_id: network.id,
      ip_version: 4,
      cidr: "10.62.0.0/24",
      ...pools,
    });
    await cloud.make("port", { network_id: network.id });
    const expected = {
      ...{ network_id: network.id, network_name: "counted", tenant_id: cloud.projectId, project_id: cloud.projectId },
      subnet_ip_availability: [
        {
          ...{ subnet_id: subnet.id, ip_version: 4, cidr: "10.62.0.0/24", subnet_name: "" },
          ...{ used_ips: 1, total_ips: 10 },
        },
      ],
      ...{ used_ips: 1, total_ips: 10 },
    };
    const path = `${v2}/network-ip-availabilities`;
    expect((await cloud.get(`${path}/${network.id}`, admin)).body).toEqual({ network_ip_availability: expected });
    const listed = await cloud.get(`${path}?network_name=counted&ip_version=4`, admin);
    expect(listed.body).toEqual({ network_ip_availabilities: [expected] });
    expect((await cloud.get(`${path}?ip_version=6`, admin)).body).toEqual({ network_ip_availabilities: [] });
    expect((await cloud.get(path)).body).toEqual({ network_ip_availabilities: [] });
    expect((await cloud.get(`${path}/${network.id}`)).body).toEqual(nothingThere);
    expect((await cloud.get(`${path}/zz`)).body).toEqual(fault("NetworkNotFound", "Network zz could not be found."));
  });

  it("zones, providers and pools of floating IPs", async () => {
    expect((await cloud.get(`${v2}/availability_zones`)).body).toEqual({
      availability_zones: ["router", "network"].map((resource) => ({ state: "available", name: "nova", resource })),
    });
    expect((await cloud.get(`${v2}/availability_zones?resource=network`)).body.availability_zones).toHaveLength(1);
    expect((await cloud.get(`${v2}/service-providers?name=ha`)).body).toEqual({ service_providers: [] });
    expect((await cloud.get(`${v2}/service-providers`)).body).toEqual({
      service_providers: [{ service_type: "L3_ROUTER_NAT", name: "single_node", default: false }],
    });
    const { floatingip_pools } = (await cloud.get(`${v2}/floatingip_pools`)).body;
    expect(floatingip_pools).toEqual([
      {
        ...{ subnet_id: expect.any(String), subnet_name: "public-subnet", network_id: await cloud.externalNetworkId() },
        ...{ tenant_id: cloud.projectId, project_id: cloud.projectId, cidr: expect.stringMatching(/\/24$/) },
      },
    ]);
  });
});
