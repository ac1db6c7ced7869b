import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
beforeEach(async () => {
  cloud = await TestCloud.start();
});
afterEach(() => cloud.remove());

const nova = "/compute/v2.1";
const later = { headers: { "openstack-api-version": "compute 2.36" } };
const said = ({ status, body }: { status: number; body: Record<string, { message?: string }> }) => [
  status,
  Object.values(body)[0]?.message,
];

const flavorId = async () => (await cloud.get(`${nova}/flavors`)).body.flavors[0].id;

describe("Nova's own ways to security groups", () => {
  const groups = `${nova}/os-security-groups`;
  const rules = `${nova}/os-security-group-rules`;

  it("make, show, change and delete them, as Neutron has them", async () => {
    const [standard] = (await cloud.get(groups)).body.security_groups;
    expect(standard).toMatchObject({ name: "default", description: "Default security group" });
    expect(standard.rules).toEqual(
      Array(2).fill({
        ...{ id: expect.any(String), parent_group_id: standard.id, ip_protocol: null, from_port: null, to_port: null },
        ...{ group: { name: "default", tenant_id: cloud.projectId }, ip_range: {} },
      }),
    );
    const made = await cloud.post(groups, { security_group: { name: "web", description: "of servers" } });
    expect(made.status).toBe(200);
    const { id } = made.body.security_group;
    expect(made.body.security_group).toEqual({
      ...{ id, name: "web", description: "of servers", tenant_id: cloud.projectId, rules: [] },
    });
    const inNeutron = (await cloud.get(`/network/v2.0/security-groups/${id}`)).body.security_group;
    expect(inNeutron.security_group_rules).toHaveLength(2); // those out of a guest, which Nova never knew
    const renamed = { security_group: { name: "www", description: "" } };
    expect((await cloud.put(`${groups}/${id}`, renamed)).body.security_group).toMatchObject({ name: "www", id });
    expect((await cloud.get(groups)).body.security_groups.map(({ name }: { name: string }) => name)).toEqual([
      ...["default", "www"],
    ]);
    expect((await cloud.get(`${groups}?limit=1`)).body.security_groups).toHaveLength(1);
    expect((await cloud.get(groups, later)).status).toBe(404);
    expect((await cloud.delete(`${groups}/${id}`)).status).toBe(202);
    expect(said(await cloud.get(`${groups}/${id}`))).toEqual([404, `Security group ${id} does not exist`]);
    expect((await cloud.get(`${groups}/${standard.id}`, later)).status).toBe(404);
  });

  it("put rules into them, and take them out", async () => {
    const { id } = (await cloud.post(groups, { security_group: { name: "web", description: "" } })).body.security_group;
    const add = (fields: object) =>
      cloud.post(rules, { security_group_rule: { parent_group_id: id, ip_protocol: "tcp", ...fields } });
    const web = (await add({ from_port: "80", to_port: 80, cidr: "10.0.0.0/8" })).body.security_group_rule;
    expect(web).toEqual({
      ...{ id: expect.any(String), parent_group_id: id, ip_protocol: "tcp", from_port: 80, to_port: 80 },
      ...{ group: {}, ip_range: { cidr: "10.0.0.0/8" } },
    });
    expect((await add({ ip_protocol: "icmp", from_port: -1, to_port: -1 })).body.security_group_rule).toMatchObject({
      ...{ ip_protocol: "icmp", from_port: -1, to_port: -1, ip_range: { cidr: "0.0.0.0/0" } },
    });
    expect((await add({ group_id: id })).body.security_group_rule).toMatchObject({
      ...{ from_port: 1, to_port: 65_535, group: { name: "web", tenant_id: cloud.projectId }, ip_range: {} },
    });
    expect((await cloud.get(`${groups}/${id}`)).body.security_group.rules).toHaveLength(3);
    for (const [fields, status, message] of [
      [{ from_port: 80, to_port: 80, cidr: "10.0.0.0/8" }, 400, `This rule already exists in group ${id}`],
      [{ from_port: 81, to_port: 80 }, 400, "Invalid port range 81:80. Former value cannot be greater than the later"],
      [{ from_port: 0, to_port: 80 }, 400, "Invalid port range 0:80. Valid TCP ports should be between 1-65535"],
      [{ from_port: "a", to_port: 80 }, 400, "Invalid input received: To and From ports must be integers"],
      [{ ip_protocol: "ah", from_port: 1, to_port: 1 }, 400, "Invalid IP protocol ah."],
      [
        { ip_protocol: "icmp", from_port: 256, to_port: 0 },
        400,
        "Invalid port range 256:0. For ICMP, the type:code must be valid",
      ],
      [{}, 400, "Not enough parameters to build a valid rule."],
      [{ from_port: 1, to_port: 1, cidr: "10.0.0.0/99" }, 400, "10.0.0.0/99 is not a valid IP network."],
      [{ from_port: 1, to_port: 1, cidr: "10.0.0.0/0" }, 400, "Bad prefix for network in cidr 10.0.0.0/0"],
      [{ parent_group_id: "web" }, 400, "Security group id should be uuid"],
    ] as const) {
      expect(said(await add(fields))).toEqual([status, message]);
    }
    expect((await cloud.delete(`${rules}/${web.id}`)).status).toBe(202);
    expect(said(await cloud.delete(`${rules}/${web.id}`))).toEqual([
      404,
      `Security group rule ${web.id} does not exist`,
    ]);
    expect((await cloud.get(`/network/v2.0/security-group-rules/${web.id}`)).status).toBe(404);
  });

  it("refuse in Nova's words", async () => {
    expect(said(await cloud.post(groups, {}))).toEqual([400, "The request body can't be empty"]);
    expect(said(await cloud.post(groups, { group: {} }))).toEqual([400, "Missing parameter security_group"]);
    expect(said(await cloud.post(groups, { security_group: { name: "a" } }))).toEqual([
      ...[400, "description is not a string or unicode"],
    ]);
    expect(said(await cloud.get(`${groups}/web`))).toEqual([400, "Security group id should be uuid"]);
    const [standard] = (await cloud.get(groups)).body.security_groups;
    expect(said(await cloud.delete(`${groups}/${standard.id}`))).toEqual([
      ...[400, "Insufficient rights for removing default security group."],
    ]);
    const create = () => cloud.post(groups, { security_group: { name: "many", description: "" } });
    for (let count = 1; count < 10; count++) expect((await create()).status).toBe(200);
    expect(said(await create())).toEqual([403, "Quota exceeded for resources: ['security_group']."]);
  });
});

describe("Nova's own ways to volumes and snapshots", () => {
  const volumes = `${nova}/os-volumes`;
  const snapshots = `${nova}/os-snapshots`;

  it("make, show and delete them, as Cinder has them", async () => {
    const asked = { size: 1, display_name: "data", display_description: "of models", metadata: { a: "b" } };
    const made = await cloud.post(volumes, { volume: asked });
    const { id } = made.body.volume;
    expect([made.status, made.headers.get("location")]).toEqual([200, `${cloud.base}${volumes}/${id}`]);
    expect(made.body.volume).toEqual({
      ...{ id, status: "creating", size: 1, availabilityZone: "nova", attachments: [{}] },
      ...{ createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/) },
      ...{ displayName: "data", displayDescription: "of models", volumeType: "__DEFAULT__", snapshotId: null },
      metadata: { a: "b" },
    });
    await cloud.cloud.idle();
    expect((await cloud.get(`${volumes}/${id}`)).body.volume).toMatchObject({ status: "available" });
    const snapshot = await cloud.post(snapshots, { snapshot: { volume_id: id, display_name: "before" } });
    const shown = snapshot.body.snapshot;
    expect([snapshot.status, shown]).toEqual([
      200,
      {
        ...{ id: shown.id, volumeId: id, status: "creating", size: 1, createdAt: expect.any(String) },
        ...{ displayName: "before", displayDescription: null },
      },
    ]);
    await cloud.cloud.idle();
    for (const path of [snapshots, `${snapshots}/detail`]) {
      expect((await cloud.get(path)).body.snapshots).toEqual([{ ...shown, status: "available" }]);
    }
    const second = { volume: { size: "1", snapshot_id: shown.id } };
    const copy = (await cloud.post(volumes, second)).body.volume;
    expect(copy.snapshotId).toBe(shown.id);
    for (const path of [volumes, `${volumes}/detail`]) {
      expect((await cloud.get(path)).body.volumes.map((each: { id: string }) => each.id)).toEqual([copy.id, id]);
    }
    expect((await cloud.get(`${volumes}?limit=1&offset=1`)).body.volumes).toHaveLength(1);
    expect(said(await cloud.delete(`${volumes}/${id}`))[1]).toMatch(
      /^Invalid input received: Invalid volume: Volume status/,
    );
    expect((await cloud.delete(`${snapshots}/${shown.id}`)).status).toBe(202);
    await cloud.cloud.idle();
    expect((await cloud.delete(`${volumes}/${id}`)).status).toBe(202);
    await cloud.cloud.idle();
    expect(said(await cloud.get(`${volumes}/${id}`))).toEqual([404, `Volume ${id} could not be found.`]);
    expect(said(await cloud.get(`${snapshots}/${shown.id}`))).toEqual([
      404,
      `Snapshot ${shown.id} could not be found.`,
    ]);
  });

  it("tell the server that has one, and refuse in Nova's words", async () => {
    const { id } = (await cloud.post(volumes, { volume: { size: 1 } })).body.volume;
    await cloud.cloud.idle();
    const { images } = (await cloud.get("/image/v2/images?name=debian-13")).body;
    const server = { name: "web", imageRef: images[0].id, flavorRef: await flavorId(), networks: "none" };
    const at37 = { headers: { "openstack-api-version": "compute 2.37" } };
    const serverId = (await cloud.post(`${nova}/servers`, { server }, at37)).body.server.id;
    await cloud.cloud.idle();
    await cloud.post(`${nova}/servers/${serverId}/os-volume_attachments`, { volumeAttachment: { volumeId: id } });
    await cloud.cloud.idle();
    expect((await cloud.get(`${volumes}/${id}`)).body.volume.attachments).toEqual([
      { id, volumeId: id, serverId, device: "/dev/vdb" },
    ]);
    expect(said(await cloud.post(snapshots, { snapshot: { volume_id: id } }))[1]).toMatch(/^Invalid input received: /);
    const forced = { snapshot: { volume_id: id, force: "True" } };
    expect((await cloud.post(snapshots, forced)).status).toBe(200);
    expect(said(await cloud.post(volumes, { volume: {} }))).toEqual([
      ...[400, "Invalid input for field/attribute volume. Value: {}. 'size' is a required property"],
    ]);
    expect(said(await cloud.post(volumes, { volume: { size: 5000 } }))).toEqual([
      ...[403, "Quota exceeded for resources: volumes"],
    ]);
    for (const path of [volumes, snapshots]) expect((await cloud.get(path, later)).status).toBe(404);
  });
});

it("an administrator's server runs from another project's private image", async () => {
  const image = (
    await cloud.post("/image/v2/images", {
      name: "own",
      disk_format: "raw",
      container_format: "bare",
      visibility: "private",
    })
  ).body;
  const content = { headers: { "content-type": "application/octet-stream" } };
  await cloud.put(`/image/v2/images/${image.id}/file`, "disk", content);
  const server = { name: "web", imageRef: image.id, flavorRef: await flavorId(), networks: "none" };
  const asAdmin = { token: await cloud.adminToken(), headers: { "openstack-api-version": "compute 2.37" } };
  const made = await cloud.post(`${nova}/servers`, { server }, asAdmin);
  expect(made.status).toBe(202);
  await cloud.cloud.idle();
  expect((await cloud.get(`${nova}/servers/${made.body.server.id}`, asAdmin)).body.server).toMatchObject({
    ...{ status: "ACTIVE", image: { id: image.id } },
  });
});
