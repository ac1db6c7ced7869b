import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let hypervisor: FakeHypervisor;
let id: string;
beforeEach(async () => {
  hypervisor = new FakeHypervisor({ bootMs: 200 });
  cloud = await TestCloud.start({ hypervisor });
  id = (await cloud.bootServer({ networks: [] })).id;
});
afterEach(() => cloud.remove());

const act = (action: unknown) => cloud.post(`/compute/v2.1/servers/${id}/action`, action);
const status = async () => (await cloud.server(id)).status;
const flavor = async (name: string) => {
  const { flavors } = (await cloud.get("/compute/v2.1/flavors")).body;
  return flavors.find((item: { name: string }) => item.name === name).id as string;
};

describe("a resize", () => {
  it("is to be confirmed, or goes back", async () => {
    const [tiny, small] = [await flavor("m1.tiny"), await flavor("m1.small")];
    expect((await act({ resize: { flavorRef: tiny } })).body.badRequest.message).toBe(
      "When resizing, instances must change flavor!",
    );
    expect((await act({ confirmResize: null })).status).toBe(409);
    expect((await act({ resize: { flavorRef: small } })).status).toBe(202);
    expect(await status()).toBe("RESIZE");
    await cloud.cloud.idle();
    expect(await cloud.server(id)).toMatchObject({ status: "VERIFY_RESIZE", flavor: { id: small } });
    expect((await act({ revertResize: null })).status).toBe(202);
    await cloud.cloud.idle();
    expect(await cloud.server(id)).toMatchObject({ status: "ACTIVE", flavor: { id: tiny } });
    await act({ resize: { flavorRef: small } });
    await cloud.cloud.idle();
    expect((await act({ confirmResize: null })).status).toBe(204);
    expect(await cloud.server(id)).toMatchObject({ status: "ACTIVE", flavor: { id: small } });
  });

  it("asks for no more than the project may have", async () => {
    const token = await cloud.adminToken();
    const limits = { quota_set: { cores: 1, ram: 600 } };
    await cloud.put(`/compute/v2.1/os-quota-sets/${cloud.projectId}`, limits, { token });
    const refused = await act({ resize: { flavorRef: await flavor("m1.small") } });
    expect([refused.status, refused.body.forbidden.message]).toEqual([403, expect.stringContaining("ram")]);
    expect(await status()).toBe("ACTIVE");
  });

  it("of a stopped server leaves it stopped", async () => {
    await act({ "os-stop": null });
    await cloud.cloud.idle();
    await act({ resize: { flavorRef: await flavor("m1.small") } });
    await cloud.cloud.idle();
    expect([await status(), await hypervisor.state(id)]).toEqual(["VERIFY_RESIZE", "stopped"]);
    await act({ confirmResize: null });
    expect(await status()).toBe("SHUTOFF");
  });

  it("that waits to be confirmed is there after a restart of the cloud", async () => {
    await act({ resize: { flavorRef: await flavor("m1.small") } });
    await cloud.cloud.idle();
    await hypervisor.stop(id, { soft: false, timeoutMs: 0 });
    await cloud.restart();
    await cloud.cloud.idle();
    expect([await status(), await hypervisor.state(id)]).toEqual(["VERIFY_RESIZE", "running"]);
  });
});

describe("a rebuild", () => {
  it("gives another disk from the image, under the same id and addresses", async () => {
    const { images } = (await cloud.get("/image/v2/images")).body;
    const rebuilt = await act({ rebuild: { imageRef: images[0].id, name: "other" } });
    expect(rebuilt.status).toBe(202);
    expect(rebuilt.body.server).toMatchObject({ id, name: "other", status: "REBUILD" });
    await cloud.cloud.idle();
    expect([await status(), await hypervisor.state(id)]).toEqual(["ACTIVE", "running"]);
    expect((await act({ rebuild: { imageRef: "00000000-0000-0000-0000-000000000000" } })).status).toBe(400);
    await act({ "os-stop": null });
    await cloud.cloud.idle();
    await act({ rebuild: { imageRef: images[0].id } });
    await cloud.cloud.idle();
    expect([await status(), await hypervisor.state(id)]).toEqual(["SHUTOFF", "stopped"]);
  });
});

describe("a shelved server", () => {
  it("is off its host until it is wanted again", async () => {
    expect((await act({ unshelve: null })).status).toBe(409);
    expect((await act({ shelve: null })).status).toBe(202);
    await cloud.cloud.idle();
    expect([await status(), await hypervisor.state(id)]).toEqual(["SHELVED_OFFLOADED", "stopped"]);
    expect((await act({ "os-start": null })).status).toBe(409);
    expect((await act({ unshelve: null })).status).toBe(202);
    await cloud.cloud.idle();
    expect([await status(), await hypervisor.state(id)]).toEqual(["ACTIVE", "running"]);
  });
});
