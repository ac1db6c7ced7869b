import type { Session } from "../../../src/openstack/session.ts";
import type { Upstream } from "../../support/cloud-proxy.ts";

/** A cloud that clients are tried on. */
export interface Site {
  /** Where its services are. */
  upstreams: Upstream[];
  /** Its administrator. */
  admin: Session;
  adminLogin: { username: string; password: string };
  /** Whether it is there after the run, so that nothing may be left on it. */
  lasts: boolean;
  /**
   * Resolves when nothing of the project is on its way from one state to another.
   * @param changed the services that were asked to change something: `compute`, `network`
   */
  settled(projectId: string, changed: string[]): Promise<void>;
  close(): Promise<void>;
}
