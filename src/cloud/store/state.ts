import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Store } from "./store.ts";

/** Files below a cloud's state folder. */
export const stateFiles = (stateDir: string) => ({
  database: join(stateDir, "cloud.sqlite"),
  /** Locked while a process runs the cloud. */
  lock: join(stateDir, "lock.sqlite"),
  credentials: join(stateDir, "credentials.json"),
  objects: join(stateDir, "objects"),
  images: join(stateDir, "images"),
  volumes: join(stateDir, "volumes"),
});

/** The cloud's instance id: short and random, made when it is first asked for; it names all that the cloud makes on the machine. */
export function instanceOf(store: Store): string {
  return store.settingOr("instance", () => randomBytes(3).toString("hex"));
}
