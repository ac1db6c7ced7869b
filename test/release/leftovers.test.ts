import { afterAll, beforeAll, expect, test } from "vitest";
import { findCredentials } from "../../src/openstack/clouds.ts";
import { externalNetworkId } from "../../src/openstack/network/external-networks.ts";
import { createFloatingIp, findFloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { createSecurityGroup, listSecurityGroups } from "../../src/openstack/network/security-groups.ts";
import { openSession } from "../../src/openstack/session.ts";
import { findStackLeftovers, leftoverText } from "../../src/release/leftovers.ts";
import { endMaintenance } from "../../src/release/maintenance-address.ts";
import { ScriptedCloud } from "../openstack/scripted-cloud.ts";
import { startTestCloud, type TestCloud } from "../provider/test-cloud.ts";

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud();
});
afterAll(() => cloud.stop());

const marks = { tag: "slipway-a", keypair: "a-key" };

test("what carries the stack's marks is found, and nothing else", async () => {
  const { session } = cloud;
  expect(await findStackLeftovers(session, marks)).toEqual([]);
  const external = await session.request<{ networks: { id: string }[] }>("network", "GET", "/networks", {
    query: { name: "public" },
  });
  const address = { networkId: external.body.networks[0]?.id ?? "", description: "" };
  const mine = await createFloatingIp(session, { ...address, tags: [marks.tag] });
  await createFloatingIp(session, { ...address, tags: ["slipway-b"] });
  const group = await createSecurityGroup(session, { name: "web", description: "", tags: [marks.tag] });
  for (const name of [marks.keypair, "b-key"]) {
    await session.request("compute", "POST", "/os-keypairs", { body: { keypair: { name } } });
  }
  expect((await findStackLeftovers(session, marks)).map(leftoverText)).toEqual([
    `floating IP ${mine.floating_ip_address} ${mine.id}`,
    `security group web ${group.id}`,
    "key pair a-key",
  ]);
});

test("an administrator's stack has nothing to do with another project's of the same name", async () => {
  const { session, variables } = cloud;
  const { username: userName, password, projectName: tenantName } = cloud.cloud.credentials.admin;
  const administrator = { ...variables, userName, password, tenantName };
  const admin = openSession(await findCredentials({ env: {}, variables: administrator }));
  const tag = "slipway-c";
  const group = await createSecurityGroup(session, { name: "web", description: "", tags: [tag] });
  const networkId = await externalNetworkId(session, "public");
  const address = await createFloatingIp(session, { networkId, description: `${tag} maintenance` });
  expect(await listSecurityGroups(admin, { tags: tag })).toMatchObject([{ id: group.id }]);
  expect(await findStackLeftovers(admin, { tag, keypair: "c-key" })).toEqual([]);
  await endMaintenance(admin, tag);
  expect(await findFloatingIp(session, address.id)).toBeDefined();
  admin.close();
});

test("a cloud whose answers list nothing at all does not prove that nothing is left", async () => {
  const scripted = await ScriptedCloud.start();
  const session = scripted.open();
  await expect(findStackLeftovers(session, marks)).rejects.toThrow(/the answer has no "/);
  session.close();
  await scripted.stop();
});
