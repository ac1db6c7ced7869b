import { versionOf } from "../network/ip.ts";
import type { Port } from "../network/records.ts";
import { hostnameOf, type Instance } from "./instance.ts";
import { type Ec2Version, isSince } from "./versions.ts";

/** A folder of EC2's metadata; `_name` is what the folder above lists it as. */
export interface Folder {
  [name: string]: Leaf | Folder;
}
export type Leaf = string | number | string[] | Uint8Array;

/** What lies below a version of EC2's paths, as Nova has it: `meta-data`, and `user-data` where there is some. */
export function ec2Folder(instance: Instance, version: Ec2Version): Folder {
  const { userData } = instance.server;
  return {
    "meta-data": ec2MetaData(instance, version),
    ...(userData === null ? {} : { "user-data": new Uint8Array(Buffer.from(userData, "base64")) }),
  };
}

function ec2MetaData(instance: Instance, version: Ec2Version): Folder {
  const { server, tables, ports, imageNumber } = instance;
  const hostname = hostnameOf(instance);
  const since = (first: Ec2Version, folder: Folder): Folder => (isSince(version, first) ? folder : {});
  return {
    "ami-id": `ami-${hex8(imageNumber)}`,
    "ami-launch-index": server.launchIndex ?? 0,
    "ami-manifest-path": "FIXME", // Nova's own word
    // a server from before they were numbered
    "instance-id": `i-${server.number === undefined ? server.id.slice(0, 8) : hex8(server.number)}`,
    hostname,
    "local-ipv4": fixedIpv4(ports)[0] ?? "",
    "reservation-id": server.reservationId ?? `r-${server.id.slice(0, 8)}`,
    "security-groups": groupNames(instance),
    ...(server.keyName === null
      ? {}
      : { "public-keys": { "0": { _name: `0=${server.keyName}`, "openssh-key": server.publicKey ?? "" } } }),
    ...since("2007-01-19", {
      "local-hostname": hostname,
      "public-hostname": hostname,
      "public-ipv4": floatingAddress(tables, ports),
    }),
    ...since("2007-08-29", { "instance-type": server.flavor.name }),
    ...since("2007-12-15", { "block-device-mapping": blockDeviceMapping(instance) }),
    ...since("2008-02-01", { placement: { "availability-zone": server.availabilityZone } }),
    ...since("2008-09-01", { "instance-action": "none" }),
  };
}

const hex8 = (number: number) => number.toString(16).padStart(8, "0");

const fixedIpv4 = (ports: Port[]) =>
  ports.flatMap(({ fixedIps }) => fixedIps.map(({ ipAddress }) => ipAddress)).filter((ip) => versionOf(ip) === 4);

function floatingAddress({ floatingIps }: Instance["tables"], ports: Port[]): string {
  const first = ports.flatMap(({ id }) => floatingIps.find(({ portId }) => portId === id) ?? [])[0];
  return first?.address ?? "";
}

function groupNames({ tables, ports }: Instance): string[] {
  const ids = ports.flatMap(({ securityGroupIds }) => securityGroupIds);
  return [...new Set(ids)].flatMap((id) => tables.securityGroups.get(id)?.name ?? []);
}

/** Without a flavor's swap and second disk, which no guest here has: cloud-init would mount a volume in their place. */
function blockDeviceMapping({ volumes }: Instance): Folder {
  const devices = volumes.map(({ device }) => device).sort();
  return {
    ami: "vda",
    root: "/dev/vda",
    ...Object.fromEntries(devices.map((device, index) => [`ebs${index}`, device])),
  };
}
