import type { GuestNic, GuestSpec } from "../hypervisor.ts";
import type { QemuNic } from "./command.ts";
import type { Forward } from "./forwards.ts";

/** What the guests' NICs lead into. */
export interface GuestNetwork {
  /**
   * Makes ready what a guest's NICs lead into; may be called again.
   * @returns its NICs, and the command that QEMU's own is run by (`nsenter …`), where it runs within a network of its own
   * @throws Error where the network lacks what they need
   */
  plug(spec: Pick<GuestSpec, "id" | "nics">): Promise<{ nics: QemuNic[]; within: string[] }>;
  /** Takes away what is left of a guest that ended for ever. */
  unplug(serverId: string): Promise<void>;
  /** The NICs that a guest is to have at least. */
  nicsOf(serverId: string): GuestNic[];
  /** Leads into a guest that runs again where what its NICs lead into was made anew. */
  rejoin(serverId: string): Promise<void>;
  /** What of this machine leads into a guest by QEMU itself. */
  forwardsOf(serverId: string): Forward[];
  /** Calls the listener with each change of these; what it returns is part of the change. */
  onApply(listener: () => Promise<void>): void;
}
