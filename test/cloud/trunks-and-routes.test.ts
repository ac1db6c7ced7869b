import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await TestCloud.start();
});
afterEach(() => cloud.remove());

const v2 = "/network/v2.0";

describe("trunks", () => {
  it("carry ports under numbers that are given once, and keep them from being deleted", async () => {
    const { network } = await cloud.routedNetwork();
    const [parent, first, second] = await Promise.all(
      [1, 2, 3].map(() => cloud.make("port", { network_id: network.id })),
    );
    const sub = (port: { id: string }, number: number) => ({
      ...{ port_id: port.id, segmentation_type: "vlan", segmentation_id: number },
    });
    const trunk = await cloud.make("trunk", { port_id: parent.id, sub_ports: [sub(first, 7)] });
    expect(trunk).toMatchObject({
      port_id: parent.id,
      status: "DOWN",
      admin_state_up: true,
      sub_ports: [sub(first, 7)],
    });

    const add = (fields: unknown) => cloud.put(`${v2}/trunks/${trunk.id}/add_subports`, { sub_ports: [fields] });
    const duplicate = await add(sub(second, 7));
    expect(duplicate.status).toBe(409);
    expect(duplicate.body.NeutronError).toMatchObject({
      type: "DuplicateSubPort",
      message: `segmentation_type vlan and segmentation_id 7 already in use on trunk ${trunk.id}.`,
    });
    expect((await add(sub(first, 8))).body.NeutronError.type).toBe("TrunkPortInUse");
    expect((await add(sub(second, 8))).body.sub_ports).toHaveLength(2);

    const remove = (id: string) => cloud.delete(`${v2}/ports/${id}`);
    expect((await remove(parent.id)).body.NeutronError.type).toBe("PortInUseAsTrunkParent");
    expect((await remove(first.id)).body.NeutronError.type).toBe("PortInUseAsSubPort");
    const taken = await cloud.put(`${v2}/trunks/${trunk.id}/remove_subports`, { sub_ports: [{ port_id: first.id }] });
    expect(taken.body.sub_ports).toEqual([sub(second, 8)]);
    expect((await remove(first.id)).status).toBe(204);
    expect((await cloud.delete(`${v2}/trunks/${trunk.id}`)).status).toBe(204);
    expect((await cloud.get(`${v2}/trunks/${trunk.id}`)).body.NeutronError.type).toBe("TrunkNotFound");
  });
});

describe("a router's routes", () => {
  it("lead to neighbours, and hold the interface that they lead through", async () => {
    const { router, subnet } = await cloud.routedNetwork("10.1.0.0/24");
    const put = (nexthop: string) =>
      cloud.put(`${v2}/routers/${router.id}`, { router: { routes: [{ destination: "10.9.0.0/16", nexthop }] } });
    expect((await put("10.2.0.9")).body.NeutronError).toMatchObject({
      type: "InvalidRoutes",
      message:
        "Invalid format for routes: [{'destination': '10.9.0.0/16', 'nexthop': '10.2.0.9'}], the nexthop is not connected with router",
    });
    expect((await put("10.1.0.1")).body.NeutronError.message).toMatch(/the nexthop is used by router$/);
    expect((await put("10.1.0.9")).body.router.routes).toEqual([{ destination: "10.9.0.0/16", nexthop: "10.1.0.9" }]);
    const more = { router: { routes: [{ destination: "10.8.0.0/16", nexthop: "10.1.0.9" }] } };
    const added = await cloud.put(`${v2}/routers/${router.id}/add_extraroutes`, more);
    expect(added.body.router.routes).toHaveLength(2);
    const less = await cloud.put(`${v2}/routers/${router.id}/remove_extraroutes`, more);
    expect(less.body.router.routes).toEqual([{ destination: "10.9.0.0/16", nexthop: "10.1.0.9" }]);
    const removed = await cloud.put(`${v2}/routers/${router.id}/remove_router_interface`, { subnet_id: subnet.id });
    expect(removed.status).toBe(409);
    expect(removed.body.NeutronError.type).toBe("RouterInterfaceInUseByRoute");
  });
});
