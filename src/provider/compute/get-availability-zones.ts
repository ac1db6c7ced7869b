import type { ProviderFunction } from "../function.ts";
import { hashOf } from "../lookup.ts";
import { text } from "../schema/property.ts";

interface Zone {
  zoneName: string;
  zoneState: { available: boolean };
}

/** `openstack_compute_availability_zones_v2` as a data source: the names, sorted. */
export const getAvailabilityZones: ProviderFunction = {
  token: "openstack:compute/getAvailabilityZones:getAvailabilityZones",
  args: { region: text(), state: text({ default: "available", allowed: ["available", "unavailable"] }) },
  async call({ session, region }, args) {
    const { body } = await session.request<{ availabilityZoneInfo: Zone[] }>("compute", "GET", "/os-availability-zone");
    const wanted = args.state === "available";
    const names = body.availabilityZoneInfo
      .filter(({ zoneState }) => zoneState.available === wanted)
      .map(({ zoneName }) => zoneName)
      .sort();
    return { ...args, id: hashOf(names.map((name) => `${name}-`).join("")), names, region };
  },
};
