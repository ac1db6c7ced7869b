import { writeFile } from "node:fs/promises";
import { createServer, type RequestListener, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FakeHypervisor } from "../../../src/cloud/hypervisors/fake.ts";
import type { GuestSpec } from "../../../src/cloud/hypervisors/hypervisor.ts";
import { isKeptVendordata, keptVendordata } from "../../../src/cloud/metadata/vendordata.ts";
import type { Dataplane } from "../../../src/cloud/network/dataplane.ts";
import { TestCloud } from "../support.ts";
import recorded from "./fixtures/nova-26.json" with { type: "json" };

// The reference is Nova 26 behind Neutron's agent: record.py asks it. Guests' addresses are loopback ones, so that real connections come from them.

interface Facts {
  id: string;
  project: string;
  network: string;
  port: string;
  mac: string;
  fixed: string;
  floating?: string;
}

interface Question {
  server: "web" | "bare";
  method: string;
  path: string;
  headers?: Record<string, string | null>;
  /** Base64. */
  body?: string;
  status: number;
  type?: string | null;
  text: string;
}

const keypair = {
  name: "metadata-key",
  public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 t",
};
const base64 = (text: string) => Buffer.from(text).toString("base64");

class AskedDataplane implements Dataplane {
  readonly external = { cidr: "172.24.4.0/24", gatewayIp: "127.0.0.2" };
  listenerFor: (networkId: string) => RequestListener = () => () => undefined;
  async start() {}
  async apply() {}
  async destroy() {}
  serveMetadata(listenerFor: (networkId: string) => RequestListener) {
    this.listenerFor = listenerFor;
    return { end: async () => undefined };
  }
}

const booted = new Map<string, GuestSpec>();
const hypervisor = () =>
  new FakeHypervisor({
    failBoot(spec) {
      booted.set(spec.id, spec);
      return undefined;
    },
  });

let cloud: TestCloud;
const dataplane = new AskedDataplane();
const sockets = new Map<string, Server>();
const facts = {} as Record<"web" | "bare" | "other", Facts>;

beforeAll(async () => {
  cloud = await TestCloud.start({ hypervisor: hypervisor(), dataplane });
  await cloud.post("/compute/v2.1/os-keypairs", { keypair });
  const group = await cloud.make("security_group", { name: "metadata" });
  const { network, router } = await routed("127.30.0.0/24");
  const web = {
    ...{
      name: "Web Server_1",
      key_name: keypair.name,
      user_data: base64("#!/bin/sh\necho hi\n"),
      adminPass: "ChosenByMe1",
    },
    ...{ metadata: { role: "web", zone: "blue" }, personality: [{ path: "/etc/greeting", contents: base64("hello") }] },
    security_groups: [{ name: "default" }, { name: group.name }],
  };
  facts.web = await boot(web, network.id);
  const floating = await cloud.make("floatingip", {
    floating_network_id: await cloud.externalNetworkId(),
    port_id: facts.web.port,
  });
  facts.web.floating = floating.floating_ip_address;
  facts.bare = await boot({ name: "metadata-bare" }, network.id);
  const second = await routed("127.30.0.0/24"); // the same addresses in another network
  facts.other = await boot({ name: "other" }, second.network.id);
  expect(router.id).not.toBe(second.router.id);
});

afterAll(async () => {
  for (const server of sockets.values()) server.close();
  await cloud?.remove();
});

async function routed(cidr: string) {
  const network = await cloud.make("network", { name: "metadata" });
  const subnet = await cloud.make("subnet", {
    ...{ network_id: network.id, ip_version: 4, cidr, enable_dhcp: false, dns_nameservers: ["10.30.0.3"] },
  });
  const router = await cloud.make("router", { external_gateway_info: { network_id: await cloud.externalNetworkId() } });
  await cloud.put(`/network/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
  const server = createServer((asked, response) => dataplane.listenerFor(network.id)(asked, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  sockets.set(network.id, server);
  return { network, router };
}

async function boot(fields: Record<string, unknown>, network: string): Promise<Facts> {
  const { flavors } = (await cloud.get("/compute/v2.1/flavors")).body;
  const flavor = flavors.find(({ name }: { name: string }) => name === "m1.small");
  const server = await cloud.bootServer({ networks: [{ uuid: network }], flavorRef: flavor.id, ...fields });
  const [port] = (await cloud.get(`/network/v2.0/ports?device_id=${server.id}`)).body.ports;
  return {
    ...{ id: server.id, project: cloud.projectId, network, port: port.id, mac: port.mac_address },
    fixed: port.fixed_ips[0].ip_address,
  };
}

/** Asks as the guest at an address of a network. */
async function ask(
  { network, fixed }: Pick<Facts, "network" | "fixed">,
  { method = "GET", path, headers = {}, body }: Partial<Omit<Question, "path">> & { path: string },
): Promise<{ status: number; type: string | undefined; text: string }> {
  const { port } = (sockets.get(network) as Server).address() as AddressInfo;
  const content = body === undefined ? undefined : Buffer.from(body, "base64");
  const sent = { Accept: "*/*", ...headers, ...(method === "POST" ? { "content-length": content?.length ?? 0 } : {}) };
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host: "127.0.0.1", port, localAddress: fixed, method, path, agent: false },
      headers: Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== null)) as Record<string, string>,
    });
    asked.once("error", reject);
    asked.once("response", (answer) => {
      buffer(answer).then(
        (bytes) =>
          resolve({ status: answer.statusCode ?? 0, type: answer.headers["content-type"], text: String(bytes) }),
        reject,
      );
    });
    asked.end(content);
  });
}

const get = (who: "web" | "bare" | "other", path: string) => ask(facts[who], { path });

/** What an answer says, with words for what is another thing in each cloud. */
function said(text: string, of: Facts): unknown {
  let told = text;
  for (const [name, value] of Object.entries(of)) told = told.replaceAll(String(value), `<${name}>`);
  told = told
    .replace(/\bi-[0-9a-f]{8}\b/, "i-<number>")
    .replace(/\bami-[0-9a-f]{8}\b/, "ami-<number>")
    .replace(/\br-[a-z0-9]{8}\b/, "r-<reservation>")
    // the first disk of Nova's own pretended guests is a SCSI one
    .replace(/^(\/dev\/)?[sv]da$/, "<disk>")
    .replace(/"ami": ?"[sv]da", ?"root": ?"\/dev\/[sv]da"/, '"root":"<disk>"')
    .replace(/"random_seed": ?"([^"]*)"/, (_, seed: string) => {
      if (seed !== "<seed>") expect(Buffer.from(seed, "base64")).toHaveLength(512);
      return '"random_seed":"<seed>"';
    });
  try {
    return JSON.parse(told);
  } catch {
    return told;
  }
}

/** Addresses are static here, and DHCP's there. */
const isNetworkData = (path: string) => path.endsWith("/network_data.json");

describe("what guests are told", () => {
  it("is what Nova tells them, path by path, in its order", async () => {
    for (const question of recorded.asked as Question[]) {
      const { server, method, path, status, type, text } = question;
      const here = await ask(facts[server], question);
      const about = `${method} ${path}`;
      expect({ about, status: here.status, type: here.type }).toEqual({ about, status, type: type ?? undefined });
      if (isNetworkData(path) && status === 200) continue;
      expect(said(here.text, facts[server]), about).toEqual(said(text, recorded.servers[server]));
    }
    const server = `/compute/v2.1/servers/${facts.web.id}`;
    const kept = (recorded.asked as Question[]).at(-3)?.text;
    expect((await cloud.get(`${server}/os-server-password`)).body).toEqual({ password: kept });
    expect((await cloud.delete(`${server}/os-server-password`)).status).toBe(204);
    expect((await get("web", "/openstack/latest/password")).text).toBe("");
  });

  it("is on the config drive too, as Nova writes it", () => {
    const drive = booted.get(facts.web.id)?.configDrive ?? {};
    expect(Object.keys(drive).sort()).toEqual(Object.keys(recorded.drive).sort());
    for (const [path, there] of Object.entries(recorded.drive)) {
      if (isNetworkData(path)) continue;
      const here = said(String(Buffer.from(drive[path] ?? "")), facts.web);
      // at the first boot no floating IP leads to a server
      const expected = said(there, recorded.servers.web) as Record<string, unknown>;
      expect(here, path).toEqual(
        path.startsWith("ec2/") && path.endsWith(".json") ? { ...expected, "public-ipv4": "" } : expected,
      );
    }
  });

  it("has everywhere what the listing above says", async () => {
    const seen = new Set<string>();
    const walk = async (who: "web" | "bare", folder: string): Promise<void> => {
      const { status, text } = await get(who, folder);
      expect(status, folder).toBe(200);
      seen.add(folder);
      for (const name of text.split("\n").filter(Boolean)) {
        const [, key] = /^(\d+)=/.exec(name) ?? [];
        const isFolder = name.endsWith("/") || key !== undefined || /^(\/|\/openstack\/)$/.test(folder);
        const path = `${folder}${key ?? name.replace(/\/$/, "")}`;
        if (isFolder) await walk(who, `${path}/`);
        else expect((await get(who, path)).status, path).toBe(200);
      }
    };
    for (const who of ["web", "bare"] as const) for (const root of ["/", "/openstack/"]) await walk(who, root);
    expect(seen.size).toBeGreaterThan(50);
  });

  it("is the guest's own, whomever its headers name", async () => {
    const headers = {
      "x-forwarded-for": facts.bare.fixed,
      "x-instance-id": facts.bare.id,
      "x-tenant-id": facts.bare.project,
    };
    const path = "/openstack/latest/meta_data.json";
    expect(JSON.parse((await ask(facts.web, { path, headers })).text).uuid).toBe(facts.web.id);
    expect(facts.other.fixed).toBe(facts.web.fixed);
    expect(JSON.parse((await get("other", path)).text).uuid).toBe(facts.other.id);
    const nobody = { network: facts.web.network, fixed: "127.30.0.99" };
    expect((await ask(nobody, { path: "/" })).status).toBe(404);
    const router = { network: facts.web.network, fixed: "127.30.0.1" };
    expect((await ask(router, { path })).status).toBe(404);
  });

  it("says by which device a tag goes, and which volumes there are", async () => {
    const { port, id } = facts.other;
    const { volume } = (await cloud.post(`/volume/v3/${cloud.projectId}/volumes`, { volume: { size: 1 } })).body;
    await cloud.cloud.idle();
    const attached = await cloud.post(
      `/compute/v2.1/servers/${id}/os-volume_attachments`,
      { volumeAttachment: { volumeId: volume.id, tag: "data" } },
      { headers: { "x-openstack-nova-api-version": "2.49" } },
    );
    expect(attached.status, attached.text).toBe(200);
    await cloud.cloud.idle();
    expect(port).not.toBe("");
    expect((await get("other", "/latest/meta-data/block-device-mapping/ebs0")).text).toBe("/dev/vdb");
    const { devices } = JSON.parse((await get("other", "/openstack/latest/meta_data.json")).text);
    expect(devices).toEqual([{ type: "disk", serial: volume.id, bus: "none", address: "none", tags: ["data"] }]);
  });

  it("holds for any path and body, and never ends the service", async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "latest",
        "meta-data",
        "openstack",
        "..",
        "",
        "__proto__",
        "%2e%2e",
        "%ff",
        "password",
        "2009-04-04",
      ),
      fc.string({ unit: fc.constantFrom(...'aZ0%/?#&;:@="<>') }),
    );
    const paths = fc.array(piece, { maxLength: 6 }).map((pieces) => `/${pieces.join("/")}`);
    const methods = fc.constantFrom("GET", "PUT", "DELETE", "HEAD");
    await fc.assert(
      fc.asyncProperty(paths, methods, fc.uint8Array({ maxLength: 2000 }), async (path, method, body) => {
        const { status, text } = await ask(facts.bare, { method, path, body: Buffer.from(body).toString("base64") });
        expect([200, 400, 404, 500]).toContain(status);
        expect(text).not.toMatch(/\bat .*\.ts\b/);
      }),
      { numRuns: 300 },
    );
    expect((await get("bare", "/latest/meta-data/hostname")).text).toBe("metadata-bare.novalocal");
  });

  it("is answered before a huge body has come", async () => {
    const body = Buffer.alloc(8 * 2 ** 20).toString("base64");
    const answer = await ask(facts.bare, { method: "POST", path: "/openstack/latest/password", body }).catch(String);
    expect(typeof answer === "string" ? answer : answer.status).toSatisfy(
      (said) => said === 400 || /EPIPE|ECONNRESET/.test(String(said)),
    );
    expect((await get("bare", "/openstack/latest/password")).text).toBe("");
  });

  it("has what the operator tells all guests, kept from start to start", async () => {
    const file = join(cloud.stateDir, "told.json");
    await writeFile(file, ' {"cloud-init": "#cloud-config\\n{}"} ');
    const vendorData = await keptVendordata(cloud.stateDir, file);
    expect(vendorData).toEqual({ "cloud-init": "#cloud-config\n{}" });
    expect(await isKeptVendordata(cloud.stateDir, file)).toBe(true);
    await writeFile(file, "{}");
    expect(await isKeptVendordata(cloud.stateDir, file)).toBe(false);
    expect(await keptVendordata(cloud.stateDir, undefined)).toEqual(vendorData);
    await cloud.restart({ vendorData });
    const told = async (name: string) => JSON.parse((await get("bare", `/openstack/latest/${name}`)).text);
    expect(await told("vendor_data.json")).toEqual(vendorData);
    expect(await told("vendor_data2.json")).toEqual({ static: vendorData });
    for (const content of ["no json", `"${"x".repeat(70_000)}"`]) {
      await writeFile(file, content);
      await expect(keptVendordata(cloud.stateDir, file)).rejects.toMatchObject({ code: "E_CONFIG_INVALID" });
    }
    await expect(keptVendordata(cloud.stateDir, join(file, "absent"))).rejects.toMatchObject({
      code: "E_CONFIG_INVALID",
    });
  });
});
