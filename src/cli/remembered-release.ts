import { SlipwayError } from "../common/errors.ts";
import { defaultModel, type Manifest } from "../guest/manifest.ts";
import { checkEndpoint, type Expectation } from "../health/check-endpoint.ts";
import { rememberExpectation } from "../health/expectation.ts";
import type { StagedRelease } from "../release/publication.ts";
import { readStackRecord, recordRelease, type StackRecord } from "../release/stack-record.ts";
import { findOwnToken } from "../release/tokens.ts";
import { identityOf } from "../serving/models/registry.ts";
import type { LocalStack } from "./workspace.ts";

/** A release as the stack remembers it. */
export type Release = NonNullable<StackRecord["release"]>;

/** An endpoint that is asked whether it serves already answers within this, or does not. */
const ASK_MS = 3000;

/**
 * Remembers what serves from now on.
 * @param expectation what its endpoint must answer; undefined where that is remembered already
 */
export async function rememberRelease(
  { stackHome }: Pick<LocalStack, "stackHome">,
  manifest: Manifest,
  expectation: Expectation | undefined,
): Promise<Release> {
  const { sequence, payload, trial } = manifest;
  const remembered = (await readStackRecord(stackHome))?.release;
  if (remembered?.sequence === sequence) return remembered;
  if (expectation !== undefined) await rememberExpectation(stackHome, expectation);
  const release = {
    sequence,
    payload: payload.digest,
    model: identityOf(defaultModel(manifest)),
    ...(trial === undefined ? {} : { trial: { model: identityOf(trial.model), ...trial.traffic } }),
    at: new Date().toISOString(),
  };
  await recordRelease(stackHome, release);
  return release;
}

/**
 * Whether a release serves already. One that was published and never brought to its verdict does not: it may be another payload for the
 * same model.
 */
export async function servesAlready(
  { stackHome }: Pick<LocalStack, "stackHome">,
  { manifest, changed }: Pick<StagedRelease, "manifest" | "changed">,
  url: string,
  expectation: Expectation,
): Promise<boolean> {
  if (changed || (await readStackRecord(stackHome))?.release?.sequence !== manifest.sequence) return false;
  try {
    await checkEndpoint(url, expectation, { timeoutMs: ASK_MS, token: await findOwnToken(stackHome) });
    return true;
  } catch (error) {
    if (error instanceof SlipwayError && error.code === "E_UNHEALTHY") return false;
    throw error;
  }
}
