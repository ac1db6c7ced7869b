import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ServedProject } from "./served-project.ts";

// P05: unused addresses exist, and yet new ones are allocated until the quota ends it. Reuse a free one; name the quota when there is none.
vi.setConfig({ testTimeout: 120_000 });
const tag = "slipway:slipway/production";

describe("a stack whose address somebody deleted, in a project that may have no more", () => {
  let served: ServedProject;
  beforeAll(async () => {
    served = await ServedProject.create();
    expect((await served.project.run(["up"])).result).toMatchObject({ ok: true });
    const [own] = await served.addresses();
    await served.neutron("DELETE", `floatingips/${own?.id}`);
    served.project.cloud.faults.arm("P05");
  });
  afterAll(() => served?.remove());

  it("`status` says so, and `attach` fails with the quota's words and what the project has", async () => {
    const { project } = served;
    expect((await project.run(["status"])).result).toMatchObject({
      health: "no address leads to the host",
      hosts: [{ floatingIp: null }],
    });
    const { result, exitCode } = await project.run(["attach"]);
    expect(exitCode).toBe(4);
    expect(result.error).toMatchObject({
      code: "E_FLOATING_IP",
      message: expect.stringMatching(
        /^no floating IP can be had: .* answered 409: Quota exceeded for resources: \['floatingip'\]/,
      ),
      hint: expect.stringContaining("openstack floating ip delete"),
      requestId: expect.stringMatching(/^req-/),
      details: expect.arrayContaining(["floating IPs: 50 of 50 used"]),
    });
    expect(project.cloud.faults.list()[0]?.firings.filter(({ what }) => what.startsWith("POST"))).toHaveLength(1);
    expect(await served.addresses()).toEqual([]);
  });

  it("a free address stands in without a new one, everywhere the same; `detach` gives it back as it was", async () => {
    const { project } = served;
    await project.cloud.faults.disarm();
    const free = await served.allocate();
    const before = await served.addresses();
    project.cloud.faults.arm("P05");
    expect((await project.run(["attach", "--no-reuse"])).result.error).toMatchObject({ code: "E_FLOATING_IP" });
    expect(await served.addresses()).toEqual(before);

    const attach = await project.run(["attach"]);
    expect(attach.result, attach.stderr).toMatchObject({ ok: true, changed: true });
    const url = `http://${free.floating_ip_address}:5100`;
    expect(attach.result).toMatchObject({ url, hosts: [{ floatingIp: free.floating_ip_address }] });
    expect(attach.lines.map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/, which was free in the project, stands in for the stack's own floating IP$/),
    );
    expect((await project.run(["status"])).result).toMatchObject({ url, health: "serving" });
    expect((await project.run(["check"])).result).toMatchObject({ ok: true, url });
    expect((await project.run(["up"])).result).toMatchObject({ ok: true, url, changed: false });
    expect(await served.addresses()).toMatchObject([{ id: free.id, tags: [tag], status: "ACTIVE" }]);

    expect((await project.run(["detach"])).result).toMatchObject({ ok: true, changed: true });
    expect(await served.addresses()).toMatchObject([{ id: free.id, tags: [], port_id: null }]);
  });
});
