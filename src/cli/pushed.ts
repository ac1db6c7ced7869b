import type { ReleaseStatus } from "../guest/release-progress.ts";
import { readReleaseStatus } from "../health/follow-release.ts";
import { findOwnToken } from "../release/tokens.ts";
import type { LocalStack } from "./workspace.ts";

/** What the host serves of what was pushed to it, upon the release that it follows; undefined where it serves that one. */
export async function servesPush(
  { stackHome }: Pick<LocalStack, "stackHome">,
  url: string,
): Promise<ReleaseStatus["serves"] | undefined> {
  const serves = (await readReleaseStatus(url, { token: await findOwnToken(stackHome) }))?.serves;
  return serves?.push === undefined ? undefined : serves;
}

/** What was pushed, in words. */
export function pushedText({ model, push }: ReleaseStatus["serves"]): string {
  return `${model.name} ${model.version}, pushed to it as ${push?.branch} ${push?.commit.slice(0, 12)}`;
}
