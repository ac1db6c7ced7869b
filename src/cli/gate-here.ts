import type { Manifest } from "../guest/manifest.ts";
import type { GateCheck } from "../health/gate/checks.ts";
import type { PublicationPlace } from "../release/publication.ts";
import { publishedModel, unpackedModel } from "../release/published-model.ts";
import type { ReadyModel } from "./given-model.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { LocalStack } from "./workspace.ts";

/** What a model is judged beside. */
interface Beside {
  place: PublicationPlace;
  /** What hosts follow now. */
  followed: Manifest | undefined;
  /** Of the endpoint; undefined before it has an address. */
  url: string | undefined;
  signal: AbortSignal;
}

/**
 * Judges a model here, before anything of it is published, by what the stack's gate asks; a model that hosts follow already was judged.
 * @throws SlipwayError E_GATE_FAILED with all checks; E_CONFIG_INVALID for a table that does not fit
 */
export async function passGateHere(
  { config, projectRoot }: LocalStack,
  reporter: Reporter,
  model: ReadyModel,
  { place, followed, url = "", signal }: Beside,
): Promise<GateCheck[]> {
  const { gate } = config;
  const [served] = followed?.models ?? [];
  if (gate === undefined || served?.digest === model.digest) return [];
  if (gate.maxMegabytes === undefined && gate.accuracy === undefined && gate.command === undefined) return [];
  const [{ judgeHere }, { checkLine, requirePassed }] = await Promise.all([
    import("../health/gate/judge.ts"),
    import("../health/gate/checks.ts"),
  ]);
  return reporter.phase("gate", "gate judged here", async ({ note, detail }) => {
    const checks = await judgeHere(
      gate,
      {
        bytes: model.bytes.length,
        digest: model.digest,
        folder: () => unpackedModel(model.digest, async () => model.bytes),
        before: served && { digest: served.digest, folder: () => publishedModel(place, served) },
      },
      { projectRoot, endpoint: url, signal, onLine: detail },
    );
    requirePassed(checks);
    for (const check of checks) note(checkLine(check));
    return checks;
  });
}
