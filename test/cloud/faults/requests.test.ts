import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestCloud } from "../support.ts";

let cloud: TestCloud;
let portId: string;
let serverId: string;
let floating: { id: string };
const arm = (name: string) => cloud.cloud.faults.arm(name);

beforeEach(async () => {
  cloud = await TestCloud.start();
  const { network } = await cloud.routedNetwork();
  serverId = (await cloud.bootServer({ networks: [{ uuid: network.id }] })).id;
  const { ports } = (await cloud.get(`/network/v2.0/ports?device_id=${serverId}`)).body;
  portId = ports[0].id;
  floating = await cloud.make("floatingip", { floating_network_id: await cloud.externalNetworkId() });
});
afterEach(() => cloud.remove());

const associate = (port: string | null = portId) =>
  cloud.put(`/network/v2.0/floatingips/${floating.id}`, { floatingip: { port_id: port } });
const shown = async () => (await cloud.get(`/network/v2.0/floatingips/${floating.id}`)).body.floatingip;

describe("addresses", () => {
  it("P01:port-visible-late: a port that is there is not found, three times", async () => {
    arm("P01:port-visible-late");
    const look = () => cloud.get(`/network/v2.0/ports/${portId}`);
    const answer = await look();
    expect(answer.status).toBe(404);
    expect(answer.body.NeutronError).toMatchObject({
      type: "PortNotFound",
      message: `Port ${portId} could not be found.`,
    });
    expect([(await look()).status, (await look()).status, (await look()).status]).toEqual([404, 404, 200]);
  });

  it("P01:fip-400-until-active: associations are refused, by Neutron and by Nova's proxy", async () => {
    arm("P01:fip-400-until-active");
    const refused = await associate();
    expect(refused.status).toBe(400);
    expect(refused.body.NeutronError.message).toContain("has no fixed IPv4 addresses");
    const proxy = await cloud.post(`/compute/v2.1/servers/${serverId}/action`, {
      addFloatingIp: { address: "1.2.3.4" },
    });
    expect(proxy.status).toBe(400);
    expect(proxy.body).toEqual({ badRequest: { code: 400, message: "No nw_info cache associated with instance" } });
    expect((await associate()).status).toBe(400);
    expect((await associate()).status).toBe(200);
  });

  it("P02: no association succeeds, and taking off does", async () => {
    await associate();
    arm("P02");
    const refused = await associate();
    expect(refused.status).toBe(500);
    expect(refused.body.NeutronError).toMatchObject({ type: "HTTPInternalServerError" });
    expect((await associate(null)).status).toBe(200);
    expect((await associate()).status).toBe(500);
    expect(await shown()).toMatchObject({ port_id: null });
  });

  it("P03: an association is made, and a proxy's 504 is the answer; a refused one keeps its own", async () => {
    arm("P03");
    const answer = await associate();
    expect(answer.status).toBe(504);
    expect(answer.headers.get("content-type")).toContain("text/html");
    expect(answer.text).toContain("504 Gateway Time-out");
    expect(await shown()).toMatchObject({ port_id: portId, status: "ACTIVE" });
    expect((await associate(randomUUID())).status).toBe(404);
  });

  it("P04: an association succeeds, and the address leads elsewhere a moment later, once", async () => {
    arm("P04");
    const answer = await associate();
    expect(answer.body.floatingip).toMatchObject({ port_id: portId });
    const stolen = await shown();
    expect(stolen).toMatchObject({ status: "ACTIVE", fixed_ip_address: null });
    expect(stolen.port_id).not.toBe(portId);
    await associate();
    expect(await shown()).toMatchObject({ port_id: portId });
  });

  it.each(["P05:fip-quota", "P12:quota-fip"])("%s: one more address is over the quota", async (name) => {
    cloud.cloud.faults.arm(name, { times: 1 });
    const quota = `/network/v2.0/quotas/${cloud.projectId}/details`;
    const used = async () => (await cloud.get(quota)).body.quota.floatingip.used;
    expect([await used(), await used()]).toEqual([50, 50]);
    const body = { floatingip: { floating_network_id: await cloud.externalNetworkId() } };
    const refused = await cloud.post("/network/v2.0/floatingips", body);
    expect(refused.status).toBe(409);
    expect(refused.body.NeutronError).toMatchObject({
      type: "OverQuota",
      message: "Quota exceeded for resources: ['floatingip'].",
    });
    expect(await used()).toBe(1);
  });
});

describe("images and servers", () => {
  const create = async (more = {}) =>
    cloud.post("/compute/v2.1/servers", await cloud.serverBody({ networks: [], ...more }));

  it("P11:two-images-same-name: there are two until it is disarmed, and servers boot from either", async () => {
    const named = async () =>
      (await cloud.get("/image/v2/images?name=debian-13")).body.images.map(({ id }: { id: string }) => id);
    const before = await named();
    arm("P11:two-images-same-name");
    const both = await named();
    expect(both).toHaveLength(2);
    expect(both).toEqual(expect.arrayContaining(before));
    expect(await named()).toEqual(both);
    const twin = both.find((id: string) => !before.includes(id));
    expect((await create({ imageRef: twin })).status).toBe(202);
    await cloud.cloud.faults.disarm();
    expect(await named()).toEqual(before);
    expect((await cloud.get(`/image/v2/images/${twin}`)).body).toMatchObject({ os_hidden: true });
    arm("P11:two-images-same-name");
    expect(await named()).toHaveLength(2);
  });

  it("P11:two-images-same-name: a twin goes when it is disarmed, also where its image went before it", async () => {
    const fields = { name: "own", container_format: "bare", disk_format: "raw" };
    const { id } = (await cloud.post("/image/v2/images", fields)).body;
    const own = async () => (await cloud.get("/image/v2/images?name=own")).body.images;
    arm("P11:two-images-same-name");
    expect(await own()).toHaveLength(2);
    expect((await cloud.delete(`/image/v2/images/${id}`)).status).toBe(204);
    expect(await own()).toHaveLength(1);
    await cloud.cloud.faults.disarm();
    expect(await own()).toEqual([]);
  });

  it("P11:two-images-same-name: a twin takes no offered image's place at a restart", async () => {
    await cloud.delete(`/compute/v2.1/servers/${serverId}`);
    await cloud.cloud.idle();
    arm("P11:two-images-same-name");
    const [original] = (await cloud.get("/image/v2/images")).body.images;
    const token = await cloud.adminToken();
    expect((await cloud.delete(`/image/v2/images/${original.id}`, { token })).status).toBe(204);
    await cloud.restart();
    await cloud.cloud.faults.disarm();
    expect((await cloud.get("/image/v2/images")).body.images).toMatchObject([{ name: "debian-13" }]);
  });

  it("P11:image-deactivated: a server's create finds the image deactivated, and everybody after it", async () => {
    arm("P11:image-deactivated");
    const refused = await create();
    expect(refused.status).toBe(400);
    expect(refused.body.badRequest.message).toMatch(/^Image [0-9a-f-]{36} is not active\.$/);
    const statuses = async () =>
      (await cloud.get("/image/v2/images")).body.images.map(({ status }: { status: string }) => status);
    expect(await statuses()).toEqual(["deactivated"]);
    await cloud.cloud.faults.disarm();
    expect(await statuses()).toEqual(["active"]);
    expect((await create()).status).toBe(202);
  });

  it("P12:quota-cores and P15:userdata-413 refuse a server in Nova's words", async () => {
    cloud.cloud.faults.arm("P12:quota-cores", { times: 1 });
    const used = async () => (await cloud.get("/compute/v2.1/limits")).body.limits.absolute.totalCoresUsed;
    expect([await used(), await used()]).toEqual([20, 20]);
    const overQuota = await create();
    expect(overQuota.status).toBe(403);
    expect(overQuota.body.forbidden.message).toBe(
      "Quota exceeded for cores: Requested 1, but already used 20 of 20 cores",
    );
    expect(await used()).toBeLessThan(20);
    arm("P15");
    expect((await create()).status).toBe(202);
    const tooLarge = await create({ user_data: Buffer.from("#cloud-config\n{}\n").toString("base64") });
    expect(tooLarge.status).toBe(413);
    expect(tooLarge.headers.get("content-type")).toContain("text/html");
    expect(tooLarge.text).toContain("Request is too large. Larger than max_request_body_size (114688).");
  });
});

describe("any API", () => {
  const look = (options = {}) => cloud.get(`/compute/v2.1/servers/${serverId}`, options);

  it("P06: Nova has no floating IPs", async () => {
    arm("P06");
    const action = { addFloatingIp: { address: "172.24.64.9" } };
    const refused = await cloud.post(`/compute/v2.1/servers/${serverId}/action`, action);
    expect([refused.status, refused.body]).toEqual([
      404,
      { itemNotFound: { code: 404, message: "The resource could not be found." } },
    ]);
    expect((await cloud.get("/compute/v2.1/os-floating-ips")).status).toBe(404);
    expect((await look()).status).toBe(200);
  });

  it("P08: a server's networks come in the opposite order", async () => {
    const { network } = await cloud.routedNetwork("10.2.0.0/24");
    const { network: other } = await cloud.routedNetwork("10.3.0.0/24");
    await cloud.put(`/network/v2.0/networks/${other.id}`, { network: { name: "other" } });
    const { id } = await cloud.bootServer({ networks: [{ uuid: network.id }, { uuid: other.id }] });
    const names = async () => Object.keys((await cloud.server(id)).addresses);
    const before = await names();
    arm("P08");
    expect(await names()).toEqual(before.toReversed());
    await cloud.cloud.faults.disarm();
    expect(await names()).toEqual(before);
  });

  it("P13:http-503 and P13:http-429 stand in front of every service that is asked with a token", async () => {
    const paths = ["/compute/v2.1/servers", "/network/v2.0/ports", "/image/v2/images", "/volume/v3/volumes"];
    for (const path of [...paths, `/object-store/v1/AUTH_${cloud.projectId}`, "/identity/v3/auth/projects"]) {
      cloud.cloud.faults.arm("P13:http-503", { times: 1 });
      const busy = await cloud.get(path);
      expect([path, busy.status, busy.text]).toEqual([path, 503, expect.stringContaining("503 Service Unavailable")]);
      cloud.cloud.faults.arm("P13:http-429", { times: 1 });
      const limited = await cloud.get(path);
      expect([path, limited.status, limited.headers.get("retry-after")]).toEqual([path, 429, "1"]);
      expect([path, (await cloud.get(path)).status < 300]).toEqual([path, true]);
    }
    cloud.cloud.faults.arm("P13:http-503", { times: 1 });
    expect((await cloud.authenticate(cloud.cloud.credentials.demo)).status).toBe(201);
  });

  it("P13:reset-mid-body: what was asked is done, and the answer breaks off", async () => {
    arm("P13:reset-mid-body");
    await expect(cloud.make("network", { name: "made-all-the-same" })).rejects.toThrow();
    const { networks } = (await cloud.get("/network/v2.0/networks?name=made-all-the-same")).body;
    expect(networks).toHaveLength(1);
  });

  it("P13:token-expired: a valid token is refused once", async () => {
    arm("P13:token-expired");
    const refused = await look();
    expect([refused.status, refused.body.error.message]).toEqual([
      401,
      "The request you have made requires authentication.",
    ]);
    expect((await look()).status).toBe(200);
  });
});

describe("security groups and ports", () => {
  it("P09: the operator's defaults are none, or more than usual", async () => {
    const rules = async (name: string) => (await cloud.make("security_group", { name })).security_group_rules;
    arm("P09:default-rules-none");
    expect(await rules("bare")).toEqual([]);
    await cloud.cloud.faults.disarm();
    arm("P09:default-rules-ingress");
    const group = await cloud.make("security_group", { name: "open" });
    expect(group.security_group_rules).toHaveLength(3);
    const again = await cloud.post("/network/v2.0/security-group-rules", {
      security_group_rule: {
        ...{ security_group_id: group.id, direction: "ingress", ethertype: "IPv4", protocol: "tcp" },
        ...{ port_range_min: 22, port_range_max: 22 },
      },
    });
    expect([again.status, again.body.NeutronError.type]).toEqual([409, "SecurityGroupRuleExists"]);
  });

  it("P10:sg-in-use: a group is deleted at the fourth try", async () => {
    const { id } = await cloud.make("security_group", { name: "used" });
    arm("P10:sg-in-use");
    const remove = async () => (await cloud.delete(`/network/v2.0/security-groups/${id}`)).status;
    expect([await remove(), await remove(), await remove(), await remove()]).toEqual([409, 409, 409, 204]);
  });

  it("P10:orphan-port: a deleted server's port stays", async () => {
    arm("P10:orphan-port");
    expect((await cloud.delete(`/compute/v2.1/servers/${serverId}`)).status).toBe(204);
    await cloud.cloud.idle();
    expect((await cloud.get(`/compute/v2.1/servers/${serverId}`)).status).toBe(404);
    expect((await cloud.get(`/network/v2.0/ports/${portId}`)).body.port).toMatchObject({ device_id: "" });
  });
});

describe("volumes", () => {
  const attachments = () => `/compute/v2.1/servers/${serverId}/os-volume_attachments`;
  const attach = async () => {
    const { id } = (await cloud.post("/volume/v3/volumes", { volume: { size: 1 } })).body.volume;
    await cloud.cloud.idle();
    await cloud.post(attachments(), { volumeAttachment: { volumeId: id } });
    await cloud.cloud.idle();
    return id as string;
  };
  const status = async (id: string) => (await cloud.get(`/volume/v3/volumes/${id}`)).body.volume.status;

  it("P14:volume-stuck-detaching: a detachment never ends until it is disarmed", async () => {
    const id = await attach();
    arm("P14:volume-stuck-detaching");
    expect((await cloud.delete(`${attachments()}/${id}`)).status).toBe(202);
    await cloud.cloud.idle();
    expect(await status(id)).toBe("detaching");
    await cloud.cloud.faults.disarm();
    expect(await status(id)).toBe("in-use");
    expect((await cloud.delete(`${attachments()}/${id}`)).status).toBe(202);
    await cloud.cloud.idle();
    expect(await status(id)).toBe("available");
  });

  it("P14:device-renamed: Nova tells the next letter", async () => {
    const id = await attach();
    const device = async () => (await cloud.get(`${attachments()}/${id}`)).body.volumeAttachment.device;
    expect(await device()).toBe("/dev/vdb");
    arm("P14:device-renamed");
    expect(await device()).toBe("/dev/vdc");
    expect((await cloud.get(attachments())).body.volumeAttachments).toMatchObject([{ device: "/dev/vdc" }]);
  });
});

it("P25:lock-orphaned: a lock that was deleted is still there", async () => {
  const account = `/object-store/v1/AUTH_${cloud.projectId}`;
  await cloud.put(`${account}/locks`);
  for (const name of ["lock", "other"]) await cloud.put(`${account}/locks/${name}`, "held");
  arm("P25");
  const remove = async (name: string) => {
    expect((await cloud.delete(`${account}/locks/${name}`)).status).toBe(204);
    return (await cloud.get(`${account}/locks/${name}`)).status;
  };
  expect([await remove("other"), await remove("lock"), await remove("lock")]).toEqual([404, 200, 404]);
});
