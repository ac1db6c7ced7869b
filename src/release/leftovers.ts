import { listServers } from "../openstack/compute/servers.ts";
import type { Session } from "../openstack/session.ts";

/** Neutron's collections whose members carry tags. */
const tagged = ["floatingips", "ports", "routers", "subnets", "networks", "security-groups"] as const;

/**
 * Everything of a stack that its project still holds, found by tag and metadata and not by what the state remembers: also what a
 * killed run made and never wrote down. One line each: kind, name, id.
 * @param marks what the stack's resources carry: their tag, and the name of the key pair, which has no tags
 */
export async function findStackLeftovers(session: Session, marks: { tag: string; keypair: string }): Promise<string[]> {
  const { tag, keypair } = marks;
  const [servers, keypairs, ...lists] = await Promise.all([
    listServers(session, { metadata: { slipway: tag } }),
    listKeypairs(session),
    ...tagged.map((kind) => listTagged(session, kind, tag)),
  ]);
  return [
    ...servers.map(({ name, id }) => `server ${name} ${id}`),
    ...keypairs.filter((name) => name === keypair).map((name) => `keypair ${name}`),
    ...lists.flat(),
  ];
}

async function listTagged(session: Session, kind: (typeof tagged)[number], tag: string): Promise<string[]> {
  const key = kind.replaceAll("-", "_");
  const { body } = await session.request<Record<string, { id: string; name?: string; floating_ip_address?: string }[]>>(
    "network",
    "GET",
    `/${kind}`,
    { query: { tags: tag } },
  );
  return (body[key] ?? []).map(({ id, name, floating_ip_address }) => `${kind} ${floating_ip_address ?? name} ${id}`);
}

async function listKeypairs(session: Session): Promise<string[]> {
  const { body } = await session.request<{ keypairs: { keypair: { name: string } }[] }>(
    "compute",
    "GET",
    "/os-keypairs",
  );
  return body.keypairs.map(({ keypair }) => keypair.name);
}
