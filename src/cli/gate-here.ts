import { messageOf } from "../common/errors.ts";
import type { Manifest, Model } from "../guest/manifest.ts";
import type { PublicationPlace } from "../release/publication.ts";
import { publishedModel, unpackedModel } from "../release/published-model.ts";
import type { GateCheck } from "../serving/judging/checks.ts";
import type { ModelCard } from "../serving/models/card.ts";
import { newDemands } from "../serving/models/new-demands.ts";
import { readPackage } from "../serving/models/package.ts";
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
  /** Whether it is released though it refuses what clients ask of the one that serves: that is told then. */
  allowNewInputs: boolean;
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
  { place, followed, url = "", allowNewInputs, signal }: Beside,
): Promise<GateCheck[]> {
  const { gate } = config;
  const [served] = followed?.models ?? [];
  if (served?.digest === model.digest) return [];
  const demands = served === undefined ? [] : await demandsBeside(reporter, place, served, model.card);
  const asksMore = gate?.maxMegabytes !== undefined || gate?.accuracy !== undefined || gate?.command !== undefined;
  if (demands.length === 0 && !asksMore) return [];
  const { checkLine, inputsCheck, requirePassed } = await import("../serving/judging/checks.ts");
  return reporter.phase("gate", "gate judged here", async ({ note, detail }) => {
    const inputs = demands.length === 0 ? [] : [inputsCheck(demands, allowNewInputs)];
    requirePassed(inputs);
    for (const check of inputs) note(checkLine(check));
    if (gate === undefined || !asksMore) return inputs;
    const { judgeHere } = await import("../health/gate/judge.ts");
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
    return [...inputs, ...checks];
  });
}

/** What clients of the model that serves ask and this one would refuse; where its package is gone the hosts judge alone. */
export async function demandsBeside(
  reporter: Reporter,
  place: PublicationPlace,
  served: Model,
  card: ModelCard,
): Promise<string[]> {
  try {
    return newDemands((await readPackage(await publishedModel(place, served))).card, card);
  } catch (error) {
    reporter.note(`what clients of version ${served.version} ask is judged by the hosts alone: ${messageOf(error)}`);
    return [];
  }
}
