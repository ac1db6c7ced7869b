import { createHash } from "node:crypto";

/**
 * What is made on the machine carries the instance's tag in its name, so that two clouds live side by side and a teardown can prove
 * that nothing of its own is left. Link names hold at most 15 bytes (IFNAMSIZ), hence the short forms.
 */
const prefix = "sw";

const hash8 = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 8);

/** The instance's part of every name: the id itself where it is 4 to 8 of `a-z0-9`, else 8 digits of its hash. */
export function instanceTag(instance: string): string {
  return /^[a-z0-9]{4,8}$/.test(instance) ? instance : hash8(instance);
}

/** Eight characters for an OpenStack id: the first group of a UUID, else 8 digits of the id's hash. */
export function shortId(id: string): string {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-/.test(id) ? id.slice(0, 8) : hash8(id);
}

/** What every name of an instance on the machine (namespace, link, mount source, process) begins with. */
export function namePrefix(instance: string): string {
  return `${prefix}-${instanceTag(instance)}-`;
}

/** The tag in a name that {@link namePrefix} began, or undefined for other people's names. */
export function tagIn(name: string): string | undefined {
  return /^sw-([a-z0-9]{4,8})-/.exec(name)?.[1];
}

/** The link on the machine that leads into the external network; it carries the gateway address. */
export const hostLink = (instance: string) => `${namePrefix(instance)}x`;

/** Namespace of the external network's bridge. */
export const externalNamespace = (instance: string) => `${namePrefix(instance)}ext`;

export const routerNamespace = (instance: string, id: string) => `${namePrefix(instance)}r-${shortId(id)}`;
export const networkNamespace = (instance: string, id: string) => `${namePrefix(instance)}n-${shortId(id)}`;

/** What {@link guestName} calls that which serves a network, or undefined for a namespace that is none's. */
export function nameInNetwork(namespace: string): string | undefined {
  const [, prefix, id] = /^(sw-[a-z0-9]{4,8}-)n-([0-9a-f]{8})$/.exec(namespace) ?? [];
  return prefix === undefined || id === undefined ? undefined : `${prefix}${id}`;
}

/** Namespace that a guest is booted in. */
export const guestNamespace = (instance: string, serverId: string) => `${namePrefix(instance)}g-${shortId(serverId)}`;

/** nspawn's machine name, the source of the guest's overlay mount, and on systemd hosts its scope. */
export const guestName = (instance: string, serverId: string) => `${namePrefix(instance)}${shortId(serverId)}`;

/** Cgroup (in each hierarchy) that holds one group per guest. */
export const instanceCgroup = (instance: string) => `slipway-${instanceTag(instance)}`;

/** The tag of a cgroup that {@link instanceCgroup} named. */
export function tagInCgroup(name: string): string | undefined {
  return /^slipway-([a-z0-9]{4,8})$/.exec(name)?.[1];
}

/**
 * Whether a thing on the machine has a name that this file gives to a cloud's, to the last letter: instances have six hexadecimal digits. A
 * name that merely begins like ours may be anybody's.
 * @param name as leftovers are told: of a control group the path
 */
export function isOwnName(kind: string, name: string): boolean {
  switch (kind) {
    case "namespace":
      return /^sw-[0-9a-f]{6}-(ext|[rng]-[0-9a-f]{8})$/.test(name);
    case "link":
      return /^sw-[0-9a-f]{6}-x$/.test(name);
    case "cgroup":
      return /\/slipway-[0-9a-f]{6}(\.slice)?$/.test(name);
    default:
      return false;
  }
}

/** Where guests ask for their metadata, in every network. */
export const metadataAddress = "169.254.169.254";
export const metadataPort = 80;

/** Links inside the instance's namespaces. */
export const links = {
  /** Bridge of the external network, in its namespace. */
  externalBridge: "br-ext",
  /** The other end of {@link hostLink}. */
  externalHost: "host",
  /** The router's leg in the external network, in the router's namespace; its other end is a port of the bridge. */
  externalLeg: "qg",
  externalPort: (routerId: string) => `x-${shortId(routerId)}`,
  /** A router's leg in a network, in the router's namespace. */
  routerLeg: (networkId: string) => `qr-${shortId(networkId)}`,
  /** Its other end, in the network's namespace. */
  networkLeg: (routerId: string) => `q-${shortId(routerId)}`,
  /** The network's end of a guest's NIC. */
  tap: (portId: string) => `t-${shortId(portId)}`,
  /** The guest's end; numbered as Debian names the first NICs of an OpenStack guest. */
  nic: (index: number) => `ens${3 + index}`,
};
