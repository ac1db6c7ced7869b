import { orMissing } from "../../openstack/missing.ts";
import type { Context } from "../kind.ts";
import type { Observed } from "../waiting.ts";

/** A volume as Cinder shows it. */
export interface VolumeRecord {
  id: string;
  /** `creating`, `available`, `in-use`, `error`, … */
  status: string;
  name: string | null;
  description: string | null;
  /** GiB. */
  size: number;
  availability_zone: string | null;
  volume_type: string | null;
  snapshot_id: string | null;
  source_volid: string | null;
  /** From 3.47 on. */
  backup_id?: string | null;
  metadata: Record<string, string>;
  attachments: VolumeAttachmentRecord[];
  /** Without a zone; UTC. */
  created_at: string;
}

/** A volume's place in a server; `id` is the volume's. */
interface VolumeAttachmentRecord {
  id: string;
  server_id: string;
  device: string | null;
}

/** The volume; undefined where there is none. */
export async function findVolume({ session }: Context, id: string): Promise<VolumeRecord | undefined> {
  const found = await orMissing(() => session.request<{ volume: VolumeRecord }>("volumev3", "GET", `/volumes/${id}`));
  return found?.body.volume;
}

/** The volume's status. Cinder tells its user no reason for an error. */
export async function observeVolume(context: Context, id: string): Promise<Observed | undefined> {
  const volume = await findVolume(context, id);
  return volume === undefined ? undefined : { status: volume.status };
}
