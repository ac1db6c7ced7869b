import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Digest } from "../../common/digest.ts";
import { SlipwayError } from "../../common/errors.ts";
import { importAnyModel } from "../../serving/models/import-any.ts";
import { isPackage, packageTar, readPackage } from "../../serving/models/package.ts";
import { unpackPackage } from "../../serving/models/shelf.ts";
import type { TrainResult } from "../../serving/training/contract.ts";
import { verdictLines } from "../../serving/training/gate.ts";
import { trainModel } from "../../serving/training/train-model.ts";
import { printable, type Reporter } from "../ui/reporter.ts";
import { reportEpoch } from "./epochs.ts";
import type { WantedTraining } from "./wanted.ts";

/** Where a training's parts are on this machine. */
interface Places {
  /** The CSV file with the rows. */
  data: string;
  /** The folder for the model: none yet, or an empty one. */
  output: string;
  /** The model that the training goes on from: a folder or a file. */
  parent: string | undefined;
}

/** A model that was trained here. */
export interface TrainedHere extends Omit<TrainResult, "package"> {
  digest: Digest;
  /** The folder that it lies in, whole. */
  output: string;
}

/**
 * Trains on this machine and leaves the model in a folder.
 * @throws SlipwayError as `trainModel`; E_GATE_FAILED, and then there is no folder; E_USAGE for a folder that is not empty
 */
export async function trainHere(
  { spec, trainers }: WantedTraining,
  places: Places,
  { reporter, signal }: { reporter: Reporter; signal: AbortSignal },
): Promise<TrainedHere> {
  const output = resolve(places.output);
  await requireEmpty(output);
  await requireFile(places.data);
  const scratch = await mkdtemp(join(tmpdir(), "slipway-train-"));
  try {
    const parent =
      places.parent === undefined
        ? undefined
        : await reporter.phase("parent", `the parent ${places.parent}`, () =>
            laidOut(places.parent as string, join(scratch, "parent")),
          );
    const request = { spec, data: { path: places.data }, ...(parent && { parent }) };
    const { package: model, ...result } = await reporter.phase("train", `train on ${places.data}`, ({ note, detail }) =>
      trainModel(request, {
        trainers,
        signal,
        onProgress: (epoch) => reportEpoch(reporter, epoch),
        onLog: ({ source, text }) => (source === "trainer" ? note : detail)(printable(text)),
      }),
    );
    requirePassed(result);
    const { bytes, digest } = await packageTar(model);
    await leave(bytes, output);
    return { ...result, digest, output };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A model as a trainer takes its parent: unpacked, under its digest. */
async function laidOut(path: string, folder: string): Promise<{ digest: Digest; folder: string }> {
  if (await isPackage(path)) return { digest: (await packageTar(await readPackage(path))).digest, folder: path };
  const { bytes, digest } = await packageTar(await importAnyModel(path));
  await mkdir(folder);
  await unpackPackage(bytes, folder);
  return { digest, folder };
}

function requirePassed({ verdict }: Pick<TrainResult, "verdict">): void {
  if (verdict.passed) return;
  const [, ...checks] = verdictLines(verdict);
  throw new SlipwayError("E_GATE_FAILED", "the trained model does not pass its gate; it was not kept", {
    details: checks,
    hint: "Train it better, as docs/how-to/train.md tells, or ask less of it.",
  });
}

/** Puts the package where it belongs: whole or not at all. */
async function leave(tar: Uint8Array, output: string): Promise<void> {
  await mkdir(dirname(output), { recursive: true });
  const scratch = await mkdtemp(join(dirname(output), ".slipway-model-"));
  try {
    await unpackPackage(tar, scratch);
    await rename(scratch, output); // also over an empty folder
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    throw error;
  }
}

async function requireEmpty(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined || (found.isDirectory() && (await readdir(folder)).length === 0)) return;
  throw new SlipwayError("E_USAGE", `${folder} is there already and no empty folder`, {
    hint: "Name a new folder: --output DIR.",
  });
}

async function requireFile(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isFile()) return;
  throw new SlipwayError("E_USAGE", `there is no file ${path}`, { hint: "Name the file with the rows: --data FILE." });
}
