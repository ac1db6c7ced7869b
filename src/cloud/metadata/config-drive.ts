import type { Server } from "../compute/records.ts";
import type { NetworkTables, Port } from "../network/records.ts";
import { networkData } from "./network-data.ts";

/** What DHCP of a Nova without DNS integration appends to host names. */
const domain = "novalocal";

/**
 * The config drive of a server, by path: what cloud-init reads as its `ConfigDrive` data source, in the layout that Nova writes
 * (`openstack/latest`, and `ec2/latest`, which the data source expects to exist). A pure function of the server and its ports.
 */
export function configDrive(server: Server, tables: NetworkTables, ports: Port[]): Record<string, string | Uint8Array> {
  const hostname = `${server.hostname}.${domain}`;
  const keys = server.keyName === null ? {} : { [server.keyName]: server.publicKey ?? "" };
  const files = (server.personality ?? []).map(({ path, contents }, index) => {
    const contentPath = `/content/${String(index).padStart(4, "0")}`;
    return { listed: { path, content_path: contentPath }, file: `openstack${contentPath}`, contents };
  });
  const metaData = {
    uuid: server.id,
    name: server.name,
    hostname,
    launch_index: 0,
    availability_zone: server.availabilityZone,
    project_id: server.projectId,
    devices: [],
    ...(server.keyName === null
      ? {}
      : { public_keys: keys, keys: [{ name: server.keyName, type: "ssh", data: server.publicKey }] }),
    ...(files.length === 0 ? {} : { files: files.map(({ listed }) => listed) }),
    ...(Object.keys(server.metadata).length === 0 ? {} : { meta: server.metadata }),
  };
  const ec2 = {
    "instance-id": `i-${server.id.slice(0, 8)}`,
    hostname,
    "local-hostname": hostname,
    "local-ipv4": ports[0]?.fixedIps[0]?.ipAddress ?? "",
    "ami-launch-index": 0,
    placement: { "availability-zone": server.availabilityZone },
  };
  return {
    "openstack/latest/meta_data.json": JSON.stringify(metaData),
    "openstack/latest/network_data.json": JSON.stringify(networkData(tables, ports)),
    "openstack/latest/vendor_data.json": "{}",
    ...(server.userData === null
      ? {}
      : { "openstack/latest/user_data": new Uint8Array(Buffer.from(server.userData, "base64")) }),
    ...Object.fromEntries(files.map(({ file, contents }) => [file, new Uint8Array(Buffer.from(contents, "base64"))])),
    "ec2/latest/meta-data.json": JSON.stringify(ec2),
  };
}
