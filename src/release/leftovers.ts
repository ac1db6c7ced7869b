import { listKeypairNames } from "../openstack/compute/keypairs.ts";
import { listServers, type Server } from "../openstack/compute/servers.ts";
import { listImages } from "../openstack/image/images.ts";
import { listMembers, type TaggedCollection } from "../openstack/network/collections.ts";
import type { Session } from "../openstack/session.ts";
import { listVolumes } from "../openstack/volume/volumes.ts";

/** What marks a stack's things: their tag, and the name of the key pair, which has no tags. */
export interface StackMarks {
  tag: string;
  keypair: string;
}

/** Kinds of things that a stack leaves, in the order in which they can go: what needs another comes before it. */
export const leftoverKinds = [
  "floating IP",
  "server",
  "volume",
  "port",
  "router",
  "subnet",
  "network",
  "security group",
  "key pair",
  "image",
] as const;

export type LeftoverKind = (typeof leftoverKinds)[number];

/** A thing of the project that carries a stack's marks. */
export interface Leftover {
  kind: LeftoverKind;
  id: string;
  /** For people: an address, or what it is called. */
  name: string;
}

/** One line: kind, name, id. */
export function leftoverText({ kind, name, id }: Leftover): string {
  return [kind, name, ...(id === name ? [] : [id])].filter(Boolean).join(" ");
}

interface NeutronMember {
  id: string;
  name?: string;
  description?: string;
  tags?: string[];
}

const collections = {
  "floating IP": "floatingips",
  port: "ports",
  router: "routers",
  subnet: "subnets",
  network: "networks",
  "security group": "security-groups",
} as const satisfies Partial<Record<LeftoverKind, TaggedCollection>>;

/**
 * Everything of a stack that its project still holds, found by its marks and not by what the state remembers: also what a killed run
 * made and never wrote down, and what it made and had not tagged yet, which has the tag in its description. A port that Nova
 * left in a network of the stack when it gave up on a server belongs to it too.
 * @returns sorted by kind, in the order in which they can be deleted
 */
export async function findStackLeftovers(session: Session, { tag, keypair }: StackMarks): Promise<Leftover[]> {
  const [servers, keypairs, volumes, images, floating, ports, routers, subnets, networks, groups] = await Promise.all([
    listServers(session),
    listKeypairNames(session),
    session.offers("volumev3").then((offered) => (offered ? listVolumes(session) : [])),
    session.projectId().then((owner) => listImages(session, { tag, owner })),
    listOwn<{ floating_ip_address: string }>(session, "floatingips"),
    listOwn<{ network_id: string; device_id: string; device_owner: string }>(session, "ports"),
    ...(["routers", "subnets", "networks", "security-groups"] as const).map((kind) => listOwn(session, kind)),
  ]);
  const marked = (one: NeutronMember) => isMarked(one, tag);
  const ofStack = (networks ?? []).filter(marked);
  const isOrphan = isOrphanOf(servers, new Set(ofStack.map(({ id }) => id)));
  return [
    ...floating
      .filter(marked)
      .map((one) => ({ kind: "floating IP" as const, id: one.id, name: one.floating_ip_address })),
    ...servers.filter(({ metadata }) => metadata.slipway === tag).map(named("server")),
    ...volumes.filter(({ metadata }) => metadata.slipway === tag).map(named("volume")),
    ...ports.filter((port) => marked(port) || isOrphan(port)).map(named("port")),
    ...(routers ?? []).filter(marked).map(named("router")),
    ...(subnets ?? []).filter(marked).map(named("subnet")),
    ...ofStack.map(named("network")),
    ...(groups ?? []).filter(marked).map(named("security group")),
    ...keypairs.filter((name) => name === keypair).map((name) => ({ kind: "key pair" as const, id: name, name })),
    ...images.map(named("image")),
  ];
}

/** The path of Neutron's collection that a kind is in; undefined for kinds of other services. */
export function collectionOf(kind: LeftoverKind): TaggedCollection | undefined {
  return (collections as Partial<Record<LeftoverKind, TaggedCollection>>)[kind];
}

/** All of the project's, an administrator sees everybody's. */
async function listOwn<T = object>(session: Session, kind: TaggedCollection): Promise<(NeutronMember & T)[]> {
  return listMembers<NeutronMember & T>(session, kind, { project_id: await session.projectId() });
}

/** Neutron takes tags in a call of their own; until then the description alone tells whose something is. */
function isMarked({ tags = [], description = "" }: NeutronMember, tag: string): boolean {
  return tags.includes(tag) || description === tag || description.startsWith(`${tag} `);
}

/** A port of a server that is gone, in one of the networks. */
function isOrphanOf(servers: Server[], networks: ReadonlySet<string>) {
  const alive = new Set(servers.map(({ id }) => id));
  return (port: { network_id: string; device_id: string; device_owner: string }) =>
    networks.has(port.network_id) && port.device_owner.startsWith("compute:") && !alive.has(port.device_id);
}

function named<K extends LeftoverKind>(kind: K) {
  return ({ id, name }: { id: string; name?: string | null }): Leftover => ({ kind, id, name: name ?? "" });
}
