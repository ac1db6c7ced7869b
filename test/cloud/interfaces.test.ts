import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await TestCloud.start();
});
afterEach(() => cloud.remove());

const path = (server: string, rest = "") => `/compute/v2.1/servers/${server}/os-interface${rest}`;
const nothing = "00000000-0000-0000-0000-000000000000";

describe("interfaces of a server", () => {
  it("a port is plugged in and taken out, and stays", async () => {
    const { network } = await cloud.routedNetwork();
    const { id: server } = await cloud.bootServer({ networks: "none" }, undefined, 37);
    const port = await cloud.make("port", { network_id: network.id });
    const attached = await cloud.post(path(server), { interfaceAttachment: { port_id: port.id } });
    expect(attached.status).toBe(200);
    expect(attached.body.interfaceAttachment).toEqual({
      net_id: network.id,
      port_id: port.id,
      mac_addr: port.mac_address,
      port_state: "ACTIVE",
      fixed_ips: port.fixed_ips,
    });
    expect((await cloud.server(server)).addresses).toMatchObject({ net: [{ addr: port.fixed_ips[0].ip_address }] });
    expect((await cloud.get(path(server))).body.interfaceAttachments).toHaveLength(1);

    const again = await cloud.post(path(server), { interfaceAttachment: { port_id: port.id } });
    expect(again.status).toBe(409);
    expect(again.body.conflictingRequest.message).toBe(`Port ${port.id} is still in use.`);

    expect((await cloud.delete(path(server, `/${port.id}`))).status).toBe(202);
    expect((await cloud.get(path(server, `/${port.id}`))).body.itemNotFound.message).toBe(
      `Instance ${server} does not have a port with id ${port.id}`,
    );
    const left = (await cloud.get(`/network/v2.0/ports/${port.id}`)).body.port;
    expect(left).toMatchObject({ device_id: "", device_owner: "", status: "DOWN" });
  });

  it("a port that was made for it goes with the interface", async () => {
    const { network } = await cloud.routedNetwork();
    const { id: server } = await cloud.bootServer({ networks: "none" }, undefined, 37);
    const body = { net_id: network.id, fixed_ips: [{ ip_address: "10.1.0.77" }] };
    const attached = await cloud.post(path(server), { interfaceAttachment: body });
    expect(attached.body.interfaceAttachment.fixed_ips).toMatchObject([{ ip_address: "10.1.0.77" }]);
    const { port_id: port } = attached.body.interfaceAttachment;
    expect((await cloud.delete(path(server, `/${port}`))).status).toBe(202);
    expect((await cloud.get(`/network/v2.0/ports/${port}`)).status).toBe(404);
  });

  it("is taken out of the guest; one that keeps it until it boots is no less well", async () => {
    const asked: string[] = [];
    class Keeping extends FakeHypervisor {
      async unplugNic(id: string, portId: string) {
        asked.push(`${id} ${portId}`);
        throw new Error("the guest keeps it");
      }
    }
    const log: string[] = [];
    const other = await TestCloud.start({ hypervisor: new Keeping({ bootMs: 0 }), log: (line) => void log.push(line) });
    onTestFinished(() => other.remove());
    const { network } = await other.routedNetwork();
    const { id: server } = await other.bootServer({ networks: [{ uuid: network.id }] });
    const [{ port_id: port }] = (await other.get(path(server))).body.interfaceAttachments;
    expect((await other.delete(path(server, `/${port}`))).status).toBe(202);
    await other.cloud.idle();
    expect(asked).toEqual([`${server} ${port}`]);
    expect((await other.server(server)).status).toBe("ACTIVE");
    expect(log).toContain(`server ${server} keeps the NIC of port ${port} until it boots: the guest keeps it`);
  });

  it("is refused in Nova's words", async () => {
    const { id: server } = await cloud.bootServer({ networks: [] });
    const attach = async (fields: Record<string, unknown>) => {
      const { status, body } = await cloud.post(path(server), { interfaceAttachment: fields });
      return [status, (Object.values(body)[0] as { message: string }).message];
    };
    expect(await attach({ net_id: nothing, port_id: nothing })).toEqual([
      400,
      "Must not input both network_id and port_id",
    ]);
    expect(await attach({ fixed_ips: [{ ip_address: "10.1.0.7" }] })).toEqual([
      400,
      "Must input network_id when request IP address",
    ]);
    expect(await attach({ port_id: nothing })).toEqual([404, `Port id ${nothing} could not be found.`]);
    expect((await cloud.delete(path(server, `/${nothing}`))).status).toBe(404);
  });
});
