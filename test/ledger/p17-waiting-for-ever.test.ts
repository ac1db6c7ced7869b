import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { PaperProject } from "../cli/paper-project.ts";
import { listOf } from "../e2e/openstack-http.ts";

// P17: waiting for cloud-init hangs with it. A deadline of our own, and then the console. Real guests: test/e2e/guest-faults.test.ts.
vi.setConfig({ testTimeout: 120_000 });

let project: PaperProject;
beforeAll(async () => {
  project = await PaperProject.create(() => "cloud-init[70]: running 'init' at noon\ncloud-init[70]: one thing\n");
});
afterAll(() => project?.remove());

it("a host that is never done ends at the deadline, with the last that its console showed, and gets no address", async () => {
  const atBootstrap = ({ phase, state }: { phase?: string; state?: string }) =>
    phase === "bootstrap" && state === "start";
  const up = await project.run(["up"], { kill: { signal: "SIGINT", at: atBootstrap } });
  expect(up.exitCode).toBe(130);
  const { exitCode, result, lines } = await project.run(["attach", "--timeout", "2"]);
  expect(exitCode).toBe(8);
  expect(result.error).toMatchObject({
    code: "E_TIMEOUT",
    message: "the host gave no verdict in 2 s; last: nothing was heard of it",
    hint: expect.stringContaining("slipway logs --console"),
    details: ["cloud-init[70]: running 'init' at noon", "cloud-init[70]: one thing"],
  });
  expect(lines.filter(({ phase }) => phase === "attach")).toEqual([]);
  expect(await listOf(project.slipway, "network", "floatingips")).toMatchObject([{ port_id: null }]);
});
