import type { Hypervisor } from "../hypervisors/hypervisor.ts";
import type { Image } from "../image/records.ts";
import type { RemovalParts } from "../image/removal.ts";
import type { NetworkTables } from "../network/records.ts";
import type { Collection, Store } from "../store/store.ts";
import type { VolumeContext } from "../volume/context.ts";
import type { Volume } from "../volume/records.ts";
import type { BlockDevice } from "./block-devices.ts";
import type { Flavor } from "./flavor-records.ts";
import type { Keypair } from "./keypair-records.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { ProjectQuota } from "./quota-records.ts";
import type { Server, ServerGroup } from "./records.ts";

/** What Nova's routes work with. */
export interface ComputeContext {
  store: Store;
  servers: Collection<Server>;
  keypairs: Collection<Keypair>;
  flavors: Collection<Flavor>;
  quotas: Collection<ProjectQuota>;
  serverGroups: Collection<ServerGroup>;
  images: Collection<Image>;
  /** What Glance removes images from, where Nova passes that on. */
  glance: RemovalParts;
  volumes: Collection<Volume>;
  /** What Cinder works with, of whom Nova asks volumes and snapshots. */
  cinder: VolumeContext;
  blockDevices: Collection<BlockDevice>;
  tables: NetworkTables;
  hypervisor: Hypervisor;
  lifecycle: Lifecycle;
  reconcile: () => Promise<void>;
  /** `http://127.0.0.1:PORT` */
  base: () => string;
}
