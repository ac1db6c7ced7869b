import { SlipwayError } from "../common/errors.ts";
import { defaultModel, type Manifest } from "../guest/manifest.ts";
import { readHistory, releaseBefore } from "../release/history.ts";
import { stageKnown } from "../release/publication.ts";
import { publishedModel } from "../release/published-model.ts";
import type { StackLock } from "../release/stack-lock.ts";
import { readPackage } from "../serving/models/package.ts";
import { demandsBeside } from "./gate-here.ts";
import { expectationOf } from "./given-model.ts";
import { termsOf } from "./release-terms.ts";
import { carryOut, openServingStack, type Released } from "./serving-stack.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Releases again what a stack served before, payload and model, through the same gate as any release.
 * @param wanted sequence of the release; undefined for the one before that which serves
 * @throws SlipwayError E_USAGE for a release that is not remembered or never passed, E_PAYLOAD_MISSING where its files are gone,
 * E_GATE_FAILED
 */
export async function rollBack(
  workspace: Workspace,
  reporter: Reporter,
  wanted: number | undefined,
  { lock, watchSeconds, signal }: { lock: StackLock; watchSeconds: number | undefined; signal: AbortSignal },
): Promise<Released> {
  const serving = await openServingStack(workspace, reporter, lock);
  const { place, followed, pushed } = serving;
  const target = wanted === undefined && pushed ? followed : await releaseToReturnTo(workspace, followed, wanted);
  const model = defaultModel(target);
  const expectation = await reporter.phase("model", `${model.name} version ${model.version}`, async ({ note }) => {
    const published = await readPackage(await publishedModel(place, model));
    // who names a release means what its clients asked
    for (const demand of await demandsBeside(reporter, place, defaultModel(followed), published.card)) note(demand);
    return expectationOf(model.name, model.digest, published);
  });
  const { payload, models } = target;
  const terms = termsOf(workspace, "rollback", { watchSeconds });
  const content = { payload, models, settings: followed.settings };
  const staged = await stageKnown({ ...place, content, terms, again: pushed });
  return carryOut(workspace, reporter, serving, { kind: "rollback", staged, expectation, signal });
}

async function releaseToReturnTo(
  { stack, stackHome }: Workspace,
  followed: Manifest,
  wanted: number | undefined,
): Promise<Manifest> {
  const history = await readHistory(stackHome);
  const hint = `Choose one that passed; \`slipway releases ${stack}\` lists them.`;
  if (wanted === undefined) {
    const before = releaseBefore(history, followed);
    if (before !== undefined) return before;
    throw new SlipwayError("E_USAGE", `no release before the one that serves is remembered for ${stack}`, { hint });
  }
  const found = history.find(({ manifest }) => manifest.sequence === wanted);
  if (found === undefined)
    throw new SlipwayError("E_USAGE", `release ${wanted} of ${stack} is not remembered here`, { hint });
  if (found.result === "passed") return found.manifest;
  throw new SlipwayError("E_USAGE", `release ${wanted} of ${stack} never served: its result is ${found.result}`, {
    hint,
  });
}
