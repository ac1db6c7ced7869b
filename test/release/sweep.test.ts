import { afterAll, beforeAll, expect, test } from "vitest";
import { externalNetworkId } from "../../src/openstack/network/external-networks.ts";
import { createFloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { findStackLeftovers, leftoverText } from "../../src/release/leftovers.ts";
import { sweep } from "../../src/release/sweep.ts";
import { startTestCloud, type TestCloud } from "../provider/test-cloud.ts";

let cloudOfTests: TestCloud;
beforeAll(async () => {
  cloudOfTests = await startTestCloud();
});
afterAll(() => cloudOfTests.stop());

const tag = "slipway:test/swept";
const marks = { tag, keypair: "slipway-test-swept" };

/** Makes a thing as any client would. @returns its id */
async function make(
  service: "compute" | "network" | "volumev3" | "image",
  path: string,
  body: object,
): Promise<string> {
  const { session } = cloudOfTests;
  const answer = await session.request<Made>(service, "POST", path, { body, expect: [200, 201, 202] });
  const made = service === "image" ? answer.body : Object.values(answer.body)[0];
  return (made as { id?: string }).id ?? "";
}
/** An image as it is, anything else below its name. */
type Made = Record<string, unknown>;

/** A network of the stack with subnet, router, and whatever a run leaves that was killed at its worst moment. */
async function leaveEverything(): Promise<{ networkId: string; image: string }> {
  const { session, cloud } = cloudOfTests;
  const external = await externalNetworkId(session, "public");
  const described = { description: tag }; // killed before it was tagged
  const networkId = await make("network", "/networks", { network: { name: "net", ...described } });
  const subnet = { network_id: networkId, cidr: "10.9.0.0/24", ip_version: 4, ...described };
  const subnetId = await make("network", "/subnets", { subnet });
  const router = { name: "out", external_gateway_info: { network_id: external }, ...described };
  const routerId = await make("network", "/routers", { router });
  await session.request("network", "PUT", `/routers/${routerId}/add_router_interface`, {
    body: { subnet_id: subnetId },
  });
  const groupId = await make("network", "/security-groups", { security_group: { name: "group", ...described } });
  const port = async (rest: object) =>
    make("network", "/ports", { port: { network_id: networkId, security_groups: [groupId], ...rest } });
  const own = await port({ description: `${tag} server-g1` });
  await createFloatingIp(session, { networkId: external, description: `${tag} address` });
  await make("compute", "/os-keypairs", { keypair: { name: marks.keypair } });
  const images = await session.request<{ images: { id: string }[] }>("image", "GET", "/images");
  const flavors = await session.request<{ flavors: { id: string }[] }>("compute", "GET", "/flavors");
  const server = { name: "server-g1", imageRef: images.body.images[0]?.id, flavorRef: flavors.body.flavors[0]?.id };
  const boot = (portId: string) =>
    make("compute", "/servers", { server: { ...server, networks: [{ port: portId }], metadata: { slipway: tag } } });
  const running = await boot(own);
  await cloud.idle();
  cloud.faults.arm("P12:no-valid-host");
  await boot(await port({ description: `${tag} server-g2` }));
  await cloud.idle();
  await cloud.faults.disarm();
  const volume = await make("volumev3", "/volumes", { volume: { size: 1, metadata: { slipway: tag } } });
  await cloud.idle();
  await make("compute", `/servers/${running}/os-volume_attachments`, { volumeAttachment: { volumeId: volume } });
  await cloud.idle();
  // what Nova leaves when it gives up on a server that was to have a port of Nova's making
  await port({ device_id: "5d1c8e0a-0000-4000-8000-000000000000", device_owner: "compute:nova" });
  const image = await make("image", "/images", { name: "baked", tags: [tag], protected: true });
  return { networkId, image };
}

test("all that a killed run can leave goes in the order of dependence; what refuses is told with the cloud's words", async () => {
  const { session } = cloudOfTests;
  const { image } = await leaveEverything();
  await make("network", "/networks", { network: { name: "theirs", description: "slipway:test/swept-not" } });
  const found = await findStackLeftovers(session, marks);
  expect(found.map(({ kind }) => kind)).toEqual(
    "floating IP|server|server|volume|port|port|port|router|subnet|network|security group|key pair|image".split("|"),
  );
  const swept = await sweep(session, found, { inUseMs: 2000 });
  const refused = swept.filter(({ refusal }) => refusal !== undefined);
  expect(refused).toEqual([
    { leftover: { kind: "image", id: image, name: "baked" }, refusal: expect.stringContaining("answered 403") },
  ]);
  expect((await findStackLeftovers(session, marks)).map(leftoverText)).toEqual([`image baked ${image}`]);

  // what is gone already is success: a second sweep of the same list has the one thing left to do
  await session.request("image", "PATCH", `/images/${image}`, {
    body: JSON.stringify([{ op: "replace", path: "/protected", value: false }]),
    headers: { "content-type": "application/openstack-images-v2.1-json-patch" },
  });
  expect((await sweep(session, found)).filter(({ refusal }) => refusal !== undefined)).toEqual([]);
  expect(await findStackLeftovers(session, marks)).toEqual([]);
});

test("a port that somebody made in the stack's network stays, and with it the network, which says why", async () => {
  const { session } = cloudOfTests;
  const networkId = await make("network", "/networks", { network: { name: "shared", description: tag } });
  const theirs = await make("network", "/ports", { port: { network_id: networkId, name: "by hand" } });
  const swept = await sweep(session, await findStackLeftovers(session, marks), { inUseMs: 300 });
  expect(swept).toEqual([
    { leftover: { kind: "network", id: networkId, name: "shared" }, refusal: expect.stringContaining("answered 409") },
  ]);
  await session.request("network", "DELETE", `/ports/${theirs}`);
  await sweep(session, await findStackLeftovers(session, marks));
  expect(await findStackLeftovers(session, marks)).toEqual([]);
});
