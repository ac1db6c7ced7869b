import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCloud } from "../../../src/cloud/cloud.ts";
import { FakeHypervisor } from "../../../src/cloud/hypervisors/fake.ts";
import { findCredentials } from "../../../src/openstack/clouds.ts";
import { openSession } from "../../../src/openstack/session.ts";
import type { Site } from "./site.ts";

/** What Nova's own pretended guests say. */
const consoleText = "FAKE CONSOLE OUTPUT\nANOTHER\nLAST LINE";

/** An embedded cloud of its own, with pretended guests. */
export async function embeddedSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-conformance-"));
  const cloud = await startCloud({
    stateDir: folder,
    hypervisor: new FakeHypervisor({ console: () => consoleText }),
    externalCidr: "172.24.4.0/24",
  });
  const { username, password, projectName } = cloud.credentials.admin;
  const credentials = await findCredentials({
    cwd: folder,
    env: {
      OS_AUTH_URL: cloud.authUrl,
      OS_USERNAME: username,
      OS_PASSWORD: password,
      OS_PROJECT_NAME: projectName,
      OS_USER_DOMAIN_NAME: "Default",
      OS_PROJECT_DOMAIN_NAME: "Default",
    },
  });
  const admin = openSession(credentials);
  return {
    upstreams: [{ prefix: "", base: `http://127.0.0.1:${cloud.port}` }],
    admin,
    adminLogin: { username, password },
    lasts: false,
    settled: () => cloud.idle(),
    async close() {
      admin.close();
      await cloud.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
