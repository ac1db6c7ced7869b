import { createHash } from "node:crypto";
import type { Store } from "../store/store.ts";
import type { Accounts, Document } from "./accounts.ts";

/** Where the services are reached; `base` for users on this machine, `objectStore` also for guests. */
export interface Addresses {
  /** `http://127.0.0.1:PORT` */
  base: string;
  /** The object store's public address, same form: the external network's gateway where there is a data plane. */
  objectStore: string;
}

export const region = "RegionOne";

interface BuiltInService {
  type: string;
  name: string;
  url: { public: string; internal: string };
}

/** Ids that stay the same from start to start. */
const stableId = (text: string) => createHash("md5").update(text).digest("hex");

/** The addresses move with the cloud's port: they are kept as `{base}` and `{objectStore}`. */
const same = (path: string) => ({ public: `{base}${path}`, internal: `{base}${path}` });

const account = "/object-store/v1/AUTH_$(project_id)s";

/** Names and types are distinct: some clients key the catalogue by name. */
export const builtInServices: readonly BuiltInService[] = [
  { type: "identity", name: "keystone", url: same("/identity/v3") },
  { type: "compute", name: "nova", url: same("/compute/v2.1") },
  { type: "network", name: "neutron", url: same("/network") },
  { type: "image", name: "glance", url: same("/image") },
  { type: "volumev3", name: "cinder", url: same("/volume/v3/$(project_id)s") },
  { type: "object-store", name: "swift", url: { public: `{objectStore}${account}`, internal: `{base}${account}` } },
  { type: "placement", name: "placement", url: same("/placement") },
  { type: "load-balancer", name: "octavia", url: same("/load-balancer") },
];

export const interfaces = ["public", "internal", "admin"] as const;

/** Registers what this cloud has; each service once, so that what an administrator removes stays removed. */
export function seedCatalog(store: Store, accounts: Accounts): void {
  if (accounts.regions.list().length === 0) {
    accounts.regions.put({ id: region, description: "", parent_region_id: null });
  }
  for (const { type, name, url } of builtInServices) {
    if (store.setting(`service/${type}`) !== undefined) continue;
    store.setSetting(`service/${type}`, "made");
    const service = accounts.services.put({ id: stableId(type), type, name, enabled: true });
    for (const face of interfaces) {
      accounts.endpoints.put({
        id: stableId(`${type}/${face}`),
        service_id: service.id,
        interface: face,
        region_id: region,
        enabled: true,
        url: face === "public" ? url.public : url.internal,
      });
    }
  }
}

/** An endpoint's address as it is told to whom it does not depend on a project. */
export function endpointUrl({ url }: Document, { base, objectStore }: Addresses): string {
  return String(url).replace("{base}", base).replace("{objectStore}", objectStore);
}

/**
 * The service catalogue of a scoped token. An address that names the project is left out where there is none, as is what is disabled.
 * @param projectId undefined for a token of a domain or of the system
 */
export function catalogOf(accounts: Accounts, addresses: Addresses, projectId: string | undefined): unknown[] {
  const endpoints = accounts.endpoints.list((endpoint) => endpoint.enabled !== false);
  return accounts.services
    .list((service) => service.enabled !== false)
    .map(({ id, type, name }) => ({
      ...{ id, type, name: name ?? "" },
      endpoints: endpoints
        .filter((endpoint) => endpoint.service_id === id)
        .flatMap((endpoint) => {
          const url = forProject(endpointUrl(endpoint, addresses), projectId);
          const { region_id } = endpoint;
          return url === undefined
            ? []
            : [{ id: endpoint.id, interface: endpoint.interface, region: region_id, region_id, url }];
        }),
    }));
}

function forProject(url: string, projectId: string | undefined): string | undefined {
  const placeholder = /\$\((?:project|tenant)_id\)s/g;
  if (projectId !== undefined) return url.replace(placeholder, projectId);
  return url.search(placeholder) < 0 ? url : undefined;
}
