import { randomBytes } from "node:crypto";
import { hostnameOf, type Instance } from "./instance.ts";
import { networkData } from "./network-data.ts";
import { isSince, type OpenstackVersion } from "./versions.ts";

/** A file of an instance. */
export interface MetadataFile {
  content: string | Uint8Array;
  type: "text/plain" | "application/json";
}

/** What only the config drive has: Nova keeps neither to tell it later. */
export interface DriveOnly {
  files?: { path: string; content_path: string }[];
  adminPass?: string | undefined;
}

/** The names that a version's listing shows, in Nova's order. */
export function openstackListing({ server }: Instance, version: OpenstackVersion): string[] {
  const since = (first: OpenstackVersion, name: string) => (isSince(version, first) ? [name] : []);
  return [
    "meta_data.json",
    ...(server.userData === null ? [] : ["user_data"]),
    ...since("2013-04-04", "password"),
    ...since("2013-10-17", "vendor_data.json"),
    ...since("2015-10-15", "network_data.json"),
    ...since("2016-10-06", "vendor_data2.json"),
  ];
}

/** A file below a version's folder by its name, or undefined. Network data is there in versions that do not list it, too. */
export function openstackFile(instance: Instance, version: OpenstackVersion, name: string): MetadataFile | undefined {
  const { server, tables, ports, vendorData } = instance;
  switch (name) {
    case "meta_data.json":
      return json(metaData(instance, version));
    case "user_data":
      if (server.userData === null) return undefined;
      return { content: new Uint8Array(Buffer.from(server.userData, "base64")), type: "text/plain" };
    case "network_data.json":
      return { ...json(networkData(tables, ports)), type: "text/plain" }; // Nova does not say that it is JSON
    case "vendor_data.json":
      return isSince(version, "2013-10-17") ? json(vendorData) : undefined;
    case "vendor_data2.json":
      return isSince(version, "2016-10-06") ? json({ static: vendorData }) : undefined;
    default:
      return undefined;
  }
}

const json = (value: unknown): MetadataFile => ({ content: JSON.stringify(value), type: "application/json" });

/** `meta_data.json`; the seed is another one each time that it is asked for. */
export function metaData(instance: Instance, version: OpenstackVersion, drive: DriveOnly = {}): object {
  const { server } = instance;
  const { files = [], adminPass } = drive;
  const since = (first: OpenstackVersion, fields: () => object) => (isSince(version, first) ? fields() : {});
  return {
    uuid: server.id,
    ...(Object.keys(server.metadata).length === 0 ? {} : { meta: server.metadata }),
    ...(files.length === 0 ? {} : { files }),
    ...(adminPass === undefined ? {} : { admin_pass: adminPass }),
    ...(server.keyName === null ? {} : keyFields(server.keyName, server.publicKey ?? "")),
    hostname: hostnameOf(instance),
    name: server.name,
    launch_index: server.launchIndex ?? 0,
    availability_zone: server.availabilityZone,
    ...since("2013-04-04", () => ({ random_seed: randomBytes(512).toString("base64") })),
    ...since("2015-10-15", () => ({ project_id: server.projectId })),
    ...since("2016-06-30", () => ({ devices: taggedDevices(instance, version) })),
    ...since("2020-10-14", () => ({ dedicated_cpus: [] })),
  };
}

const keyFields = (name: string, key: string) => ({
  public_keys: { [name]: key },
  keys: [{ name, type: "ssh", data: key }],
});

/** Devices that have a tag, volumes first. Guests see them by no bus that their host knows of. */
function taggedDevices({ server, ports, volumes }: Instance, version: OpenstackVersion): object[] {
  const bus = { bus: "none", address: "none" };
  const disks = volumes.flatMap(({ volumeId, tag }) =>
    tag === null ? [] : [{ type: "disk", serial: volumeId, ...bus, tags: [tag] }],
  );
  const nics = server.nics.flatMap(({ portId, tag }) => {
    const port = ports.find(({ id }) => id === portId);
    if (tag === undefined || port === undefined) return [];
    const trust = isSince(version, "2018-08-27") ? { vf_trusted: false } : {};
    return [{ ...trust, type: "nic", mac: port.mac, ...bus, tags: [tag] }];
  });
  return [...disks, ...nics];
}
