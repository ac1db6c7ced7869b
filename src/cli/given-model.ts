import { resolve } from "node:path";
import type { Digest } from "../common/digest.ts";
import type { Manifest } from "../guest/manifest.ts";
import type { Expectation } from "../health/check-endpoint.ts";
import type { PublicationPlace } from "../release/publication.ts";
import { publishedModel } from "../release/published-model.ts";
import type { ModelCard } from "../serving/models/card.ts";
import { type AnyPackage, packageTar, readPackage } from "../serving/models/package.ts";
import { probeOf } from "../serving/models/probe.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { LocalStack } from "./workspace.ts";

/** A model ready to be published, with what an endpoint serving it must answer. */
export interface ReadyModel {
  name: string;
  bytes: Uint8Array;
  digest: Digest;
  card: ModelCard;
  expectation: Expectation;
}

/**
 * Imports the model that a verb was given, else the configured one, and computes its golden rows; one at an https address is downloaded
 * into the cache first.
 * @throws SlipwayError E_MODEL_INVALID, E_MODEL_LAYER_UNKNOWN, E_MODEL_MISMATCH; E_USAGE for an address that is none
 */
export async function givenModel(
  { config, projectRoot }: LocalStack,
  reporter: Reporter,
  given: string | undefined,
  signal: AbortSignal,
): Promise<ReadyModel> {
  const { name, directory } = config.model;
  return reporter.phase("model", `model ${name}`, async ({ note }) => {
    if (given === undefined || !isAddress(given)) return readyModel(name, resolve(projectRoot, given ?? directory));
    const { downloadedModel } = await import("../release/downloaded-model.ts");
    return readyModel(name, await downloadedModel(given, { log: note, signal }));
  });
}

function isAddress(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

/** Imports a model and computes its golden rows. */
export async function readyModel(name: string, path: string): Promise<ReadyModel> {
  const { importAnyModel } = await import("../serving/models/import-any.ts");
  const model = await importAnyModel(path);
  const { bytes, digest } = await packageTar(model);
  return { name, bytes, digest, card: model.card, expectation: expectationOf(name, digest, model) };
}

/** What an endpoint must answer that serves a published model: by its package in the stack's store. */
export async function expectationOfPublished(
  place: PublicationPlace,
  model: Manifest["models"][number],
): Promise<Expectation> {
  return expectationOf(model.name, model.digest, await readPackage(await publishedModel(place, model)));
}

/** What an endpoint must answer that serves this package under a name. */
export function expectationOf(name: string, digest: Digest, { card, golden }: AnyPackage): Expectation {
  return { digest, ...probeOf(name, card, golden) };
}
