import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ServedProject } from "./served-project.ts";

// P03: a slow success reads as a failure. Look again after an error: the wished state is success.
vi.setConfig({ testTimeout: 120_000 });

describe("an association whose answer is a proxy's 504, though it was made", () => {
  let served: ServedProject;
  beforeAll(async () => {
    served = await ServedProject.create();
  });
  afterAll(() => served?.remove());

  it("is a success for `up` and for `attach`, with one address", async () => {
    const { project } = served;
    const { faults } = project.cloud;
    faults.arm("P03");
    const up = await project.run(["up"]);
    expect(up.result, up.stderr).toMatchObject({ ok: true, changed: true });
    expect(up.exitCode).toBe(0);
    expect(faults.list()[0]?.firings.length).toBeGreaterThan(0);
    const [address, ...others] = await served.addresses();
    expect(others).toEqual([]);
    expect(address).toMatchObject({ status: "ACTIVE", description: "slipway:slipway/production address" });
    expect(new URL(up.result.url).hostname).toBe(address?.floating_ip_address);

    expect((await project.run(["detach"])).result).toMatchObject({ detached: [address?.floating_ip_address] });
    const status = (await project.run(["status"])).result;
    expect(status).toMatchObject({ health: "no address leads to the host", hosts: [{ floatingIp: null }] });
    faults.arm("P03");
    expect((await project.run(["attach"])).result).toMatchObject({ ok: true, changed: true, url: up.result.url });
    expect(faults.list()[0]?.firings.length).toBeGreaterThan(0);
    expect(await served.addresses()).toMatchObject([{ id: address?.id, status: "ACTIVE" }]);
  });

  it("is a 504 for whoever believes the answer", async () => {
    const [address] = await served.addresses();
    const body = { floatingip: { port_id: address?.port_id } };
    expect((await served.neutron("PUT", `floatingips/${address?.id}`, body)).status).toBe(504);
  });
});
