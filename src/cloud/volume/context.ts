import { owns, type Scope } from "../identity/scope.ts";
import type { Collection, Store } from "../store/store.ts";
import { cinder } from "./errors.ts";
import type { VolumeLifecycle } from "./lifecycle.ts";
import type { Volume } from "./records.ts";

/** What Cinder's routes work with. */
export interface VolumeContext {
  store: Store;
  volumes: Collection<Volume>;
  lifecycle: VolumeLifecycle;
  /** `http://127.0.0.1:PORT` */
  base: () => string;
}

/** The volume if the scope may use it, else Cinder's 404. */
export function ownVolume(volumes: Collection<Volume>, scope: Scope, id: string): Volume {
  const volume = volumes.get(id);
  if (volume === undefined || !owns(scope, volume.projectId)) throw cinder.volumeNotFound(id);
  return volume;
}
