import { orMissing } from "../missing.ts";
import { listAll } from "../pages.ts";
import type { Query, Session } from "../session.ts";

/** A volume as Cinder shows it. */
export interface Volume {
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
  attachments: VolumeAttachment[];
  /** Without a zone; UTC. */
  created_at: string;
}

/** A volume's place in a server; `id` is the volume's. */
interface VolumeAttachment {
  id: string;
  server_id: string;
  device: string | null;
}

/** The volume; undefined where there is none. */
export async function findVolume(session: Session, id: string): Promise<Volume | undefined> {
  const found = await orMissing(() => session.request<{ volume: Volume }>("volumev3", "GET", `/volumes/${id}`));
  return found?.body.volume;
}

/** The project's volumes by Cinder's filters: `name`, `status`, … */
export function listVolumes(session: Session, filters: Query = {}): Promise<Volume[]> {
  return listAll<Volume>(session, "volumev3", "/volumes/detail", "volumes", filters);
}
