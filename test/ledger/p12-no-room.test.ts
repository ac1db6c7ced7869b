import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { PaperProject } from "../cli/paper-project.ts";

// P12: a bare "unexpected state ERROR" and half a stack. Say the server's fault, the request, and what the quotas are; resume or remove.
vi.setConfig({ testTimeout: 120_000 });
let project: PaperProject;
beforeAll(async () => {
  project = await PaperProject.create();
});
afterAll(() => project?.remove());

const up = (stack: string) => project.run(["up", stack]);
const quotaLines = ["instances", "cores", "floating IPs"].map((word) =>
  expect.stringMatching(`^${word}: \\d+ of \\d+ used$`),
);
const refusal = (message: RegExp) => ({
  code: "E_UPDATE_FAILED",
  message: expect.stringMatching(message),
  details: expect.arrayContaining(quotaLines),
});

describe("a cloud without room", () => {
  it("for a server: its fault and the request that made it, or the quota's words; each run goes on, `down` leaves nothing", async () => {
    await project.addStack("room");
    const { faults } = project.cloud;
    faults.arm("P12:no-valid-host");
    const none = await up("room");
    expect(none.exitCode).toBe(4);
    const fault = "went into ERROR: No valid host was found. ";
    expect(none.result.error).toMatchObject(refusal(new RegExp(`server-g1: .*${fault} \\(created by request req-`)));

    await faults.disarm("P12:no-valid-host");
    faults.arm("P12:gpu-exhausted");
    const gpu = await up("room");
    expect(gpu.result.error).toMatchObject(
      refusal(/went into ERROR: Exceeded maximum number of retries\. .*request req-/),
    );

    await faults.disarm("P12:gpu-exhausted");
    faults.arm("P12:quota-cores");
    const cores = await up("room");
    expect(cores.exitCode).toBe(4);
    expect(cores.result.error).toMatchObject(
      refusal(/answered 403: Quota exceeded for cores: Requested 1, but already used 20 of 20/),
    );
    expect(cores.result.error.details).toContain("cores: 20 of 20 used");
    expect(cores.result.error.requestId).toMatch(/^req-/);
    await faults.disarm("P12:quota-cores");
    expect((await project.run(["down", "room", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    expect(await project.resourcesOf("room")).toEqual([]);
  });

  it("for an address: the quota's words, and no second try", async () => {
    await project.addStack("address");
    project.cloud.faults.arm("P12:quota-fip");
    const { exitCode, result } = await up("address");
    expect(exitCode).toBe(4);
    expect(result.error).toMatchObject(
      refusal(/address: .* answered 409: Quota exceeded for resources: \['floatingip'\]/),
    );
    expect(result.error.details).toContain("floating IPs: 50 of 50 used");
    const asked = project.cloud.faults.list().flatMap(({ id, firings }) => (id === "P12:quota-fip" ? firings : []));
    expect(asked.filter(({ what }) => what.startsWith("POST"))).toHaveLength(1);
    expect((await project.run(["down", "address", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    expect(await project.resourcesOf("address")).toEqual([]);
  });
});
