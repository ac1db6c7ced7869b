import { listAll } from "../pages.ts";
import type { Query, Session } from "../session.ts";

/** A flavor as Nova 2.1 shows it. */
export interface Flavor {
  id: string;
  name: string;
  description?: string | null;
  /** MiB. */
  ram: number;
  /** GiB; 0 for as large as the image. */
  disk: number;
  vcpus: number;
  /** An empty text for none. */
  swap: number | "";
  rxtx_factor?: number;
  "os-flavor-access:is_public"?: boolean;
}

/** All flavors that the project may use, or those that Nova's filters (`is_public`, `minRam`, `minDisk`) leave of them. */
export function listFlavors(session: Session, filters: Query = {}): Promise<Flavor[]> {
  return listAll<Flavor>(session, "compute", "/flavors/detail", "flavors", { is_public: "None", ...filters });
}
