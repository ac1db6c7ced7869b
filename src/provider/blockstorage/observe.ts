import { findVolume } from "../../openstack/volume/volumes.ts";
import type { Observed } from "../../openstack/waiting.ts";
import type { Context } from "../kind.ts";

/** The volume's status. Cinder tells its user no reason for an error. */
export async function observeVolume({ session }: Context, id: string): Promise<Observed | undefined> {
  const volume = await findVolume(session, id);
  return volume === undefined ? undefined : { status: volume.status };
}
