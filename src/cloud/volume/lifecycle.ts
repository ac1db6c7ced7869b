import { mkdir, open, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../common/errors.ts";
import { Turns } from "../../common/turns.ts";
import type { Collection } from "../store/store.ts";
import { changed, type Volume, type VolumeStatus } from "./records.ts";

export interface VolumeLifecycleParts {
  volumes: Collection<Volume>;
  /** Where the contents lie. */
  folder: string;
  /** Called when a volume has become longer, with its file. */
  grown: (volume: Volume, path: string) => Promise<void>;
  log: (line: string) => void;
}

/** Makes and removes volumes' contents behind the answers; what was promised before a restart is taken up after it. */
export class VolumeLifecycle {
  readonly #parts: VolumeLifecycleParts;
  readonly #turns = new Turns();

  constructor(parts: VolumeLifecycleParts) {
    this.#parts = parts;
  }

  /** The file that holds a volume's content, as long as the volume, sparse. */
  fileOf(id: string): string {
    return join(this.#parts.folder, `volume-${id}`);
  }

  create(id: string): void {
    this.#begin(id, "error", async () => {
      const { volumes, folder } = this.#parts;
      const creating = () => volumes.find((volume) => volume.id === id && volume.status === "creating");
      const promised = creating();
      if (promised === undefined) return;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = await open(this.fileOf(id), "w", 0o600);
      await file.truncate(promised.size * 1024 ** 3).finally(() => file.close());
      const made = creating(); // it may have been renamed meanwhile, or told to go
      if (made !== undefined) volumes.put(changed(made, { status: "available" }));
    });
  }

  /** Lets the content be as long as was asked for; then the volume is what it was before, and larger. */
  extend(id: string): void {
    this.#begin(id, "error_extending", async () => {
      const { volumes, grown } = this.#parts;
      const asked = volumes.get(id);
      if (asked?.extendTo === undefined) return;
      await truncate(this.fileOf(id), asked.extendTo * 1024 ** 3);
      await grown(asked, this.fileOf(id));
      const { extendTo: size = asked.size, ...now } = volumes.get(id) ?? asked;
      volumes.put(changed(now, { size, status: now.attachment === null ? "available" : "in-use" }));
    });
  }

  delete(id: string): void {
    this.#begin(id, "error_deleting", async () => {
      await rm(this.fileOf(id), { force: true });
      this.#parts.volumes.delete(id);
    });
  }

  /** After a restart of the cloud. */
  recover(): void {
    for (const { id, status } of this.#parts.volumes.list()) {
      if (status === "creating") this.create(id);
      if (status === "deleting") this.delete(id);
      if (status === "extending") this.extend(id);
    }
  }

  /** Resolves when nothing is being done. */
  idle(): Promise<void> {
    return this.#turns.idle();
  }

  #begin(id: string, statusOnFailure: VolumeStatus, work: () => Promise<void>): void {
    const { volumes, log } = this.#parts;
    void this.#turns.run(id, work).catch((error: unknown) => {
      log(`volume ${id}: ${messageOf(error)}`);
      const volume = volumes.get(id);
      if (volume !== undefined) volumes.put(changed(volume, { status: statusOnFailure }));
    });
  }
}
