import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrations } from "../../../src/cloud/store/migrations.ts";
import { stateFiles } from "../../../src/cloud/store/state.ts";
import { TestCloud } from "../support.ts";
import { shown, writeState } from "./laid-out.ts";

// Keeps a state as this version of Slipway writes it, for the versions that come: `node test/cloud/states/make.ts`, once for each
// layout, before the first change of records that its readers could not do without. What is there stays.

const folder = join(import.meta.dirname, `layout-${migrations.length}`);
await mkdir(folder);
const stateDir = await mkdtemp(join(tmpdir(), "slipway-state-"));
const login = (name: string) => ({ username: name, password: "of-a-kept-state", projectName: name });
const credentials = JSON.stringify({ admin: login("admin"), demo: login("demo") });
await writeFile(stateFiles(stateDir).credentials, credentials);
const cloud = await TestCloud.start({ stateDir });
try {
  const { network } = await cloud.routedNetwork();
  await cloud.put(`/network/v2.0/networks/${network.id}/tags`, { tags: ["kept"] });
  const group = await cloud.make("security_group", { name: "web" });
  const rule = {
    security_group_id: group.id,
    direction: "ingress",
    protocol: "tcp",
    port_range_min: 80,
    port_range_max: 80,
  };
  await cloud.make("security_group_rule", rule);
  const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 kept";
  await cloud.post("/compute/v2.1/os-keypairs", { keypair: { name: "key", public_key: publicKey } });
  const server = await cloud.bootServer({
    ...{ name: "web", networks: [{ uuid: network.id }], key_name: "key", metadata: { role: "web" } },
    security_groups: [{ name: "web" }],
  });
  const [port] = (await cloud.get(`/network/v2.0/ports?device_id=${server.id}`)).body.ports;
  await cloud.make("floatingip", { floating_network_id: await cloud.externalNetworkId(), port_id: port.id });
  const stopped = await cloud.bootServer({ name: "stopped", networks: [] });
  await cloud.post(`/compute/v2.1/servers/${stopped.id}/action`, { "os-stop": null });
  const volumes = `/volume/v3/${cloud.projectId}/volumes`;
  const { volume } = (await cloud.post(volumes, { volume: { name: "data", size: 1 } })).body;
  await cloud.post(volumes, { volume: { name: "spare", size: 2 } });
  await cloud.cloud.idle();
  const volumeAttachment = { volumeId: volume.id };
  await cloud.post(`/compute/v2.1/servers/${server.id}/os-volume_attachments`, { volumeAttachment });
  const image = (await cloud.post("/image/v2/images", { name: "own", disk_format: "raw", container_format: "bare" }))
    .body;
  const headers = { "content-type": "application/octet-stream" };
  await cloud.put(`/image/v2/images/${image.id}/file`, "an image's content", { headers });
  const papers = `/object-store/v1/AUTH_${cloud.projectId}/papers`;
  await cloud.put(papers);
  await cloud.put(`${papers}/one.txt`, "one", {
    headers: { "content-type": "text/plain", "x-object-meta-kept": "yes" },
  });
  await cloud.put(`${papers}/two.txt`, "two", { headers: { "content-type": "text/plain" } });
  await cloud.cloud.idle();
  const answers = await shown(cloud);
  await cloud.cloud.close();
  await writeState(stateDir, folder);
  await writeFile(join(folder, "shown.json"), `${JSON.stringify(answers, null, 1)}\n`);
} finally {
  await cloud.cloud.close();
  await rm(stateDir, { recursive: true, force: true });
}
