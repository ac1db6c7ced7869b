import { createHash } from "node:crypto";

/** The one host of this cloud: its ids before and since 2.53, those of its service apart. */
export const host = {
  name: "slipway",
  number: 1,
  uuid: "51a9a7b0-0000-5000-8000-000000000001",
  serviceUuid: "51a9a7b0-0000-5000-8000-000000000004",
} as const;

/** What a project may know of the host: the same for all of its servers there, another one for others (`generate_hostid`). */
export function hostIdOf(projectId: string): string {
  return createHash("sha224").update(projectId).update(host.name).digest("hex");
}
