import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ServedProject } from "./served-project.ts";

// P11: an image's name means two, or another one than yesterday. Look it up once; name the candidates; touch nothing where it is not clear.
vi.setConfig({ testTimeout: 120_000 });
let served: ServedProject;
beforeAll(async () => {
  served = await ServedProject.create();
  expect((await served.project.run(["up"])).result).toMatchObject({ ok: true });
});
afterAll(() => served?.remove());

const made = async (stack: string) =>
  (await served.project.resourcesOf(stack)).filter((one) => !one.startsWith("container"));

describe("two images of one name", () => {
  it("are both named to a new stack, which makes nothing, and do not concern one that is up", async () => {
    const { project } = served;
    await project.addStack("twins");
    project.cloud.faults.arm("P11:two-images-same-name");
    const { result, exitCode } = await project.run(["up", "twins"]);
    expect(exitCode).toBe(3);
    expect(result.error).toMatchObject({
      code: "E_LOOKUP",
      message: expect.stringMatching(
        /^2 images are called debian-13: debian-13 \([0-9a-f-]{36}\), debian-13 \([0-9a-f-]{36}\)$/,
      ),
      hint: expect.stringContaining("name of its own"),
    });
    expect(await made("twins")).toEqual([]);

    expect((await project.run(["preview"])).result).toMatchObject({ ok: true, plan: [] });
    expect((await project.run(["up"])).result).toMatchObject({ ok: true, changed: false });
    // another generation is another host: the image is looked up again
    await project.addStack("production", { "slipway:generation": 2 });
    expect((await project.run(["preview"])).result.error).toMatchObject({ code: "E_LOOKUP" });
    await project.addStack("production", { "slipway:generation": 1 });
    await project.cloud.faults.disarm();
  });
});

describe("an image that is deactivated", () => {
  it("between look-up and create is Nova's refusal, and the next run's look-up says why", async () => {
    const { project } = served;
    await project.addStack("late");
    project.cloud.faults.arm("P11:image-deactivated");
    const refused = await project.run(["up", "late"]);
    expect(refused.exitCode).toBe(4);
    expect(refused.result.error).toMatchObject({
      code: "E_UPDATE_FAILED",
      message: expect.stringMatching(/server-g1: .* answered 400: Image [0-9a-f-]{36} is not active\./),
      requestId: expect.stringMatching(/^req-/),
    });
    expect(await made("late")).not.toContain("servers/detail server-g1");

    const again = await project.run(["up", "late"]);
    expect(again.exitCode).toBe(3);
    expect(again.result.error).toMatchObject({
      code: "E_LOOKUP",
      message: expect.stringMatching(/^no image debian-13 can be used: debian-13 \([0-9a-f-]{36}\) is deactivated$/),
    });
    expect((await project.run(["preview"])).result).toMatchObject({ ok: true, plan: [] });
    expect((await project.run(["down", "late", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
  });
});
