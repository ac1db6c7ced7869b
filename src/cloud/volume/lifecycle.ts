import { rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../common/errors.ts";
import { Turns } from "../../common/turns.ts";
import { activated } from "../image/content.ts";
import type { Image } from "../image/records.ts";
import { digestsOf } from "../store/content.ts";
import type { Collection } from "../store/store.ts";
import { logUnkept } from "../store/unkept.ts";
import { copySparse, diskToImage, growTo, imageToDisk, makeEmpty } from "./contents.ts";
import { type Event, tell, type UserMessage } from "./message-records.ts";
import { changed, type Snapshot, type Volume, type VolumeStatus } from "./records.ts";

export interface VolumeLifecycleParts {
  volumes: Collection<Volume>;
  snapshots: Collection<Snapshot>;
  images: Collection<Image>;
  messages: Collection<UserMessage>;
  /** Where the contents lie. */
  folder: string;
  /** Where images' contents lie. */
  imageFolder: string;
  /** Runs `work` while nothing writes to these volumes, and all that was written to them is in their files. */
  whileStill: <T>(volumeIds: string[], work: () => Promise<T>) => Promise<T>;
  /** Called when a volume has become longer, with its file. */
  grown: (volume: Volume, path: string) => Promise<void>;
  log: (line: string) => void;
}

/** What becomes of a volume whose work failed, and what its project is told. */
interface Failure {
  status: VolumeStatus;
  event?: Event;
}

/**
 * Makes, copies and removes volumes' and snapshots' contents behind the answers; what was promised before a restart is taken up after it.
 * What is done with one of them is done in turn. What is made of another is made in that one's turn as well: turns are only waited for
 * from the older to the newer, so that nothing waits in a circle.
 */
export class VolumeLifecycle {
  readonly #parts: VolumeLifecycleParts;
  /** By the ids of volumes, snapshots and backups. */
  readonly turns = new Turns();

  constructor(parts: VolumeLifecycleParts) {
    this.#parts = parts;
  }

  /** The file that holds a volume's content, as long as the volume, sparse. */
  fileOf(id: string): string {
    return join(this.#parts.folder, `volume-${id}`);
  }

  snapshotFile(id: string): string {
    return join(this.#parts.folder, `snapshot-${id}`);
  }

  backupFile(id: string): string {
    return join(this.#parts.folder, `backup-${id}`);
  }

  /**
   * Makes a volume's content: of what it is made from, or empty. A new volume's first one, or that of another image. Resolves when that is over,
   * well or not.
   */
  create(id: string): Promise<void> {
    const { volumes } = this.#parts;
    const source = volumes.get(id)?.source;
    const event: Event = { action: source?.kind === "image" ? "download" : "create", detail: "createFailed" };
    const fill = () =>
      this.#inTurn(id, { status: "error", event }, async () => {
        const promised = this.#promised(id);
        if (promised === undefined) return;
        const bootable = await this.#fill(promised);
        const made = this.#promised(id); // it may have been renamed meanwhile, or told to go
        if (made === undefined) return;
        const { previousStatus: status = "available", ...rest } = made;
        volumes.put(changed(rest, { status, bootable }));
      });
    return source === undefined ? fill() : this.turns.run(source.id, fill);
  }

  #promised(id: string): Volume | undefined {
    const volume = this.#parts.volumes.get(id);
    return volume?.status === "creating" || volume?.status === "downloading" ? volume : undefined;
  }

  /** @returns whether a guest can boot from the content, as far as is known */
  async #fill(volume: Volume): Promise<boolean> {
    const { volumes, snapshots, images, whileStill } = this.#parts;
    const { size, source } = volume;
    const path = this.fileOf(volume.id);
    if (source === undefined) {
      await makeEmpty(path, size);
      return volume.bootable ?? false;
    }
    if (source.kind === "image") {
      const image = images.get(source.id);
      if (image === undefined) throw new Error(`Image ${source.id} could not be found.`);
      volumes.put(changed(volume, { status: "downloading" }));
      // a pretended guest's image has no content
      if (image.path === null) await makeEmpty(path, size);
      else await imageToDisk({ id: image.id, path: image.path, diskFormat: image.diskFormat }, path, size);
      return true;
    }
    if (source.kind === "volume") {
      await whileStill([source.id], () => copySparse(this.fileOf(source.id), path));
    } else await copySparse(source.kind === "backup" ? this.backupFile(source.id) : this.snapshotFile(source.id), path);
    await growTo(path, size);
    if (source.kind === "backup") return volume.bootable ?? false;
    return (source.kind === "volume" ? volumes : snapshots).get(source.id)?.bootable ?? false;
  }

  /** Lets the content be as long as was asked for; then the volume is what it was before, and larger. */
  extend(id: string): void {
    const event: Event = { action: "extend", detail: "extendFailed" };
    void this.#inTurn(id, { status: "error_extending", event }, async () => {
      const { volumes, grown } = this.#parts;
      const asked = volumes.get(id);
      if (asked?.extendTo === undefined) return;
      await growTo(this.fileOf(id), asked.extendTo);
      await grown(asked, this.fileOf(id));
      const { extendTo: size = asked.size, ...now } = volumes.get(id) ?? asked;
      volumes.put(changed(now, { size, status: now.attachment === null ? "available" : "in-use" }));
    });
  }

  /** Resolves when that is over, well or not. */
  delete(id: string): Promise<void> {
    return this.#inTurn(id, { status: "error_deleting" }, async () => {
      await rm(this.fileOf(id), { force: true });
      this.#parts.volumes.delete(id);
    });
  }

  /** Copies volumes' contents as they are at one moment. Resolves when that is over, well or not. */
  async createSnapshots(ids: string[]): Promise<void> {
    const { volumes, snapshots, whileStill, log } = this.#parts;
    const asked = ids.flatMap((id) => snapshots.get(id) ?? []);
    const sources = new Set(asked.map(({ volumeId }) => volumeId));
    const inOrder = volumes.list(({ id }) => sources.has(id)).map(({ id }) => id);
    const copies = () => Promise.all(asked.map(({ id }) => this.#copySnapshot(id)));
    const copy = () => whileStill(inOrder, copies);
    await inOrder
      .reduceRight<() => Promise<unknown>>((inner, id) => () => this.turns.run(id, inner), copy)()
      .catch((error: unknown) => {
        for (const { id } of asked) if (snapshots.get(id)?.status === "creating") this.#snapshotFailed(id, error);
      })
      .catch(logUnkept(log, `snapshots ${ids.join(", ")}`));
  }

  /** In the turn of its volume. */
  async #copySnapshot(id: string): Promise<void> {
    const { snapshots, log } = this.#parts;
    await this.turns
      .run(id, async () => {
        const asked = snapshots.get(id);
        if (asked?.status !== "creating") return;
        await copySparse(this.fileOf(asked.volumeId), this.snapshotFile(id));
        const made = snapshots.get(id);
        if (made?.status !== "creating") return;
        snapshots.put(changed(made, { status: "available", progress: "100%" }));
      })
      .catch((error: unknown) => this.#snapshotFailed(id, error))
      .catch(logUnkept(log, `snapshot ${id}`));
  }

  #snapshotFailed(id: string, error: unknown): void {
    this.#failed(id, { status: "error", event: { action: "snapshot", detail: "snapshotFailed" } }, error);
  }

  /** Resolves when that is over, well or not. */
  async deleteSnapshot(id: string): Promise<void> {
    const event: Event = { action: "snapshotDelete", detail: "snapshotDeleteFailed" };
    const { snapshots, log } = this.#parts;
    const asked = snapshots.get(id);
    if (asked === undefined) return;
    const remove = async () => {
      await rm(this.snapshotFile(id), { force: true });
      snapshots.delete(id);
    };
    await this.turns
      .run(asked.volumeId, () => this.turns.run(id, remove))
      .catch((error: unknown) => this.#failed(id, { status: "error_deleting", event }, error))
      .catch(logUnkept(log, `snapshot ${id}`));
  }

  /** Puts a snapshot's content back into its volume. */
  revert(snapshotId: string): void {
    const { volumes, snapshots } = this.#parts;
    const asked = snapshots.get(snapshotId);
    if (asked === undefined) return;
    void this.#inTurn(asked.volumeId, { status: "error" }, async () => {
      await copySparse(this.snapshotFile(snapshotId), this.fileOf(asked.volumeId));
      const [volume, snapshot] = [volumes.get(asked.volumeId), snapshots.get(snapshotId)];
      if (volume !== undefined) volumes.put(changed(volume, { status: "available" }));
      if (snapshot !== undefined) snapshots.put(changed(snapshot, { status: "available" }));
    });
  }

  /** Makes a volume's content that of the image that waits for it (`uploadTo`); where that fails there is no image. */
  upload(id: string): void {
    const { volumes, images, imageFolder, whileStill } = this.#parts;
    void this.#inTurn(id, undefined, async () => {
      const { uploadTo: imageId, projectId } = volumes.get(id) ?? {};
      const image = imageId === undefined ? undefined : images.patch(imageId, { status: "saving" });
      try {
        if (image === undefined) return;
        const path = join(imageFolder, image.id);
        await whileStill([id], () => diskToImage(this.fileOf(id), image.diskFormat ?? "raw", path));
        const content = await digestsOf(path);
        if (images.patch(image.id, activated(content, path)) === undefined) await rm(path, { force: true });
      } catch (error) {
        if (image !== undefined) images.delete(image.id);
        const about = { projectId: projectId ?? "", resourceType: "VOLUME", resourceId: id } as const;
        tell(this.#parts.messages, about, { action: "upload", detail: "uploadFailed" });
        throw error;
      } finally {
        const now = volumes.get(id);
        if (now?.status === "uploading") {
          const { uploadTo: _, previousStatus: status = "available", ...rest } = now;
          volumes.put(changed(rest, { status }));
        }
      }
    });
  }

  /** After a restart of the cloud: what is made of others comes before what changes these, and {@link recoverDeletions} after all of it. */
  recover(): void {
    const [volumes, snapshots] = [this.#parts.volumes.list(), this.#parts.snapshots.list()];
    this.#recoverSnapshots(snapshots);
    for (const { id, status } of volumes) if (status === "creating" || status === "downloading") void this.create(id);
    for (const { id, status } of volumes) {
      if (status === "extending") this.extend(id);
      if (status === "uploading") this.upload(id);
    }
    for (const { id, status } of snapshots) if (status === "restoring") this.revert(id);
  }

  /** Those of a group's snapshot or a server's image are of one moment: where some were made before the restart, it is gone for the others. */
  #recoverSnapshots(snapshots: Snapshot[]): void {
    const partOf = ({ groupSnapshotId, imageId, id }: Snapshot) => groupSnapshotId ?? imageId ?? id;
    const promised = snapshots.filter(({ status }) => status === "creating");
    const begun = new Set(snapshots.filter(({ status }) => status !== "creating").map(partOf));
    for (const [whole, together] of Map.groupBy(promised, partOf)) {
      const ids = together.map(({ id }) => id);
      if (!begun.has(whole)) void this.createSnapshots(ids);
      else
        for (const id of ids) this.#snapshotFailed(id, new Error("others that it belongs to are of an earlier moment"));
    }
  }

  /** After a restart of the cloud, once all that is still to be copied out of volumes and snapshots waits for its turn. */
  recoverDeletions(): void {
    const { snapshots, volumes } = this.#parts;
    for (const { id } of snapshots.list(({ status }) => status === "deleting")) void this.deleteSnapshot(id);
    for (const { id } of volumes.list(({ status }) => status === "deleting")) void this.delete(id);
  }

  /** Resolves when nothing is being done. */
  idle(): Promise<void> {
    return this.turns.idle();
  }

  /** Settles when the work is over, well or not. */
  #inTurn(id: string, failure: Failure | undefined, work: () => Promise<void>): Promise<void> {
    const { volumes, messages, log } = this.#parts;
    const failed = (error: unknown) => {
      log(`volume ${id}: ${messageOf(error)}`);
      const volume = volumes.get(id);
      if (volume === undefined || failure === undefined) return;
      volumes.put(changed(volume, { status: failure.status }));
      const about = { projectId: volume.projectId, resourceType: "VOLUME", resourceId: id } as const;
      if (failure.event !== undefined) tell(messages, about, failure.event);
    };
    return this.turns
      .run(id, work)
      .catch(failed)
      .catch(logUnkept(log, `volume ${id}`));
  }

  /** Says what could not be done with a snapshot. */
  #failed(id: string, failure: { status: Snapshot["status"]; event: Event }, error: unknown): void {
    const { snapshots, messages, log } = this.#parts;
    log(`snapshot ${id}: ${messageOf(error)}`);
    const snapshot = snapshots.get(id);
    if (snapshot === undefined) return;
    snapshots.put(changed(snapshot, { status: failure.status }));
    const about = { projectId: snapshot.projectId, resourceType: "VOLUME_SNAPSHOT", resourceId: id } as const;
    tell(messages, about, failure.event);
  }
}
