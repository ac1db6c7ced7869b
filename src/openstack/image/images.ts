import { listAll } from "../pages.ts";
import type { Query, Session } from "../session.ts";

/** An image as Glance 2 shows it; what else it carries are properties that somebody has set. */
export interface Image {
  id: string;
  name: string;
  created_at: string;
  /** Bytes; null before its upload. */
  size?: number | null;
  /** GiB. */
  min_disk?: number;
  /** MiB. */
  min_ram?: number;
  [property: string]: unknown;
}

/** Images by Glance's filters: `name`, `status`, `visibility`, … */
export function listImages(session: Session, filters: Query): Promise<Image[]> {
  return listAll<Image>(session, "image", "/images", "images", filters);
}
