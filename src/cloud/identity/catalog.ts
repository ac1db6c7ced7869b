import { createHash } from "node:crypto";

/** Where the services are reached; `base` for users on this machine, `objectStore` also for guests. */
export interface Addresses {
  /** `http://127.0.0.1:PORT` */
  base: string;
  /** The object store's public address, same form: the external network's gateway where there is a data plane. */
  objectStore: string;
}

export const region = "RegionOne";

interface ServiceEntry {
  id: string;
  type: string;
  name: string;
  url: { public: string; internal: string };
}

/** Ids that stay the same from start to start. */
const stableId = (text: string) => createHash("md5").update(text).digest("hex");

function services({ base, objectStore }: Addresses, projectId: string): ServiceEntry[] {
  const same = (path: string) => ({ public: `${base}${path}`, internal: `${base}${path}` });
  const account = `/object-store/v1/AUTH_${projectId}`;
  const entries: Omit<ServiceEntry, "id">[] = [
    { type: "identity", name: "keystone", url: same("/identity/v3") },
    { type: "compute", name: "nova", url: same("/compute/v2.1") },
    { type: "network", name: "neutron", url: same("/network") },
    { type: "image", name: "glance", url: same("/image") },
    { type: "volumev3", name: "cinder", url: same(`/volume/v3/${projectId}`) },
    {
      type: "object-store",
      name: "swift",
      url: { public: `${objectStore}${account}`, internal: `${base}${account}` },
    },
  ];
  return entries.map((entry) => ({ id: stableId(entry.type), ...entry }));
}

/** The service catalogue of a project-scoped token. Names and types are distinct: some clients key it by name. */
export function catalogOf(addresses: Addresses, projectId: string): unknown[] {
  return services(addresses, projectId).map(({ id, type, name, url }) => ({
    id,
    type,
    name,
    endpoints: (["public", "internal", "admin"] as const).map((face) => ({
      id: stableId(`${type}/${face}`),
      interface: face,
      region,
      region_id: region,
      url: face === "public" ? url.public : url.internal,
    })),
  }));
}

/** The same as Keystone's `/services` and `/endpoints` list it for admins. */
export function serviceList(addresses: Addresses): { services: unknown[]; endpoints: unknown[] } {
  const all = services(addresses, "$(project_id)s");
  return {
    services: all.map(({ id, type, name }) => ({ id, type, name, enabled: true, description: "", links: {} })),
    endpoints: all.flatMap(({ id, type, url }) =>
      (["public", "internal", "admin"] as const).map((face) => ({
        id: stableId(`${type}/${face}`),
        service_id: id,
        interface: face,
        region,
        region_id: region,
        enabled: true,
        url: face === "public" ? url.public : url.internal,
        links: {},
      })),
    ),
  };
}
