import { neutron } from "./errors.ts";

/** The one availability zone. */
export const zone = "nova";

/** Neutron checks hints against the zones that there are. @throws ApiError 404 */
export function demandZones(hints: string[] | undefined): string[] {
  const unknown = hints?.find((hint) => hint !== zone);
  if (unknown !== undefined) throw neutron.zoneNotFound(unknown);
  return hints ?? [];
}
