import { listKeypairNames } from "../openstack/compute/keypairs.ts";
import { listServers } from "../openstack/compute/servers.ts";
import { listMembers, type TaggedCollection, taggedCollections } from "../openstack/network/collections.ts";
import type { Session } from "../openstack/session.ts";

/**
 * Everything of a stack that its project still holds, found by tag and metadata and not by what the state remembers: also what a
 * killed run made and never wrote down. One line each: kind, name, id.
 * @param marks what the stack's resources carry: their tag, and the name of the key pair, which has no tags
 */
export async function findStackLeftovers(session: Session, marks: { tag: string; keypair: string }): Promise<string[]> {
  const { tag, keypair } = marks;
  const [servers, keypairs, ...lists] = await Promise.all([
    listServers(session, { metadata: { slipway: tag } }),
    listKeypairNames(session),
    ...taggedCollections.map((kind) => listTagged(session, kind, tag)),
  ]);
  return [
    ...servers.map(({ name, id }) => `server ${name} ${id}`),
    ...keypairs.filter((name) => name === keypair).map((name) => `keypair ${name}`),
    ...lists.flat(),
  ];
}

async function listTagged(session: Session, kind: TaggedCollection, tag: string): Promise<string[]> {
  const found = await listMembers<{ id: string; name?: string; floating_ip_address?: string }>(session, kind, {
    tags: tag,
    project_id: await session.projectId(), // an administrator sees everybody's
  });
  return found.map(({ id, name, floating_ip_address }) => `${kind} ${floating_ip_address ?? name} ${id}`);
}
