import { SlipwayError } from "../common/errors.ts";
import type { Credentials } from "./credentials.ts";

/** The services that Slipway speaks to, by catalogue type. */
export type ServiceType =
  | "compute"
  | "network"
  | "image"
  | "object-store"
  | "identity"
  | "volumev3"
  | "load-balancer"
  | "dns"
  | "key-manager";

/** The catalogue of a Keystone v3 token. */
export type Catalogue = {
  id?: string;
  name?: string;
  type: string;
  endpoints: { id?: string; interface: string; region?: string; region_id?: string; url: string }[];
}[];

/** Version path of each service below its catalogue address, where the catalogue leaves it out. */
const versionPaths: Partial<Record<ServiceType, string>> = {
  network: "v2.0",
  image: "v2",
  identity: "v3",
  "load-balancer": "v2.0",
  dns: "v2",
  "key-manager": "v1",
};

/**
 * The base address of a service, without a slash at its end.
 * @throws SlipwayError E_CLOUD_API when the catalogue has no such endpoint; the message lists what it has
 */
export function endpointOf(
  catalogue: Catalogue,
  type: ServiceType,
  { interface: wanted, region }: Pick<Credentials, "interface" | "region">,
): string {
  const entries = entriesOf(catalogue, type);
  for (const entry of entries) {
    for (const endpoint of entry.endpoints) {
      const inRegion = region === undefined || endpoint.region === region || endpoint.region_id === region;
      if (endpoint.interface === wanted && inRegion) return withVersion(endpoint.url, versionPaths[type]);
    }
  }
  const where = region === undefined ? "" : ` in region ${region}`;
  throw new SlipwayError("E_CLOUD_API", `the catalogue has no ${wanted} endpoint of type ${type}${where}`, {
    hint: "Check the region and the interface of your clouds.yaml entry, and that the cloud offers this service.",
    details: catalogue.flatMap((entry) =>
      entry.endpoints.map((endpoint) => `${entry.type} ${endpoint.interface} ${endpoint.region ?? ""}`.trim()),
    ),
  });
}

/** Whether a cloud has a service at all, in any region. */
export function offers(catalogue: Catalogue, type: ServiceType): boolean {
  return entriesOf(catalogue, type).some((entry) => entry.endpoints.length > 0);
}

/** Newer catalogues call Cinder `block-storage`. */
function entriesOf(catalogue: Catalogue, type: ServiceType): Catalogue {
  const named = (name: string) => catalogue.filter((entry) => entry.type === name);
  const entries = named(type);
  return entries.length === 0 && type === "volumev3" ? named("block-storage") : entries;
}

function withVersion(url: string, version: string | undefined): string {
  const base = url.replace(/\/+$/, "");
  return version === undefined || base.endsWith(`/${version}`) ? base : `${base}/${version}`;
}
