import type { Session } from "../../../src/openstack/session.ts";
import { ownPrefix } from "../comparison/normalise.ts";
import { resourcesOf, volumeMicroversion } from "./real.ts";
import type { Site } from "./site.ts";

/** A project of a run's own with a user, and what an operator offers it: two flavors and an image, all under the name that the run's own things have. */
export interface Tenant {
  projectId: string;
  userId: string;
  imageId: string;
}

const domain = "default";

/** Makes it; what an earlier run that was killed has left goes first. */
export async function createTenant(site: Site, password: string): Promise<Tenant> {
  if (site.lasts) await removeTenant(site);
  const { admin } = site;
  const { project } = await made<{ project: { id: string } }>(admin, "identity", "/projects", {
    project: { name: ownPrefix, domain_id: domain },
  });
  const { user } = await made<{ user: { id: string } }>(admin, "identity", "/users", {
    user: { name: ownPrefix, domain_id: domain, password },
  });
  for (const { id, name } of await resourcesOf(admin, "identity", "/roles")) {
    if (name !== "member" && name !== "reader") continue;
    await admin.request("identity", "PUT", `/projects/${project.id}/users/${user.id}/roles/${id}`, { expect: [204] });
  }
  for (const [name, ram] of [
    [ownPrefix, 512],
    [`${ownPrefix}-large`, 1024],
  ]) {
    await made(admin, "compute", "/flavors", { flavor: { name, id: name, ram, vcpus: 1, disk: 1 } });
  }
  const image = await made<{ id: string }>(admin, "image", "/images", {
    ...{ name: ownPrefix, disk_format: "raw", container_format: "bare", visibility: "public", min_disk: 1 },
    os_distro: "debian",
  });
  await admin.request("image", "PUT", `/images/${image.id}/file`, {
    body: "a disk".padEnd(1024, "\0"),
    headers: { "content-type": "application/octet-stream" },
    expect: [204],
  });
  return { projectId: project.id, userId: user.id, imageId: image.id };
}

async function made<T>(
  admin: Session,
  service: "identity" | "compute" | "image",
  path: string,
  body: object,
): Promise<T> {
  return (await admin.request<T>(service, "POST", path, { body })).body;
}

/** Takes away the project with everything in it, the user, roles and what was offered; nothing where there is none. */
export async function removeTenant(site: Site): Promise<void> {
  const { admin } = site;
  const named = async (path: string) => (await resourcesOf(admin, "identity", `${path}?name=${ownPrefix}`))[0]?.id;
  const [projectId, userId] = [await named("/projects"), await named("/users")];
  if (projectId) await removeResources(site, projectId);
  const gone = [200, 202, 204, 404];
  const remove = (service: Parameters<typeof resourcesOf>[1], path: string, microversion?: string) =>
    admin.request(service, "DELETE", path, { expect: gone, ...(microversion === undefined ? {} : { microversion }) });
  for (const kind of ["flavors", "os-keypairs"]) {
    const query = kind === "flavors" ? "?is_public=none" : `?user_id=${userId}`;
    if (kind === "os-keypairs" && !userId) continue;
    const { body } = await admin.request<Record<string, Record<string, unknown>[]>>(
      "compute",
      "GET",
      `/${kind}${query}`,
      {
        microversion: "2.10",
      },
    );
    for (const listed of Object.values(body).find(Array.isArray) ?? []) {
      const { name, id } = (listed.keypair ?? listed) as Record<string, string>;
      if (kind === "os-keypairs") await remove("compute", `/os-keypairs/${name}?user_id=${userId}`, "2.10");
      else if (name?.startsWith(ownPrefix)) await remove("compute", `/flavors/${id}`);
    }
  }
  for (const { id, name } of await resourcesOf(admin, "image", "/images?limit=200")) {
    if (name?.startsWith(ownPrefix)) await remove("image", `/images/${id}`);
  }
  for (const kind of ["types", "group_types"]) {
    for (const { id, name } of await resourcesOf(admin, "volumev3", `/${kind}`)) {
      if (name?.startsWith(ownPrefix)) await remove("volumev3", `/${kind}/${id}`, volumeMicroversion);
    }
  }
  for (const kind of ["users", "projects", "roles"]) {
    for (const { id, name } of await resourcesOf(admin, "identity", `/${kind}`)) {
      if (name?.startsWith(ownPrefix)) await remove("identity", `/${kind}/${id}`);
    }
  }
}

/** In the order in which nothing is in use any more. */
async function removeResources(site: Site, projectId: string): Promise<void> {
  const { admin } = site;
  const expect = [200, 202, 204, 404];
  const every = async (service: Parameters<typeof resourcesOf>[1], path: string, query: string) => {
    for (const { id } of await resourcesOf(admin, service, `${path}${query}`)) {
      await admin.request(service, "DELETE", `${path.replace("/detail", "")}/${id}`, { expect });
    }
  };
  await every("compute", "/servers", `?all_tenants=1&project_id=${projectId}`);
  await site.settled(projectId, ["compute", "volume"]);
  const everyOfCinder = async (kind: string, body?: object) => {
    for (const { id } of await resourcesOf(
      admin,
      "volumev3",
      `/${kind}/detail?all_tenants=1&project_id=${projectId}`,
    )) {
      const [method, path] = body === undefined ? (["DELETE", ""] as const) : (["POST", "/action"] as const);
      const options = { microversion: volumeMicroversion, expect, ...(body === undefined ? {} : { body }) };
      await admin.request("volumev3", method, `/${kind}/${id}${path}`, options);
      // the newest comes first, and what it adds to or is made of may go no sooner than it is gone
      await site.settled(projectId, ["compute", "volume"]);
    }
  };
  await everyOfCinder("group_snapshots");
  await everyOfCinder("groups", { delete: { "delete-volumes": true } });
  await everyOfCinder("backups", { "os-force_delete": {} });
  await everyOfCinder("snapshots");
  await everyOfCinder("volumes", { "os-force_delete": {} });
  const owned = `?project_id=${projectId}`;
  if (await admin.offers("load-balancer")) {
    for (const { id } of await resourcesOf(admin, "load-balancer", `/lbaas/loadbalancers${owned}`)) {
      await admin.request("load-balancer", "DELETE", `/lbaas/loadbalancers/${id}?cascade=true`, { expect });
    }
    await site.settled(projectId, ["load-balancer"]);
    // where machines are pretended, nobody gives the addresses back
    await every("network", "/ports", `${owned}&device_owner=Octavia`);
  }
  await every("network", "/floatingips", owned);
  for (const { id: router } of await resourcesOf(admin, "network", `/routers${owned}`)) {
    await admin.request("network", "PUT", `/routers/${router}`, { body: { router: { routes: [] } } });
    for (const { id } of await resourcesOf(admin, "network", `/ports?device_id=${router}&project_id=${projectId}`)) {
      await admin.request("network", "PUT", `/routers/${router}/remove_router_interface`, { body: { port_id: id } });
    }
  }
  for (const kind of ["/trunks", "/routers"]) await every("network", kind, owned).catch(ignoreMissingExtension);
  await every("network", "/ports", `${owned}&device_owner=`);
  for (const kind of ["/networks", "/subnetpools", "/address-groups", "/security-groups"]) {
    await every("network", kind, owned).catch(ignoreMissingExtension);
  }
}

function ignoreMissingExtension(error: unknown): void {
  if ((error as { status?: number }).status !== 404) throw error;
}
