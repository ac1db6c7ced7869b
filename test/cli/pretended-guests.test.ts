import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { listOf } from "../e2e/openstack-http.ts";
import { Slipway } from "../e2e/slipway.ts";

// A machine that cannot run real guests: this one, without the capability to mount where tests are run by root.
vi.setConfig({ testTimeout: 60_000 });
const under = process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all"] : [];
const reason = expect.stringMatching(
  /^real guests cannot run here: (root lacks CAP_SYS_ADMIN|they need (root|Linux), this is )/,
);
const sentence = expect.stringMatching(/^[A-Z].*\.$/);

describe("where real guests cannot run", () => {
  let slipway: Slipway;
  beforeAll(async () => {
    slipway = await Slipway.create();
  });
  afterAll(async () => {
    expect(await slipway.remove()).toEqual([]);
  });

  it("`auto` takes pretended ones, and says why and what to do", async () => {
    const { exitCode, result } = await slipway.run(["cloud", "start"], { under });
    expect(result).toMatchObject({ ok: true, hypervisor: "fake", reason, remedies: [sentence, sentence] });
    expect(exitCode).toBe(0);
    expect((await slipway.run(["cloud", "status"])).result).toMatchObject({ hypervisor: "fake", reason });
    expect((await slipway.run(["cloud", "prepare"], { under })).result).toMatchObject({ guests: false, reason });
  });

  it.each(["up", "attach"])("`%s` is refused on them at once, before anything is made", async (verb) => {
    const { exitCode, result } = await slipway.run([verb, "production"]);
    expect(result.error).toMatchObject({
      code: "E_HOST_PACKAGES",
      message: expect.stringMatching(/production would never serve: .*fake \(real guests cannot run here/),
      hint: expect.stringContaining("`slipway cloud destroy --yes`"),
      details: [sentence, sentence],
    });
    expect(exitCode).toBe(3);
    expect(await listOf(slipway, "compute", "servers")).toEqual([]);
  });

  it("`ssh` is refused on them", async () => {
    const { exitCode, stderr } = await slipway.print(["ssh", "production", "--", "true"]);
    expect(stderr).toMatch(/^E_HOST_PACKAGES: production would never serve/);
    expect(exitCode).toBe(3);
  });

  it("real ones that are asked for are refused: on a new cloud, and on one that has begun with pretended ones", async () => {
    const nspawn = ["cloud", "start", "--hypervisor", "nspawn"];
    const env = { SLIPWAY_HOME: join(slipway.projectRoot, "second-home") };
    const refused = await slipway.run(nspawn, { under, env });
    expect(refused.result.error).toMatchObject({ code: "E_HOST_PACKAGES", message: reason, hint: sentence });
    expect((await slipway.run(["cloud", "status"], { env })).result).toMatchObject({ running: false });
    const kept = await slipway.run(nspawn);
    expect(kept.result.error).toMatchObject({
      code: "E_UNSUPPORTED",
      message: "this cloud has fake guests and cannot change to nspawn ones",
      hint: expect.stringContaining("`slipway cloud destroy --yes`"),
    });
  });
});
