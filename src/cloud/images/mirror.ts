import { SlipwayError } from "../../common/errors.ts";
import { run } from "../../common/process.ts";
import type { DebianMirror } from "./recipe.ts";

const debianSuites =
  /^(bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)(-updates|-security|\/updates)?$/;

/**
 * The Debian archive in the output of `apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)'`, or undefined on a machine
 * that has none (another distribution).
 */
export function mirrorIn(indexTargets: string): DebianMirror | undefined {
  const rows = indexTargets
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, release, component]) => component === "main" && debianSuites.test(release ?? ""));
  const uriWhere = (security: boolean) =>
    rows.find(([, release]) => /security|\/updates$/.test(release ?? "") === security)?.[0];
  const archive = uriWhere(false);
  if (archive === undefined) return undefined;
  const security = uriWhere(true);
  return security === undefined ? { archive } : { archive, security };
}

/**
 * The mirror that this machine's apt is configured for; `SLIPWAY_DEBIAN_MIRROR` wins (machines that are not Debian's).
 * @throws SlipwayError E_HOST_PACKAGES when neither names one
 */
export async function hostMirror(env: NodeJS.ProcessEnv = process.env): Promise<DebianMirror> {
  if (env.SLIPWAY_DEBIAN_MIRROR) return { archive: env.SLIPWAY_DEBIAN_MIRROR };
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const { stdout } = await run("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const mirror = mirrorIn(stdout);
  if (mirror !== undefined) return mirror;
  throw new SlipwayError(
    "E_HOST_PACKAGES",
    "this machine's apt sources name no Debian archive to build the guest image from",
    {
      hint: "Set SLIPWAY_DEBIAN_MIRROR to the URL of a Debian archive.",
    },
  );
}
