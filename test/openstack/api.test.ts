import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { consoleOutput, ensureServerRuns, findServer, listServers } from "../../src/openstack/compute/servers.ts";
import { ensureAssociated } from "../../src/openstack/network/association.ts";
import {
  createFloatingIp,
  deleteFloatingIp,
  findFloatingIp,
  listFloatingIps,
  pointFloatingIp,
} from "../../src/openstack/network/floating-ips.ts";
import { findPort, updatePort } from "../../src/openstack/network/ports.ts";
import {
  createSecurityGroup,
  createSecurityGroupRule,
  deleteSecurityGroup,
  listSecurityGroups,
  type WantedRule,
} from "../../src/openstack/network/security-groups.ts";
import {
  containerUrl,
  deleteContainer,
  ensureContainer,
  findContainer,
  publicReadAcl,
} from "../../src/openstack/object/containers.ts";
import {
  deleteObject,
  getObject,
  headObject,
  listObjects,
  putObject,
  putObjectFile,
} from "../../src/openstack/object/objects.ts";
import { make, providerOf, resource, startTestCloud, type TestCloud } from "../provider/test-cloud.ts";

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud({ guests: { console: () => "one\ntwo\nthree\n" } });
});
afterAll(() => cloud.stop());

describe("object store", () => {
  test("puts, lists, reads, opens to the world and deletes", async () => {
    const { session } = cloud;
    const file = join(cloud.folder, "layer");
    await writeFile(file, "layer content");
    await ensureContainer(session, "payload", publicReadAcl);
    await putObject(session, "payload", "a/manifest", "{}", "application/json");
    await putObjectFile(session, "payload", "a/layer one", file);
    expect(await findContainer(session, "payload")).toMatchObject({ readAcl: ".r:*", objects: 2 });
    expect((await listObjects(session, "payload", "a/")).map(({ name, size }) => ({ name, size }))).toEqual([
      { name: "a/layer one", size: 13 },
      { name: "a/manifest", size: 2 },
    ]);
    expect((await getObject(session, "payload", "a/layer one"))?.toString()).toBe("layer content");
    expect(await headObject(session, "payload", "a/manifest")).toMatchObject({
      size: 2,
      contentType: "application/json",
    });
    const anonymous = await fetch(`${await containerUrl(session, "payload")}/a/manifest`);
    expect(await anonymous.text()).toBe("{}");
    for (const name of ["a/manifest", "a/layer one", "a/layer one"]) await deleteObject(session, "payload", name);
    expect(await getObject(session, "payload", "a/manifest")).toBeUndefined();
    expect(await headObject(session, "payload", "a/manifest")).toBeUndefined();
    await deleteContainer(session, "payload");
    await deleteContainer(session, "payload");
    expect(await findContainer(session, "payload")).toBeUndefined();
  });
});

describe("servers and floating IPs", () => {
  test("a floating IP is pointed at a server's port, once, and taken off again", async () => {
    const { session } = cloud;
    const provider = await providerOf(cloud);
    const external =
      (await provider.invoke("openstack:networking/getNetwork:getNetwork", { name: "public" })).result.id ?? null;
    const network = await make(provider, resource("networking/network:Network", "n"), {});
    const subnet = await make(provider, resource("networking/subnet:Subnet", "s"), {
      networkId: network.id,
      cidr: "10.9.0.0/24",
    });
    const router = await make(provider, resource("networking/router:Router", "r"), { externalNetworkId: external });
    await make(provider, resource("networking/routerInterface:RouterInterface", "i"), {
      routerId: router.id,
      subnetId: subnet.id,
    });
    const port = await make(provider, resource("networking/port:Port", "p"), {
      networkId: network.id,
      fixedIps: [{ subnetId: subnet.id }],
    });
    const server = await make(provider, resource("compute/instance:Instance", "web"), {
      imageName: "debian-13",
      flavorName: "m1.small",
      networks: [{ port: port.id }],
      metadata: { slipway: "x" },
    });
    const address = await createFloatingIp(session, {
      networkId: String(external),
      description: "maintenance",
      tags: ["t"],
    });

    const pointed = await ensureAssociated(session, address.id, port.id);
    expect(pointed).toMatchObject({ status: "ACTIVE", port_id: port.id });
    expect(await ensureAssociated(session, address.id, port.id)).toEqual(pointed);
    expect((await listFloatingIps(session, { tags: "t" })).map(({ id }) => id)).toEqual([address.id]);
    expect((await listServers(session, { metadata: { slipway: "x" } })).map(({ id }) => id)).toEqual([server.id]);
    expect(await listServers(session, { name: "we" })).toEqual([]);
    expect(await consoleOutput(session, server.id, 3)).toBe("two\nthree\n");

    expect(await ensureServerRuns(session, server.id)).toBe(false);
    await session.request("compute", "POST", `/servers/${server.id}/action`, { body: { "os-stop": null } });
    await expect.poll(async () => (await findServer(session, server.id))?.status).toBe("SHUTOFF");
    expect(await ensureServerRuns(session, server.id)).toBe(true);
    expect((await findServer(session, server.id))?.status).toBe("ACTIVE");
    await expect(ensureServerRuns(session, port.id)).rejects.toMatchObject({
      code: "E_UPDATE_FAILED",
      message: `server ${port.id} is gone`,
    });

    await pointFloatingIp(session, address.id, null);
    await pointFloatingIp(session, address.id, null);
    expect((await findFloatingIp(session, address.id))?.port_id).toBeNull();
    await deleteFloatingIp(session, address.id);
    await deleteFloatingIp(session, address.id);
    await expect(ensureAssociated(session, address.id, port.id)).rejects.toMatchObject({
      code: "E_FLOATING_IP",
      message: `floating IP ${address.id} is gone`,
    });
    await expect(ensureAssociated(session, address.id, server.id, { invisibleMs: 0 })).rejects.toThrow(
      `port ${server.id} is gone`,
    );
    expect(await findServer(session, port.id)).toBeUndefined();
    await provider.close();
  });
});

describe("security groups", () => {
  test("a group with a rule is put on a port beside its others, taken off and deleted", async () => {
    const { session } = cloud;
    const provider = await providerOf(cloud);
    const network = await make(provider, resource("networking/network:Network", "n2"), {});
    const { id: portId } = await make(provider, resource("networking/port:Port", "p2"), { networkId: network.id });
    const before = (await findPort(session, portId))?.security_groups ?? [];

    const group = await createSecurityGroup(session, { name: "maintenance", description: "ssh", tags: ["t2"] });
    const rule: WantedRule = {
      direction: "ingress",
      ethertype: "IPv4",
      protocol: "tcp",
      port_range_min: 22,
      port_range_max: 22,
      remote_ip_prefix: "192.0.2.0/24",
    };
    const made = await createSecurityGroupRule(session, group.id, rule);
    expect(made).toMatchObject({ ...rule, security_group_id: group.id });
    await expect(createSecurityGroupRule(session, group.id, rule)).rejects.toMatchObject({ status: 409 });
    const [listed, ...more] = await listSecurityGroups(session, { tags: "t2" });
    expect(more).toEqual([]);
    expect(listed).toMatchObject({ id: group.id, name: "maintenance", tags: ["t2"] });
    expect(listed?.security_group_rules.map(({ id }) => id)).toContain(made.id);

    const changed = await updatePort(session, portId, { security_groups: [...before, group.id] });
    expect(changed.security_groups.toSorted()).toEqual([...before, group.id].toSorted());
    await expect(deleteSecurityGroup(session, group.id)).rejects.toMatchObject({ status: 409 });
    await updatePort(session, portId, { security_groups: before });
    expect((await findPort(session, portId))?.security_groups).toEqual(before);
    await deleteSecurityGroup(session, group.id);
    await deleteSecurityGroup(session, group.id);
    expect(await listSecurityGroups(session, { tags: "t2" })).toEqual([]);
    await provider.close();
  });
});
