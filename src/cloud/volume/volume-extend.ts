import { z } from "zod";
import { parseBody } from "../http/body.ts";
import type { Collection } from "../store/store.ts";
import { cinder } from "./errors.ts";
import { demandGigabytes } from "./quotas.ts";
import { changed, type Volume } from "./records.ts";

const body = z.strictObject({ "os-extend": z.strictObject({ new_size: z.coerce.number().int().min(1) }) });

/**
 * The volume as `os-extend` leaves it; its content follows. One in use from 3.42 on only.
 * @throws ApiError 400, 413 in Cinder's words
 */
export function extending(volumes: Collection<Volume>, volume: Volume, input: unknown, microversion: number): Volume {
  const { new_size: size } = parseBody(body, input)["os-extend"];
  const expected = microversion >= 42 && volume.status === "in-use" ? "in-use" : "available";
  if (volume.status !== expected) {
    throw cinder.invalidVolume(
      `Volume ${volume.id} status must be '${expected}' to extend, currently ${volume.status}.`,
    );
  }
  if (size <= volume.size) {
    throw cinder.invalidInput(
      `New size for extend must be greater than current size. (current: ${volume.size}, extended: ${size}).`,
    );
  }
  demandGigabytes(volumes, volume.projectId, size - volume.size);
  return changed(volume, { status: "extending", extendTo: size });
}
