import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { PaperProject } from "../cli/paper-project.ts";
import { listOf } from "../e2e/openstack-http.ts";

// P16: cloud-init fails and says nothing to whoever waits. Read the journal and the console. Real guests: test/e2e/guest-faults.test.ts.
vi.setConfig({ testTimeout: 120_000 });

/** What a guest with `P16:step-exits-7` wrote, and a line of an earlier stage that makes nothing fail. */
const console = `cloud-init[75]: 2026-11-25 15:10:01,798 - schema.py[WARNING]: cloud-config failed schema validation!
cloud-init[76]: Cloud-init v. 25.1.4 running 'modules:final' at Wed, 25 Nov 2026 15:10:04 +0000. Up 2590.28 seconds.
cloud-init[76]: 2026-11-25 15:10:04,755 - cc_scripts_user.py[WARNING]: Failed to run module scripts-user (scripts in /var/lib/cloud/instance/scripts)
cloud-init[76]: 2026-11-25 15:10:04,755 - log_util.py[WARNING]: Running module scripts-user (<module 'cloudinit.config.cc_scripts_user'>) failed
cloud-init[76]: Cloud-init v. 25.1.4 finished at Wed, 25 Nov 2026 15:10:04 +0000. Datasource DataSourceConfigDrive [net,ver=2].  Up 2590.44 seconds
server-g1 login:
`;

let project: PaperProject;
beforeAll(async () => {
  project = await PaperProject.create(() => console);
});
afterAll(() => project?.remove());

it("a host whose `runcmd` ended before the bootstrap is told with cloud-init's complaints, long before the deadline, and gets no address", async () => {
  const { exitCode, result, lines } = await project.run(["up"]);
  expect(exitCode).toBe(5);
  expect(result.error).toMatchObject({
    code: "E_BOOTSTRAP_FAILED",
    message: "cloud-init failed in `runcmd`, and the bootstrap never began",
    hint: expect.stringContaining("slipway logs --console"),
    details: [
      expect.stringContaining("failed schema validation"),
      expect.stringContaining("Failed to run module scripts-user"),
      expect.stringContaining("Running module scripts-user"),
    ],
  });
  expect(lines.filter(({ phase }) => phase === "attach")).toEqual([]);
  expect(await listOf(project.slipway, "network", "floatingips")).toMatchObject([{ port_id: null }]);
});
