import { afterEach, describe, expect, it, vi } from "vitest";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import { TestCloud } from "./support.ts";

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 trace";
let cloud: TestCloud;
afterEach(() => cloud.remove());

describe("life of a server", () => {
  it("BUILD, then ACTIVE, with its ports bound; gone with them when deleted", async () => {
    cloud = await TestCloud.start({ hypervisor: new FakeHypervisor({ bootMs: 100 }) });
    const { network } = await cloud.routedNetwork();
    const given = await cloud.make("port", { network_id: network.id });
    const networks = [{ port: given.id }, { uuid: network.id }];
    const created = await cloud.post("/compute/v2.1/servers", await cloud.serverBody({ networks }));
    expect(created.status).toBe(202);
    const { id, adminPass } = created.body.server;
    expect(adminPass).toEqual(expect.any(String));
    expect(created.headers.get("location")).toBe(`${cloud.base}/compute/v2.1/servers/${id}`);
    expect(await cloud.server(id)).toMatchObject({ status: "BUILD", "OS-EXT-STS:vm_state": "building" });

    await cloud.cloud.idle();
    const server = await cloud.server(id);
    expect(server).toMatchObject({
      status: "ACTIVE",
      key_name: null,
      config_drive: "",
      security_groups: [{ name: "default" }],
      "OS-EXT-STS:task_state": null,
      "OS-EXT-STS:power_state": 1,
    });
    expect(server.flavor).toEqual({ id: expect.any(String), links: expect.any(Array) });
    expect(server.addresses.net).toEqual([
      {
        version: 4,
        addr: given.fixed_ips[0].ip_address,
        "OS-EXT-IPS:type": "fixed",
        "OS-EXT-IPS-MAC:mac_addr": given.mac_address,
      },
      expect.objectContaining({ version: 4, "OS-EXT-IPS:type": "fixed" }),
    ]);
    const { ports } = (await cloud.get(`/network/v2.0/ports?device_id=${id}`)).body;
    expect(ports).toHaveLength(2);
    for (const port of ports) expect(port).toMatchObject({ status: "ACTIVE", device_owner: "compute:nova" });

    expect((await cloud.delete(`/compute/v2.1/servers/${id}`)).status).toBe(204);
    await cloud.cloud.idle();
    const gone = await cloud.get(`/compute/v2.1/servers/${id}`);
    expect(gone.status).toBe(404);
    expect(gone.body).toEqual({ itemNotFound: { code: 404, message: `Instance ${id} could not be found.` } });
    const left = (await cloud.get(`/network/v2.0/ports?network_id=${network.id}&device_owner=`)).body.ports;
    expect(left).toEqual([expect.objectContaining({ id: given.id, device_id: "", status: "DOWN" })]);
  });

  it("ends in ERROR with the hypervisor's words, and can be deleted", async () => {
    cloud = await TestCloud.start({ hypervisor: new FakeHypervisor({ failBoot: () => "No valid host was found." }) });
    const server = await cloud.bootServer({ networks: [] });
    expect(server).toMatchObject({
      status: "ERROR",
      fault: { code: 500, message: "No valid host was found.", created: expect.any(String) },
    });
    await cloud.delete(`/compute/v2.1/servers/${server.id}`);
    await cloud.cloud.idle();
    expect((await cloud.get(`/compute/v2.1/servers/${server.id}`)).status).toBe(404);
  });

  it("stops, starts, reboots, and refuses what does not fit its state", async () => {
    const hypervisor = new FakeHypervisor({ bootMs: 50 });
    cloud = await TestCloud.start({ hypervisor });
    const { id } = await cloud.bootServer({ networks: [] });
    const act = (action: unknown) => cloud.post(`/compute/v2.1/servers/${id}/action`, action);
    const refused = await act({ "os-start": null });
    expect(refused.status).toBe(409);
    expect(refused.body).toEqual({
      conflictingRequest: { code: 409, message: `Cannot 'start' instance ${id} while it is in vm_state active` },
    });
    expect((await act({ "os-stop": null })).status).toBe(202);
    await cloud.cloud.idle();
    expect(await cloud.server(id)).toMatchObject({ status: "SHUTOFF", "OS-EXT-STS:power_state": 4 });
    expect((await act({ reboot: { type: "SOFT" } })).status).toBe(409);
    expect((await act({ "os-start": null })).status).toBe(202);
    expect((await act({ "os-stop": null })).body.conflictingRequest.message).toContain("vm_state stopped");
    await cloud.cloud.idle();
    expect((await act({ reboot: { type: "soft" } })).status).toBe(202);
    expect((await cloud.server(id)).status).toBe("REBOOT");
    await cloud.cloud.idle();
    expect((await cloud.server(id)).status).toBe("ACTIVE");
    for (const name of ["dance", "toString", "constructor"]) {
      expect((await act({ [name]: null })).body.badRequest.message).toBe(`There is no such action: ${name}`);
    }

    hypervisor.powerOff(id);
    await cloud.cloud.idle();
    expect((await cloud.server(id)).status).toBe("SHUTOFF");
  });

  it("has as long to shut down as its image says, and a minute else", async () => {
    const hypervisor = new FakeHypervisor();
    const stop = vi.spyOn(hypervisor, "stop");
    cloud = await TestCloud.start({ hypervisor });
    const { id, image } = await cloud.bootServer({ networks: [] });
    const stopAndStart = async () => {
      for (const action of ["os-stop", "os-start"]) {
        await cloud.post(`/compute/v2.1/servers/${id}/action`, { [action]: null });
        await cloud.cloud.idle();
      }
    };
    await stopAndStart();
    const changed = await cloud.request("PATCH", `/image/v2/images/${image.id}`, {
      body: JSON.stringify([{ op: "add", path: "/os_shutdown_timeout", value: "300" }]),
      headers: { "content-type": "application/openstack-images-v2.1-json-patch" },
      token: await cloud.adminToken(),
    });
    expect(changed.status).toBe(200);
    await stopAndStart();
    expect(stop.mock.calls).toEqual([60_000, 300_000].map((timeoutMs) => [id, { soft: true, timeoutMs }]));
  });

  it("shows the console, whole or its end", async () => {
    cloud = await TestCloud.start({ hypervisor: new FakeHypervisor({ console: () => "one\ntwo\nthree\n" }) });
    const { id } = await cloud.bootServer({ networks: [] });
    const output = async (argument: unknown) =>
      (await cloud.post(`/compute/v2.1/servers/${id}/action`, { "os-getConsoleOutput": argument })).body.output;
    expect(await output({})).toBe("one\ntwo\nthree\n");
    // as Nova counts: behind the last line's end another one begins
    expect(await output({ length: 2 })).toBe("three\n");
    expect(await output({ length: 9 })).toBe("one\ntwo\nthree\n");
    expect(await output({ length: 0 })).toBe("");
    expect(await output({ length: null })).toBe("one\ntwo\nthree\n");
  });
});

describe("what a create refuses", () => {
  const badRequest = (message: unknown) => ({ badRequest: { code: 400, message } });

  it("each in Nova's words", async () => {
    cloud = await TestCloud.start();
    const create = async (fields: Record<string, unknown>) =>
      cloud.post("/compute/v2.1/servers", await cloud.serverBody({ networks: [], ...fields }));
    const nothing = "00000000-0000-0000-0000-000000000000";
    expect((await create({ key_name: "none" })).body).toEqual(badRequest("Invalid key_name provided."));
    expect((await create({ imageRef: nothing })).body).toEqual(badRequest("Can not find requested image"));
    expect((await create({ flavorRef: nothing })).body).toEqual(badRequest(`Flavor ${nothing} could not be found.`));
    expect((await create({ networks: [{ port: nothing }] })).body).toEqual(
      badRequest(`Port id ${nothing} could not be found.`),
    );
    expect((await create({ networks: [{ uuid: nothing }] })).body).toEqual(
      badRequest(`Network ${nothing} could not be found.`),
    );
    const network = await cloud.make("network", {});
    expect((await create({ networks: [{ uuid: network.id }] })).body).toEqual(
      badRequest(`Network ${network.id} requires a subnet in order to boot instances on.`),
    );
    expect((await create({ name: " " })).status).toBe(400);
    expect((await create({ colour: "red" })).body).toEqual(
      badRequest(expect.stringMatching(/Additional properties are not allowed \('colour' was unexpected\)$/)),
    );
    expect((await create({ tags: ["a"] })).status).toBe(400);
    expect((await create({ user_data: "no base64!" })).body).toEqual(badRequest(expect.stringContaining("base64")));
    expect((await cloud.get("/compute/v2.1/servers")).body.servers).toEqual([]);
  });

  it("user-data over 65535 bytes of base64, at exactly that limit", async () => {
    cloud = await TestCloud.start();
    const create = async (length: number) =>
      cloud.post("/compute/v2.1/servers", await cloud.serverBody({ networks: [], user_data: "A".repeat(length) }));
    expect((await create(65_535)).status).toBe(202);
    const refused = await create(65_536);
    expect(refused.body).toEqual(badRequest(expect.stringMatching(/user_data\. .*' is too long$/)));
  });

  it("a port that another server has, and a server over the quota", async () => {
    cloud = await TestCloud.start();
    const { network } = await cloud.routedNetwork();
    const port = await cloud.make("port", { network_id: network.id });
    await cloud.bootServer({ networks: [{ port: port.id }] });
    const taken = await cloud.post("/compute/v2.1/servers", await cloud.serverBody({ networks: [{ port: port.id }] }));
    expect(taken.status).toBe(409);
    expect(taken.body.conflictingRequest.message).toBe(`Port ${port.id} is still in use.`);
    for (let n = 1; n < 10; n++) await cloud.bootServer({ networks: [] });
    const over = await cloud.post("/compute/v2.1/servers", await cloud.serverBody({ networks: [] }));
    expect(over.status).toBe(403);
    expect(over.body.forbidden.message).toBe(
      "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances",
    );
  });
});

describe("microversions", () => {
  it("change what a server shows", async () => {
    cloud = await TestCloud.start();
    const { id } = await cloud.bootServer({ networks: [] });
    const at = (version: string) => cloud.server(id, version);
    expect(await at("2.1")).not.toHaveProperty("tags");
    expect(await at("2.26")).toHaveProperty("tags", []);
    expect((await at("2.46")).flavor).toHaveProperty("id");
    expect((await at("2.47")).flavor).toMatchObject({ original_name: "m1.tiny", vcpus: 1, ram: 512 });
    expect(await at("2.93")).toMatchObject({
      locked: false,
      description: "web", // before 2.19 a server is described by its name
      server_groups: [],
      locked_reason: null,
    });
  });

  it("are negotiated by either header and echoed", async () => {
    cloud = await TestCloud.start();
    const get = (headers: Record<string, string>) => cloud.get("/compute/v2.1/flavors", { headers });
    expect((await get({})).headers.get("x-openstack-nova-api-version")).toBe("2.1");
    const latest = await get({ "openstack-api-version": "compute latest" });
    expect(latest.headers.get("openstack-api-version")).toBe("compute 2.93");
    const tooNew = await get({ "openstack-api-version": "compute 2.999" });
    expect(tooNew.status).toBe(406);
    expect(tooNew.body.computeFault.message).toBe(
      "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.93.",
    );
    expect((await get({ "x-openstack-nova-api-version": "two" })).status).toBe(400);
    expect((await cloud.get("/compute/v2.1/os-floating-ips")).status).toBe(200);
    const headers = { "x-openstack-nova-api-version": "2.36" };
    expect((await cloud.get("/compute/v2.1/os-floating-ips", { headers })).status).toBe(404);
  });

  it("demand networks from 2.37 on", async () => {
    cloud = await TestCloud.start();
    const headers = { "x-openstack-nova-api-version": "2.37" };
    const create = async (fields: Record<string, unknown>) =>
      cloud.post("/compute/v2.1/servers", await cloud.serverBody(fields), { headers });
    expect((await create({})).status).toBe(400);
    expect((await create({ networks: "none" })).status).toBe(202);
  });
});

describe("keypairs", () => {
  it("are imported with Nova's fingerprint, kept to the byte, unique by name, and private to the user", async () => {
    cloud = await TestCloud.start();
    const keypair = { name: "trace-key", public_key: `${publicKey}\n` };
    const made = await cloud.post("/compute/v2.1/os-keypairs", { keypair });
    expect(made.status).toBe(200);
    expect(made.body.keypair).toMatchObject({
      ...keypair,
      fingerprint: "3f:e5:2c:9f:a6:6e:1f:a3:a7:50:77:62:85:65:4a:51",
    });
    const again = await cloud.post("/compute/v2.1/os-keypairs", { keypair });
    expect(again.body).toEqual({ conflictingRequest: { code: 409, message: "Key pair 'trace-key' already exists." } });
    expect(
      (await cloud.post("/compute/v2.1/os-keypairs", { keypair: { name: "x", public_key: "nonsense" } })).status,
    ).toBe(400);
    const token = await cloud.adminToken();
    expect((await cloud.get("/compute/v2.1/os-keypairs/trace-key", { token })).status).toBe(404);
    const generated = await cloud.post("/compute/v2.1/os-keypairs", { keypair: { name: "new" } });
    expect(generated.body.keypair.private_key).toContain("BEGIN RSA PRIVATE KEY");
    expect((await cloud.delete("/compute/v2.1/os-keypairs/trace-key")).status).toBe(202);
    expect((await cloud.get("/compute/v2.1/os-keypairs")).body.keypairs).toHaveLength(1);
  });
});

describe("changes to a server", () => {
  it("name, metadata, tags, groups", async () => {
    cloud = await TestCloud.start();
    const { network } = await cloud.routedNetwork();
    const { id } = await cloud.bootServer({ networks: [{ uuid: network.id }], metadata: { a: "1", b: "2" } });
    const path = `/compute/v2.1/servers/${id}`;
    expect((await cloud.put(path, { server: { name: "other" } })).body.server).toMatchObject({ id, name: "other" });
    expect((await cloud.post(`${path}/metadata`, { metadata: { c: "3" } })).body.metadata).toEqual({
      a: "1",
      b: "2",
      c: "3",
    });
    expect((await cloud.delete(`${path}/metadata/a`)).status).toBe(204);
    expect((await cloud.put(`${path}/metadata`, { metadata: { d: "4" } })).body.metadata).toEqual({ d: "4" });
    const headers = { "x-openstack-nova-api-version": "2.26" };
    expect((await cloud.put(`${path}/tags`, { tags: ["x", "y"] }, { headers })).body).toEqual({ tags: ["x", "y"] });
    expect((await cloud.put(`${path}/tags/z`, undefined, { headers })).status).toBe(201);
    expect((await cloud.get(`${path}/tags`)).status).toBe(404);

    await cloud.make("security_group", { name: "web" });
    const act = (action: unknown) => cloud.post(`${path}/action`, action);
    expect((await act({ addSecurityGroup: { name: "web" } })).status).toBe(202);
    expect((await cloud.server(id)).security_groups).toEqual([{ name: "default" }, { name: "web" }]);
    expect((await act({ removeSecurityGroup: { name: "default" } })).status).toBe(202);
    expect((await act({ removeSecurityGroup: { name: "default" } })).status).toBe(404);
    expect((await act({ addSecurityGroup: { name: "none" } })).status).toBe(404);
    const { body } = await cloud.get(`${path}/os-security-groups`);
    expect(body.security_groups.map((group: { name: string }) => group.name)).toEqual(["web"]);
  });
});

it("does not show another tenant's server", async () => {
  cloud = await TestCloud.start();
  const { id } = await cloud.bootServer({ networks: [] });
  const admin = cloud.cloud.credentials.admin;
  expect((await cloud.get("/compute/v2.1/servers/detail", { token: await cloud.adminToken() })).body.servers).toEqual(
    [],
  );
  const all = await cloud.get("/compute/v2.1/servers?all_tenants=1", { token: await cloud.adminToken() });
  expect(all.body.servers).toMatchObject([{ id }]);
  expect(admin.username).toBe("admin");
});

it("takes names that every object has for names like others", async () => {
  cloud = await TestCloud.start();
  const admin = { token: await cloud.adminToken() };
  const nics: { uuid: string }[] = [];
  for (const [at, name] of ["constructor", "__proto__", "toString"].entries()) {
    const network = await cloud.make("network", { name });
    await cloud.make("subnet", { network_id: network.id, ip_version: 4, cidr: `10.9.${at}.0/24` });
    nics.push({ uuid: network.id });
  }
  const { id } = await cloud.bootServer({ networks: nics });
  const shown = await cloud.get(`/compute/v2.1/servers/${id}/ips`);
  for (const name of ["constructor", "__proto__", "toString"]) {
    expect(shown.text).toContain(`"${name}":[{"version":4`);
    expect((await cloud.get(`/compute/v2.1/servers/${id}/ips/${name}`)).text).toContain(`{"${name}":[{"version":4`);
  }
  expect((await cloud.get(`/compute/v2.1/servers/${id}/ips/valueOf`)).status).toBe(404);
  expect((await cloud.get("/compute/v2.1/servers/detail?constructor=x", admin)).status).toBe(200);

  const { volume_type: type } = (
    await cloud.post("/volume/v3/types", { volume_type: { name: "odd", extra_specs: { constructor: "x" } } }, admin)
  ).body;
  const { volume } = (await cloud.post("/volume/v3/volumes", { volume: { size: 1, volume_type: type.name } })).body;
  await cloud.cloud.idle();
  expect((await cloud.get(`/volume/v3/volumes/${volume.id}`)).body.volume.status).toBe("error");

  const headers = { "content-type": "constructor" };
  expect((await cloud.request("PATCH", "/image/v2/images/x", { body: "[]", headers })).status).toBe(415);
  expect((await cloud.get("/image/v2/images?created_at=constructor:2026-01-01T00:00:00")).status).toBe(400);
  expect((await cloud.post("/image/v2/images", { constructor: 5 })).status).toBe(400);
});

describe("Nova's own ways to the other services", () => {
  const nova = "/compute/v2.1";
  const at = (minor: number) => ({ headers: { "openstack-api-version": `compute 2.${minor}` } });
  const missing = { itemNotFound: { code: 404, message: "The resource could not be found." } };

  it("are there until 2.35: images", async () => {
    cloud = await TestCloud.start();
    const { images } = (await cloud.get(`${nova}/images`, at(35))).body;
    const [{ id }] = images;
    expect(images).toEqual([
      {
        ...{ id, name: "debian-13" },
        links: [
          { rel: "self", href: `${cloud.base}/compute/v2.1/images/${id}` },
          { rel: "bookmark", href: `${cloud.base}/compute/images/${id}` },
          { rel: "alternate", type: "application/vnd.openstack.image", href: `${cloud.base}/image/images/${id}` },
        ],
      },
    ]);
    const shown = (await cloud.get(`${nova}/images/${id}`, at(35))).body.image;
    expect(shown).toMatchObject({ status: "ACTIVE", progress: 100, minDisk: 1, minRam: 0, "OS-EXT-IMG-SIZE:size": 0 });
    expect((await cloud.get(`${nova}/images/detail?minDisk=2`, at(35))).body.images).toEqual([]);
    expect((await cloud.get(`${nova}/images/zz`, at(35))).body.itemNotFound.message).toBe("Image not found.");
    expect((await cloud.delete(`${nova}/images/${id}`, at(35))).body.forbidden.message).toBe(
      "You are not allowed to delete the image.",
    );
    const own = (await cloud.post("/image/v2/images", { name: "own", a: "b" })).body.id;
    const metadata = `${nova}/images/${own}/metadata`;
    expect((await cloud.get(`${nova}/images/${own}`, at(35))).body.image).toMatchObject({
      status: "SAVING",
      progress: 25,
    });
    expect((await cloud.post(metadata, { metadata: { c: "d" } }, at(38))).body).toEqual({
      metadata: { a: "b", c: "d" },
    });
    expect((await cloud.put(`${metadata}/c`, { meta: { c: "e" } }, at(38))).body).toEqual({ meta: { c: "e" } });
    expect((await cloud.delete(`${metadata}/a`, at(38))).status).toBe(204);
    expect((await cloud.get(metadata, at(38))).body).toEqual({ metadata: { c: "e" } });
    expect((await cloud.get(metadata, at(39))).body).toEqual(missing);
    expect((await cloud.delete(`${nova}/images/${own}`, at(35))).status).toBe(204);
    expect((await cloud.get(`/image/v2/images/${own}`)).status).toBe(404);
    for (const path of ["", "/detail", `/${id}`]) {
      expect((await cloud.get(`${nova}/images${path}`, at(36))).body).toEqual(missing);
    }
  });

  it("networks and floating IPs; what is gone for good is gone at every microversion", async () => {
    cloud = await TestCloud.start();
    const id = await cloud.externalNetworkId();
    const own = await cloud.make("network", { name: "mine" });
    const { networks } = (await cloud.get(`${nova}/os-networks`, at(35))).body;
    expect(networks.map(({ label }: { label: string }) => label).toSorted()).toEqual(["mine", "public"]);
    expect((await cloud.get(`${nova}/os-networks/${own.id}`, at(35))).body.network).toEqual({
      ...{
        id: own.id,
        label: "mine",
        cidr: null,
        netmask: null,
        gateway: null,
        broadcast: null,
        dns1: null,
        dns2: null,
      },
      ...{ cidr_v6: null, gateway_v6: null, netmask_v6: null },
    });
    const admin = { token: await cloud.adminToken(), ...at(35) };
    expect((await cloud.get(`${nova}/os-networks/${own.id}`, admin)).body.network).toHaveProperty("vlan", null);
    expect((await cloud.get(`${nova}/os-networks/zz`, at(35))).body.itemNotFound.message).toBe("Network not found");
    expect((await cloud.get(`${nova}/os-tenant-networks/${id}`, at(35))).body).toEqual({
      network: { id, cidr: "None", label: "public" },
    });
    expect((await cloud.get(`${nova}/os-floating-ip-pools`, at(35))).body).toEqual({
      floating_ip_pools: [{ name: "public" }],
    });
    expect((await cloud.post(`${nova}/os-floating-ips`, { pool: "zz" }, at(35))).body.itemNotFound.message).toBe(
      "Floating IP pool not found.",
    );
    const { floating_ip: made } = (await cloud.post(`${nova}/os-floating-ips`, { pool: "public" }, at(35))).body;
    expect(made).toMatchObject({ pool: "public", fixed_ip: null, instance_id: null });
    expect((await cloud.get(`/network/v2.0/floatingips/${made.id}`)).body.floatingip.floating_ip_address).toBe(made.ip);
    expect((await cloud.get(`${nova}/os-floating-ips/${made.id}`, at(35))).body).toEqual({ floating_ip: made });
    expect((await cloud.delete(`${nova}/os-floating-ips/${made.id}`, at(35))).status).toBe(202);
    expect((await cloud.delete(`${nova}/os-floating-ips/${made.id}`, at(35))).body.itemNotFound.message).toBe(
      `Floating IP not found for ID ${made.id}`,
    );
    await cloud.put(`/network/v2.0/quotas/${cloud.projectId}`, { quota: { floatingip: 0 } }, { token: admin.token });
    expect((await cloud.post(`${nova}/os-floating-ips`, { pool: "public" }, at(35))).body.forbidden.message).toBe(
      "IP allocation over quota in pool public.",
    );
    for (const path of ["os-networks", "os-tenant-networks", "os-floating-ip-pools", "os-floating-ips"]) {
      expect((await cloud.get(`${nova}/${path}`, at(36))).body).toEqual(missing);
    }
    const gone = "This resource is no longer available. No forwarding address is given.";
    for (const path of ["os-fping", "os-cells", "os-agents", "os-fixed-ips/1.2.3.4"]) {
      expect((await cloud.get(`${nova}/${path}`, at(93))).body).toEqual({ computeFault: { code: 410, message: gone } });
    }
    expect((await cloud.delete(`${nova}/os-networks/${id}`, at(93))).status).toBe(410);
  });
});
