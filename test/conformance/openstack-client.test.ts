import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningCloud, startCloud } from "../../src/cloud/cloud.ts";
import type { Login } from "../../src/cloud/credentials.ts";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import { ensureOpenstackClient, OpenstackClient } from "./openstack-client.ts";

const client = await ensureOpenstackClient();
const skipped = "reason" in client ? ` (skipped: ${client.reason})` : "";

describe.skipIf("reason" in client)(`python-openstackclient, unmodified${skipped}`, { timeout: 60_000 }, () => {
  const python = "python" in client ? client.python : "";
  let folder: string;
  let cloud: RunningCloud;
  let openstack: OpenstackClient;

  const connect = ({ username, password, projectName }: Login) =>
    new OpenstackClient(python, {
      OS_AUTH_URL: cloud.authUrl,
      OS_IDENTITY_API_VERSION: "3",
      OS_USERNAME: username,
      OS_PASSWORD: password,
      OS_PROJECT_NAME: projectName,
      OS_USER_DOMAIN_NAME: "Default",
      OS_PROJECT_DOMAIN_NAME: "Default",
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-conformance-"));
    cloud = await startCloud({
      stateDir: join(folder, "cloud"),
      hypervisor: new FakeHypervisor({ bootMs: 200, console: () => "cloud-init finished\n" }),
      images: [{ name: "debian-13", path: null, minDiskGb: 1, properties: { os_distro: "debian" } }],
    });
    openstack = connect(cloud.credentials.demo);
  });
  afterAll(async () => {
    await openstack?.close();
    await cloud?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const names = async (...command: string[]) =>
    (await openstack.json(...command)).map((row: { Name: string }) => row.Name);

  it("a wrong password is 401", async () => {
    const wrong = connect({ ...cloud.credentials.demo, password: "wrong" });
    try {
      const { status, stderr } = await wrong.run("token", "issue");
      expect(status).toBe(1);
      expect(stderr).toContain("The request you have made requires authentication. (HTTP 401)");
    } finally {
      await wrong.close();
    }
  });

  it("token, catalogue, flavors, image, limits, quotas, zones, extensions", async () => {
    expect(await openstack.json("token", "issue")).toMatchObject({
      id: expect.any(String),
      expires: expect.any(String),
    });
    const services = ["keystone", "nova", "placement", "neutron", "glance", "cinder", "swift", "octavia"];
    expect((await names("catalog", "list")).sort()).toEqual(services.sort());
    expect(await names("flavor", "list")).toEqual(["m1.tiny", "m1.small", "m1.medium"]);
    expect(await openstack.json("flavor", "show", "m1.small")).toMatchObject({ ram: 2048, vcpus: 1, disk: 20 });
    expect(await names("image", "list")).toEqual(["debian-13"]);
    expect(await openstack.json("image", "show", "debian-13")).toMatchObject({
      status: "active",
      visibility: "public",
      properties: { os_distro: "debian" },
    });
    const limits = await openstack.json("limits", "show", "--absolute");
    expect(limits).toContainEqual({ Name: "total_cores", Value: 20 });
    expect(limits).toContainEqual({ Name: "max_total_volumes", Value: 10 });
    expect(await openstack.json("quota", "show")).toContainEqual({ Resource: "volumes", Limit: 10 });
    await openstack.ok("availability", "zone", "list");
    const extensions = await openstack.json("extension", "list", "--network");
    expect(extensions).toContainEqual(expect.objectContaining({ Alias: "router" }));
    expect(await names("network", "list", "--external")).toEqual(["public"]);
  });

  it("makes a network with its way out", async () => {
    await openstack.ok("network", "create", "net", "--tag", "slipway");
    await openstack.ok(
      "subnet",
      "create",
      "sub",
      "--network",
      "net",
      "--subnet-range",
      "10.1.0.0/24",
      "--dns-nameserver",
      "10.1.0.3",
    );
    await openstack.ok("router", "create", "router", "--external-gateway", "public");
    await openstack.ok("router", "add", "subnet", "router", "sub");
    expect(await openstack.json("network", "show", "net")).toMatchObject({
      status: "ACTIVE",
      mtu: 1450,
      tags: ["slipway"],
    });
    expect(await openstack.json("subnet", "show", "sub")).toMatchObject({ gateway_ip: "10.1.0.1" });
    const router = await openstack.json("router", "show", "router");
    expect(router).toMatchObject({ status: "ACTIVE", external_gateway_info: { enable_snat: true } });
    expect(router.interfaces_info).toMatchObject([{ ip_address: "10.1.0.1" }]);
    expect((await names("network", "list")).sort()).toEqual(["net", "public"]); // by id

    expect((await names("subnet", "list")).sort()).toEqual(["public-subnet", "sub"]);
    expect(await names("router", "list")).toEqual(["router"]);
  });

  it("makes a group, a key and a port", async () => {
    await openstack.ok("security", "group", "create", "web");
    const rule = ["--protocol", "tcp", "--dst-port", "5100", "--remote-ip", "0.0.0.0/0"];
    await openstack.ok("security", "group", "rule", "create", "web", ...rule);
    const again = await openstack.run("security", "group", "rule", "create", "web", ...rule);
    expect(again.status).toBe(1);
    expect(again.stderr).toContain("Security group rule already exists");
    const rules = await openstack.json("security", "group", "rule", "list", "web", "--ingress");
    expect(rules).toMatchObject([{ "IP Protocol": "tcp", "Port Range": "5100:5100", "IP Range": "0.0.0.0/0" }]);

    const keyFile = join(folder, "key.pub");
    await writeFile(
      keyFile,
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 trace\n",
    );
    await openstack.ok("keypair", "create", "key", "--public-key", keyFile);
    expect(await names("keypair", "list")).toEqual(["key"]);
    await openstack.ok(
      "port",
      "create",
      "port",
      "--network",
      "net",
      "--security-group",
      "web",
      "--fixed-ip",
      "ip-address=10.1.0.10",
    );
    expect(await openstack.json("port", "show", "port")).toMatchObject({ status: "DOWN" });
  });

  it("boots a server, gives it a floating IP, reads its console, stops and starts it", async () => {
    const userData = join(folder, "user-data");
    await writeFile(userData, "#cloud-config\n");
    const options = [
      "--image",
      "debian-13",
      "--flavor",
      "m1.small",
      "--port",
      "port",
      "--key-name",
      "key",
      "--user-data",
      userData,
    ];
    await openstack.ok("server", "create", "server", ...options, "--property", "role=web", "--wait");
    expect(await openstack.json("server", "show", "server")).toMatchObject({
      status: "ACTIVE",
      addresses: { net: ["10.1.0.10"] },
      key_name: "key",
      properties: { role: "web" },
    });
    const { floating_ip_address: address } = await openstack.json("floating", "ip", "create", "public");
    await openstack.ok("server", "add", "floating", "ip", "server", address);
    expect(await openstack.json("floating", "ip", "show", address)).toMatchObject({
      status: "ACTIVE",
      fixed_ip_address: "10.1.0.10",
    });
    expect(await openstack.json("server", "list")).toMatchObject([
      {
        Name: "server",
        Status: "ACTIVE",
        Networks: { net: ["10.1.0.10", address] },
        Image: "debian-13",
        Flavor: "m1.small",
      },
    ]);
    expect((await openstack.ok("console", "log", "show", "server")).stdout).toContain("cloud-init finished");
    await openstack.ok("server", "stop", "server");
    await cloud.idle();
    expect((await openstack.json("server", "show", "server")).status).toBe("SHUTOFF");
    await openstack.ok("server", "start", "server");
    await cloud.idle();
    await openstack.ok("server", "reboot", "--hard", "server");
    await cloud.idle();
    await openstack.ok("server", "set", "--name", "renamed", "--tag", "blue", "server");
    expect(await openstack.json("server", "list", "--tags", "blue")).toMatchObject([{ Name: "renamed" }]);
  });

  it("makes a volume, plugs it into the server, lists, takes out, and deletes it", async () => {
    const made = await openstack.json("volume", "create", "data", "--size", "2", "--property", "role=models");
    expect(made).toMatchObject({ size: 2, type: "__DEFAULT__", properties: { role: "models" } });
    await cloud.idle();
    expect(await names("volume", "type", "list")).toEqual(["__DEFAULT__"]);
    const attached = await openstack.json("server", "add", "volume", "renamed", "data");
    expect(attached).toMatchObject({ "Volume ID": made.id, Device: "/dev/vdb", "Delete On Termination": false });
    await cloud.idle();
    expect(await openstack.json("volume", "list", "--long")).toMatchObject([
      {
        Name: "data",
        Status: "in-use",
        Size: 2,
        "Attached to": [{ device: "/dev/vdb" }],
        Properties: { role: "models" },
      },
    ]);
    expect(await openstack.json("server", "volume", "list", "renamed")).toMatchObject([{ "Volume ID": made.id }]);
    expect(await openstack.json("server", "show", "renamed")).toMatchObject({
      volumes_attached: [{ id: made.id, delete_on_termination: false }],
    });
    expect(await openstack.json("volume", "attachment", "list")).toMatchObject([{ "Volume ID": made.id }]);
    const refused = await openstack.run("volume", "delete", "data");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("Invalid volume: Volume status must be available or error");
    await openstack.ok("server", "volume", "update", "renamed", "data", "--delete-on-termination");
    await openstack.ok("server", "remove", "volume", "renamed", "data");
    await cloud.idle();
    await openstack.ok("volume", "set", "data", "--name", "kept", "--property", "role=none");
    await openstack.ok("volume", "unset", "kept", "--property", "role");
    expect(await openstack.json("volume", "show", "kept")).toMatchObject({ status: "available", properties: {} });
    await openstack.ok("volume", "delete", "kept");
    await cloud.idle();
    expect(await openstack.json("volume", "list")).toEqual([]);
    expect(await openstack.json("volume", "snapshot", "list")).toEqual([]);
  });

  it("boots a server from a volume that is made for it, and one from that volume when the server is gone", async () => {
    const boot = (name: string, ...from: string[]) =>
      openstack.ok("server", "create", name, "--flavor", "m1.small", "--network", "net", "--wait", ...from);
    await boot("from-image", "--image", "debian-13", "--boot-from-volume", "2");
    const [{ ID: disk }] = (await openstack.json("volume", "list")) as unknown as [{ ID: string }];
    expect(await openstack.json("server", "show", "from-image")).toMatchObject({
      ...{ status: "ACTIVE", image: "N/A (booted from volume)" },
      volumes_attached: [{ id: disk, delete_on_termination: false }],
    });
    expect(await openstack.json("volume", "show", disk)).toMatchObject({ status: "in-use", size: 2, bootable: true });
    await openstack.ok("server", "delete", "from-image", "--wait");
    await boot("from-volume", "--volume", disk);
    expect(await openstack.json("server", "show", "from-volume")).toMatchObject({ volumes_attached: [{ id: disk }] });
    await openstack.ok("server", "delete", "from-volume", "--wait");
    await openstack.ok("volume", "delete", disk);
    await cloud.idle();
    expect(await openstack.json("volume", "list")).toEqual([]);
  });

  it("keeps objects", async () => {
    const file = join(folder, "object.txt");
    await writeFile(file, "content");
    await openstack.ok("container", "create", "box");
    await openstack.ok("object", "create", "box", file, "--name", "object.txt");
    expect(await names("container", "list")).toEqual(["box"]);
    expect(await names("object", "list", "box")).toEqual(["object.txt"]);
    expect(await openstack.json("container", "show", "box")).toMatchObject({ object_count: "1", bytes_used: "7" });
    const saved = join(folder, "saved.txt");
    await openstack.ok("object", "save", "box", "object.txt", "--file", saved);
    expect(await readFile(saved, "utf8")).toBe("content");
    await openstack.ok("object", "delete", "box", "object.txt");
    await openstack.ok("container", "delete", "box");
  });

  it("shows the administrator projects, users, services and everybody's servers", async () => {
    const admin = connect(cloud.credentials.admin);
    try {
      const list = async (...command: string[]) =>
        (await admin.json(...command)).map((row: { Name: string }) => row.Name);
      expect(await list("project", "list")).toEqual(["admin", "demo"]);
      expect(await list("user", "list")).toEqual(["admin", "demo"]);
      expect(await list("service", "list")).toContain("nova");
      expect(await admin.json("endpoint", "list")).toHaveLength(24);
      expect(await list("server", "list", "--all-projects")).toEqual(["renamed"]);
      expect(await list("server", "list")).toEqual([]);
    } finally {
      await admin.close();
    }
  });

  it("makes an application credential, logs in with it and deletes it", async () => {
    const manage = (...command: string[]) => openstack.json("application", "credential", ...command);
    const made = await manage("create", "ci", "--role", "reader", "--description", "for CI");
    expect(made).toMatchObject({ Name: "ci", Description: "for CI", Unrestricted: false, "Expires At": null });
    expect(await manage("show", "ci")).toMatchObject({ ID: made.ID, Roles: [{ name: "reader" }] });
    expect(await names("application", "credential", "list")).toEqual(["ci"]);

    const withCredential = new OpenstackClient(python, {
      OS_AUTH_URL: cloud.authUrl,
      OS_AUTH_TYPE: "v3applicationcredential",
      OS_APPLICATION_CREDENTIAL_ID: made.ID,
      OS_APPLICATION_CREDENTIAL_SECRET: made.Secret,
    });
    try {
      const { project_id } = await withCredential.json("token", "issue");
      expect(project_id).toBe(made["Project ID"]);
      expect((await withCredential.json("server", "list")).map((row: { Name: string }) => row.Name)).toEqual([
        "renamed",
      ]);
      const refused = await withCredential.run("application", "credential", "create", "child");
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain("is not allowed for managing additional application credentials");
      await openstack.ok("application", "credential", "delete", "ci");
      expect((await withCredential.run("server", "list")).status).toBe(1);
    } finally {
      await withCredential.close();
    }
    expect(await manage("list")).toEqual([]);
  });

  it("restricts an application credential by rules", async () => {
    const rule = { service: "compute", method: "GET", path: "/v2.1/flavors/detail" };
    const fields = [
      "ruled",
      "--secret",
      "given",
      "--expiration",
      "2099-01-01T00:00:00",
      "--access-rules",
      JSON.stringify([rule]),
    ];
    const made = await openstack.json("application", "credential", "create", ...fields);
    expect(made).toMatchObject({ Secret: "given", "Access Rules": [rule] });
    const [listed] = await openstack.json("access", "rule", "list");
    expect(listed).toMatchObject({ Service: rule.service, Method: rule.method, Path: rule.path });
    expect(await openstack.json("access", "rule", "show", listed.ID)).toEqual(listed);
    expect((await openstack.run("access", "rule", "delete", listed.ID)).stderr).toContain("in use");
    await openstack.ok("application", "credential", "delete", "ruled");
    await openstack.ok("access", "rule", "delete", listed.ID);
    expect(await openstack.json("access", "rule", "list")).toEqual([]);
  });

  it("takes everything down; what is in use is refused until then", async () => {
    const refused = await openstack.run("network", "delete", "net");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("There are one or more ports still in use on the network");
    await openstack.ok("server", "delete", "--wait", "renamed");
    const [{ "Floating IP Address": address }] = await openstack.json("floating", "ip", "list");
    await openstack.ok("floating", "ip", "delete", address);
    await openstack.ok("port", "delete", "port");
    await openstack.ok("router", "remove", "subnet", "router", "sub");
    await openstack.ok("router", "delete", "router");
    await openstack.ok("subnet", "delete", "sub");
    await openstack.ok("network", "delete", "net");
    await openstack.ok("security", "group", "delete", "web");
    await openstack.ok("keypair", "delete", "key");
    for (const kind of ["server", "port", "router", "keypair"]) expect(await openstack.json(kind, "list")).toEqual([]);
    expect(await names("network", "list")).toEqual(["public"]);
  });
});
