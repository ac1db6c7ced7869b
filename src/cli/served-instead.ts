import type { ReleaseStatus } from "../guest/release-progress.ts";
import { servedVersion } from "../health/check-endpoint.ts";
import { readReleaseStatus } from "../health/follow-release.ts";
import { findOwnToken } from "../release/tokens.ts";
import type { ModelIdentity } from "../serving/models/registry.ts";
import type { LocalStack } from "./workspace.ts";

/** A model that serves in place of the one that is published. */
export interface ServedInstead {
  model: ModelIdentity;
  /** Where it was pushed to the host. */
  push?: ReleaseStatus["serves"]["push"];
}

/**
 * What an endpoint's host serves in place of the release that it follows: what was pushed to it, or put into service on it since, by a training
 * for one. Undefined where it serves that release, is at another one, or does not tell.
 * @param url of the endpoint
 * @param sequence of the release
 */
export async function servedInstead(
  { stackHome }: Pick<LocalStack, "stackHome">,
  url: string,
  sequence: number | undefined,
): Promise<ServedInstead | undefined> {
  const token = await findOwnToken(stackHome);
  const [told, model] = await Promise.all([readReleaseStatus(url, { token }), servedVersion(url, { token })]);
  if (told === undefined) return undefined;
  const { serves, last } = told;
  const isOther = model !== undefined && model.digest !== serves.model.digest;
  const isSettled = serves.sequence === sequence && last.result !== "underway";
  if (isOther && isSettled) return { model };
  return serves.push === undefined ? undefined : serves;
}

/** What serves instead, in words. */
export function insteadText({ model: { name, version }, push }: ServedInstead): string {
  const how =
    push === undefined ? "put into service on the host" : `pushed to it as ${push.branch} ${push.commit.slice(0, 12)}`;
  return `${name} ${version}, ${how}`;
}
