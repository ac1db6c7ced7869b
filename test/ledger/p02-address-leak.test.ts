import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { deleteFloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { ensureAttached } from "../../src/release/stack-address.ts";
import type { Kill } from "../e2e/slipway.ts";
import { PaperStack } from "../release/paper-stack.ts";
import { ServedProject } from "./served-project.ts";

// P02: loops that allocate anew each time leak addresses. Find before allocating; give back what a failed run took.
describe("an association that never succeeds", () => {
  let paper: PaperStack;
  beforeEach(async () => {
    paper = await PaperStack.create();
    paper.test.cloud.faults.arm("P02");
  });
  afterEach(() => paper.remove());
  const attach = (signal?: AbortSignal) =>
    ensureAttached(paper.session, paper.stack, { firstPauseMs: 20, ...(signal === undefined ? {} : { signal }) });
  const refused = { code: "E_FLOATING_IP", message: expect.stringContaining("internal server error while processing") };

  it.each([
    ["the stack's own", async () => undefined],
    ["one that was allocated", () => deleteFloatingIp(paper.session, paper.own.id)],
    [
      "one that was free in the project",
      async () => {
        await deleteFloatingIp(paper.session, paper.own.id);
        await paper.allocate({ description: "left over" });
      },
    ],
  ])("of %s: the project has the same addresses before and after, run for run", async (_what, prepare) => {
    await prepare();
    const before = await paper.addresses();
    for (let runs = 0; runs < 3; runs++) {
      await expect(attach()).rejects.toMatchObject(refused);
      expect(await paper.addresses()).toEqual(before);
    }
    expect(paper.test.cloud.faults.list()).toMatchObject([{ met: 15 }]);
  });

  it("and is interrupted in between: what was taken is given back all the same", async () => {
    await deleteFloatingIp(paper.session, paper.own.id);
    const before = await paper.addresses();
    const interruption = new AbortController();
    const attached = ensureAttached(paper.session, paper.stack, { firstPauseMs: 60_000, signal: interruption.signal });
    const ended = expect(attached).rejects.toThrow();
    await expect.poll(() => paper.test.cloud.faults.list()[0]?.met).toBe(1);
    expect(await paper.addresses()).toHaveLength(1);
    interruption.abort();
    await ended;
    expect(await paper.addresses()).toEqual(before);
  });
});

describe("the commands", () => {
  vi.setConfig({ testTimeout: 120_000 });
  let served: ServedProject;
  beforeAll(async () => {
    served = await ServedProject.create();
  });
  afterAll(() => served?.remove());

  it("`up` and `attach` fail with what the cloud said, leak nothing, and finish when the cloud is mended", async () => {
    const { project } = served;
    const { faults } = project.cloud;
    faults.arm("P02");
    const up = await project.run(["up"]);
    expect(up.exitCode).toBe(4);
    expect(up.result.error).toMatchObject({
      code: "E_FLOATING_IP",
      message: expect.stringContaining("internal server error while processing your request"),
      hint: expect.stringContaining("again"),
      requestId: expect.stringMatching(/^req-/),
    });
    const own = await served.addresses();
    expect(own).toMatchObject([{ port_id: null, tags: ["slipway:slipway/production"] }]);

    // somebody deletes the stack's address: from now on one has to be found or made
    await served.neutron("DELETE", `floatingips/${own[0]?.id}`);
    const met = () => faults.list()[0]?.met ?? 0;
    const refused: Kill = {
      at: ({ phase, state }) => phase === "attach" && state === "start",
      after: () => {
        const before = met();
        return waitFor("a refusal", async () => met() > before || undefined, { timeoutMs: 30_000, maxIntervalMs: 100 });
      },
    };
    // Ctrl-C while the cloud refuses
    const interrupted = await project.run(["attach"], {
      kill: { signal: "SIGINT", ...refused },
    });
    expect(interrupted.exitCode).toBe(130);
    expect(await served.addresses()).toEqual([]);

    // killed there, nothing can be given back: the next run takes up what is left
    const killed = await project.run(["attach"], {
      kill: refused,
    });
    expect(killed.signal).toBe("SIGKILL");
    expect(await served.addresses()).toHaveLength(1);
    await faults.disarm();
    const mended = await project.run(["attach"]);
    expect(mended.result, mended.stderr).toMatchObject({ ok: true, changed: true });
    expect(await served.addresses()).toMatchObject([{ status: "ACTIVE", tags: ["slipway:slipway/production"] }]);
    expect((await project.run(["down", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    expect(await served.addresses()).toEqual([]);
  });
});
