import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../../src/common/wait.ts";
import { findCredentials } from "../../../src/openstack/clouds.ts";
import { openSession, type Session } from "../../../src/openstack/session.ts";
import type { Upstream } from "../../support/cloud-proxy.ts";
import type { Site } from "./site.ts";

/** The paths of the embedded cloud, by catalogue type. */
const prefixes: Record<string, string> = {
  identity: "/identity",
  compute: "/compute",
  network: "/network",
  image: "/image",
  volumev3: "/volume",
  "object-store": "/object-store",
  placement: "/placement",
  "load-balancer": "/load-balancer",
};

/** States that go by. */
const passing =
  /^(?!error)(build|pending_\w+|reserved|rebuild|reboot|hard_reboot|resize|migrating|password|.*ing|backing-up|restoring-backup)$/i;

/** How long nothing may have changed before a cloud is taken to be at rest: its network agents look every two seconds. */
const restMs = 1000;

/**
 * The cloud of an entry of the user's clouds.yaml, whose administrator is that of the entry `NAME-admin`.
 * @throws SlipwayError E_CREDENTIALS_MISSING where there is no such entry
 */
export async function realSite(name: string): Promise<Site> {
  const { project, ...credentials } = await findCredentials({ cloud: `${name}-admin` });
  const { identity } = credentials;
  if (identity.method !== "password" || identity.user.name === undefined) {
    throw new Error(
      `${name}-admin has to log in by a user's name and password: the clients' own entry is made of them`,
    );
  }
  const username = identity.user.name;
  // the administrator's own project, as with the embedded cloud
  const admin = openSession({ ...credentials, project: { ...project, name: username } });
  return {
    upstreams: await upstreamsOf(admin),
    admin,
    adminLogin: { username, password: identity.password },
    lasts: true,
    settled: (projectId, changed) => settled(admin, projectId, changed),
    close: async () => admin.close(),
  };
}

/** The services' addresses without their versions; the longest first, for one may begin as another does. */
async function upstreamsOf(admin: Session): Promise<Upstream[]> {
  const { catalog = [] } = await admin.tokenBody();
  const found = catalog.flatMap(({ type, endpoints }) => {
    const prefix = prefixes[type];
    const url = endpoints.find((endpoint) => endpoint.interface === "public")?.url;
    return prefix === undefined || url === undefined ? [] : [{ prefix, base: url.replace(/(\/v\d.*)?\/?$/, "") }];
  });
  return found.sort((a, b) => b.base.length - a.base.length);
}

async function settled(admin: Session, projectId: string, changed: string[]): Promise<void> {
  let last: string | undefined;
  await waitFor(
    "the cloud to be at rest",
    async () => {
      const states = await statesOf(admin, projectId, changed);
      const now = states.join();
      const isAtRest = now === last && !states.some((state) => passing.test(state));
      last = now;
      if (!isAtRest) await sleep(restMs);
      return isAtRest ? true : undefined;
    },
    { timeoutMs: 300_000 },
  );
}

/** What has a state in each service, and what of other services may follow it. */
const watched: Record<string, [Parameters<typeof resourcesOf>[1], string][]> = {
  compute: [
    ["compute", "/servers/detail?all_tenants=1&project_id="],
    ["volumev3", "/volumes/detail?all_tenants=1&project_id="],
    ["image", "/images?owner="],
  ],
  volume: [
    ["volumev3", "/volumes/detail?all_tenants=1&project_id="],
    ["volumev3", "/snapshots/detail?all_tenants=1&project_id="],
    ["volumev3", "/backups/detail?all_tenants=1&project_id="],
    ["volumev3", "/groups/detail?all_tenants=1&project_id="],
    ["volumev3", "/group_snapshots/detail?all_tenants=1&project_id="],
  ],
  image: [["image", "/images?owner="]],
  "load-balancer": [["load-balancer", "/lbaas/loadbalancers?project_id="]],
  network: [
    ["network", "/ports?project_id="],
    ["network", "/floatingips?project_id="],
  ],
};

/** The states of everything of the project that these services have to do with. */
async function statesOf(admin: Session, projectId: string, services: string[]): Promise<string[]> {
  const lists = await Promise.all(
    services
      .flatMap((service) => watched[service] ?? [])
      .map(([type, path]) => resourcesOf(admin, type, path + projectId)),
  );
  return lists.flat().flatMap((one) => {
    const task = one["OS-EXT-STS:task_state"];
    return [String(one.status ?? one.provisioning_status), ...(task ? [`${task}ing`] : [])];
  });
}

type Resource = Record<string, string | null>;

/** From here on Cinder tells of groups as of all else. */
export const volumeMicroversion = "3.29";

/** The resources that a list names. */
export async function resourcesOf(
  admin: Session,
  service: "compute" | "volumev3" | "image" | "network" | "identity" | "load-balancer",
  path: string,
): Promise<Resource[]> {
  const options = service === "volumev3" ? { microversion: volumeMicroversion } : {};
  const { body } = await admin.request<Record<string, Resource[]>>(service, "GET", path, options);
  return Object.values(body).find(Array.isArray) ?? [];
}

/** The newest version of each API, as its version document tells: `compute 2.93`. */
export async function apiVersions(upstreams: Upstream[]): Promise<Record<string, string>> {
  const versions: Record<string, string> = {};
  for (const { prefix, base } of upstreams) {
    const text = await (await fetch(`${base}/`)).text();
    const found = [...text.matchAll(/"(?:version|max_version|id)": *"v?(\d+\.\d+)"/g)].map(
      ([, version = ""]) => version,
    );
    const newest = found.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
    if (newest !== undefined) versions[prefix.slice(1)] = newest;
  }
  return versions;
}
