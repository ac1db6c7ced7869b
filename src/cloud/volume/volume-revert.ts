import { z } from "zod";
import { parseBody } from "../http/body.ts";
import type { Action, ActionAnswer } from "./action.ts";
import { cinder } from "./errors.ts";
import { changed } from "./records.ts";

const body = z.object({ revert: z.object({ snapshot_id: z.string().nullable().optional() }) });

/** Puts the latest snapshot's content back, from 3.40 on. */
export function revertVolume({ context, volume, request }: Action): ActionAnswer {
  if (request.microversion < 40) throw cinder.noSuchPath();
  const { volumes, snapshots, lifecycle } = context;
  const { snapshot_id: asked } = parseBody(body, request.body).revert;
  const latest = snapshots.list(({ volumeId }) => volumeId === volume.id).at(-1);
  if (latest === undefined) throw cinder.badRequest(`Volume ${volume.id} doesn't have any snapshots.`);
  if (asked !== latest.id) {
    throw cinder.badRequest(
      `Specified snapshot ${asked ?? "None"} is None or not the latest one of volume ${volume.id}.`,
    );
  }
  if (volume.size !== latest.size) {
    throw cinder.badRequest(
      `Can't revert volume ${volume.id} to its latest snapshot ${latest.id}. The volume size must be equal to the snapshot size.`,
    );
  }
  const refused = (what: "volume" | "snapshot") =>
    cinder.conflict(
      `Invalid ${what}: Can't revert volume ${volume.id} to its latest snapshot ${latest.id}. ${what === "volume" ? "Volume" : "Snapshot"}'s status must be 'available'.`,
    );
  if (volume.status !== "available") throw refused("volume");
  if (latest.status !== "available") throw refused("snapshot");
  volumes.put(changed(volume, { status: "reverting" }));
  snapshots.put(changed(latest, { status: "restoring" }));
  return { status: 202, after: () => lifecycle.revert(latest.id) };
}
