import { z } from "zod";
import type { Traffic } from "../../../guest/release-terms.ts";
import { identitySchema } from "../../models/registry.ts";
import { trialFigures } from "../trials/trial-figures.ts";

const count = z.number().min(0);

export const versionFigures = z.object({
  processes: count.describe("processes of the frontend that told their figures"),
  serves: z
    .array(
      identitySchema.extend({
        way: z.string().describe("`live`, `canary` or `shadow` with its percent, `beside`"),
        processes: count.describe("for which it serves in this way"),
      }),
    )
    .describe("versions that are in memory"),
  asked: z
    .array(
      z.object({
        name: z.string(),
        version: z.string(),
        answered: count.describe("requests"),
        failed: count.describe("requests that failed by the model or the host"),
        refused: count.describe("requests that failed by what was asked"),
        latency: z
          .object({ bounds: z.array(z.number()), counts: z.array(count) })
          .describe("how many requests took up to so many seconds, not cumulative; one count more than bounds"),
      }),
    )
    .describe(
      "versions that were asked since the frontend was started, all its processes together; copies in shadow mode among it",
    ),
  trials: z.array(trialFigures).default([]).describe("what came of trials since the frontend was started"),
});

/** What a host's versions do, and for how many of the frontend's processes each serves: what a release is judged by. */
export type VersionFigures = z.infer<typeof versionFigures>;

/** The same of one version. */
export type AskedVersion = VersionFigures["asked"][number];

/** In which way a version serves, in words: `live`, `canary 10` and `shadow 50` with their percent, or `beside`. */
export function wayOf({ live, trial }: { live: boolean; trial?: Traffic }): string {
  if (live) return "live";
  return trial ? `${trial.mode} ${trial.percent}` : "beside";
}
