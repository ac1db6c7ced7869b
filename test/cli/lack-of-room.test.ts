import { afterAll, beforeAll, expect, it } from "vitest";
import { withUsageIfFull } from "../../src/cli/lack-of-room.ts";
import { externalNetworkId } from "../../src/openstack/network/external-networks.ts";
import { createFloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { startTestCloud, type TestCloud } from "../provider/test-cloud.ts";

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud();
});
afterAll(() => cloud.stop());

it("a quota's refusal that nobody on the way up knew is told with what is used of the quotas", async () => {
  const { session } = cloud;
  const networkId = await externalNetworkId(session, "public");
  cloud.cloud.faults.arm("P12:quota-fip");
  const refused = withUsageIfFull(session, () => createFloatingIp(session, { networkId, description: "" }));
  await expect(refused).rejects.toMatchObject({
    code: "E_CLOUD_API",
    message: expect.stringContaining("Quota exceeded"),
    requestId: expect.stringMatching(/^req-/),
    details: expect.arrayContaining(["floating IPs: 50 of 50 used"]),
  });
});
