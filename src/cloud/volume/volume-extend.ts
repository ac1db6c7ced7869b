import { z } from "zod";
import { parseBody } from "../http/body.ts";
import type { VolumeContext } from "./context.ts";
import { cinder } from "./errors.ts";
import { demandQuota, demandVolumeSize } from "./quotas.ts";
import { changed, type Volume } from "./records.ts";

const body = z.strictObject({ "os-extend": z.strictObject({ new_size: z.coerce.number().int().min(1) }) });

/**
 * The volume as `os-extend` leaves it; its content follows. One in use from 3.42 on only.
 * @throws ApiError 400, 413 in Cinder's words
 */
export function extending(context: VolumeContext, volume: Volume, input: unknown, microversion: number): Volume {
  const { new_size: size } = parseBody(body, input)["os-extend"];
  if (size <= volume.size) {
    throw cinder.invalidInput(
      `New size for extend must be greater than current size. (current: ${volume.size}, extended: ${size}).`,
    );
  }
  const expected = microversion >= 42 && volume.status === "in-use" ? "in-use" : "available";
  if (volume.status !== expected) {
    throw cinder.invalidVolume(
      `Volume ${volume.id} status must be '{'status': '${expected}'}' to extend, currently ${volume.status}.`,
    );
  }
  demandVolumeSize(context, volume.projectId, size);
  const { typeId } = volume;
  demandQuota(context, volume.projectId, {
    gigabytes: size - volume.size,
    ...(typeId === undefined ? {} : { typeId }),
  });
  return changed(volume, { status: "extending", extendTo: size });
}
