import { join } from "node:path";
import { type Digest, hexOf } from "../../common/digest.ts";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import type { GateCheck } from "../../serving/judging/checks.ts";
import { judgeModel } from "../../serving/judging/judge.ts";
import { importModel } from "../../serving/models/import.ts";
import { importAnyModel } from "../../serving/models/import-any.ts";
import { isPackage, packageTar, readPackage } from "../../serving/models/package.ts";
import { modelFolder } from "../../serving/models/registry-file.ts";
import type { Model } from "../manifest.ts";
import type { GuestPaths } from "../paths.ts";
import type { GitSettings } from "../settings.ts";
import { requireNoFunction } from "./no-function.ts";

/** A pushed model, packed. */
export interface PushedModel {
  bytes: Uint8Array;
  digest: Digest;
}

/**
 * Makes a package of pushed files, which has answered its golden rows on this host. A network, or a package of one: functions are code, which
 * a deploy key does not bring.
 * @throws SlipwayError E_MODEL_INVALID and its like
 */
export async function importPushed(folder: string): Promise<PushedModel> {
  if (!(await isPackage(folder))) return packageTar(await importModel(folder));
  requireNoFunction(await readPackage(folder));
  return packageTar(await importAnyModel(folder));
}

/**
 * Judges a pushed model by what of the stack's gate is judged before a release: its size, and its accuracy on the stack's table.
 * @param folder of its unpacked package
 * @param serves the model that does now
 * @returns the checks that were made; the last of them may have refused it
 */
export function judgePushed(
  paths: Pick<GuestPaths, "models" | "git">,
  { maxMegabytes, accuracy }: GitSettings,
  { bytes, digest }: PushedModel,
  folder: string,
  serves: Model,
): Promise<GateCheck[]> {
  const table = accuracy && { ...accuracy, table: join(paths.git.tables, `${hexOf(accuracy.table.digest)}.csv`) };
  return judgeModel(
    { maxMegabytes, accuracy: table },
    {
      bytes: bytes.length,
      digest,
      folder: async () => folder,
      before: { digest: serves.digest, folder: async () => modelFolder(paths.models, serves.digest) },
    },
  );
}

/** A failure as whoever pushed reads it. */
export function linesOf(error: unknown): string[] {
  const { details = [], hint } =
    error instanceof SlipwayError ? error : { details: [] as readonly string[], hint: undefined };
  return [messageOf(error), ...details, ...(hint === undefined ? [] : [hint])];
}
