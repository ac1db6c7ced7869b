import { describe, expect, it } from "vitest";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import type { GuestSpec } from "../../src/cloud/hypervisors/hypervisor.ts";
import { TestCloud } from "./support.ts";

/** The spec that the hypervisor is given for a server with these fields on a routed network. */
async function specOf(fields: Record<string, unknown>, subnetFields: Record<string, unknown> = {}): Promise<GuestSpec> {
  let spec: GuestSpec | undefined;
  const hypervisor = new FakeHypervisor({
    failBoot(given) {
      spec = given;
      return undefined;
    },
  });
  const cloud = await TestCloud.start({ hypervisor });
  try {
    const keypair = {
      name: "k",
      public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 t",
    };
    await cloud.post("/compute/v2.1/os-keypairs", { keypair });
    const network = await cloud.make("network", { name: "net" });
    await cloud.make("subnet", { network_id: network.id, ip_version: 4, cidr: "10.30.0.0/24", ...subnetFields });
    await cloud.bootServer({ networks: [{ uuid: network.id }], ...fields });
  } finally {
    await cloud.remove();
  }
  if (spec === undefined) throw new Error("nothing was booted");
  return spec;
}

const json = (spec: GuestSpec, path: string) => JSON.parse(String(spec.configDrive[path]));

describe("the config drive", () => {
  it("names the server, its key and its metadata", async () => {
    const spec = await specOf({ name: "Web Server_1", key_name: "k", metadata: { role: "web" } });
    expect(spec.hostname).toBe("web-server-1");
    expect(json(spec, "openstack/latest/meta_data.json")).toMatchObject({
      uuid: spec.id,
      name: "Web Server_1",
      hostname: "web-server-1.novalocal",
      public_keys: { k: expect.stringMatching(/^ssh-ed25519 /) },
      meta: { role: "web" },
    });
    expect(json(spec, "ec2/latest/meta-data.json")).toMatchObject({ "local-ipv4": "10.30.0.2" });
    expect(json(spec, "openstack/latest/vendor_data.json")).toEqual({});
  });

  it("holds the files that the server is to have", async () => {
    const contents = Buffer.from("hello").toString("base64");
    const spec = await specOf({ personality: [{ path: "/etc/greeting", contents }] });
    expect(json(spec, "openstack/latest/meta_data.json").files).toEqual([
      { path: "/etc/greeting", content_path: "/content/0000" },
    ]);
    expect(Buffer.from(spec.configDrive["openstack/content/0000"] ?? "").toString()).toBe("hello");
  });

  it("gives the guest its static address, route, resolver and MTU by its MAC", async () => {
    const spec = await specOf(
      {},
      { dns_nameservers: ["10.30.0.3"], host_routes: [{ destination: "10.99.0.0/16", nexthop: "10.30.0.9" }] },
    );
    const [nic] = spec.nics;
    const data = json(spec, "openstack/latest/network_data.json");
    expect(data.links).toEqual([
      {
        id: expect.stringMatching(/^tap/),
        vif_id: nic?.portId,
        type: "phy",
        mtu: 1450,
        ethernet_mac_address: nic?.mac,
      },
    ]);
    expect(data.networks).toEqual([
      {
        id: "network0",
        type: "ipv4",
        link: data.links[0].id,
        network_id: nic?.networkId,
        ip_address: "10.30.0.2",
        netmask: "255.255.255.0",
        routes: [
          { network: "0.0.0.0", netmask: "0.0.0.0", gateway: "10.30.0.1" },
          { network: "10.99.0.0", netmask: "255.255.0.0", gateway: "10.30.0.9" },
        ],
        services: [{ type: "dns", address: "10.30.0.3" }],
      },
    ]);
    expect(data.services).toEqual([{ type: "dns", address: "10.30.0.3" }]);
  });

  it("carries user-data to the byte, and none where none was given", async () => {
    const bytes = Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0xff]);
    const spec = await specOf({ user_data: bytes.toString("base64") });
    expect(Buffer.from(spec.configDrive["openstack/latest/user_data"] as Uint8Array)).toEqual(bytes);
    expect((await specOf({})).configDrive).not.toHaveProperty(["openstack/latest/user_data"]);
  });
});
