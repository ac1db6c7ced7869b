import { isDeepStrictEqual } from "node:util";
import { SlipwayError } from "../common/errors.ts";
import { configPlace, setConfig } from "../engine/embedded/operations/config.ts";
import { defaultModel } from "../guest/manifest.ts";
import { type Scale, scaleSchema } from "../guest/settings.ts";
import { stageKnown } from "../release/publication.ts";
import type { StackLock } from "../release/stack-lock.ts";
import { expectationOfPublished } from "./given-model.ts";
import { termsOf } from "./release-terms.ts";
import { carryOut, openServingStack, type Released } from "./serving-stack.ts";
import { placeStack } from "./stack-place.ts";
import type { Reporter } from "./ui/reporter.ts";
import type { Workspace } from "./workspace.ts";

/** What the command line says: a stack's name, and `worker=3` or `runtime=2`. */
export function scaleFrom(words: readonly string[]): { stack: string | undefined; scale: Scale } {
  const counts = words.filter((word) => word.includes("="));
  const [stack, ...rest] = words.filter((word) => !word.includes("="));
  const given = Object.fromEntries(counts.map((word) => word.split("=", 2) as [string, string]));
  const scale = scaleSchema.strict().safeParse(mapped(given));
  if (counts.length > 0 && rest.length === 0 && scale.success) return { stack, scale: scale.data };
  const wrong = rest[0] ?? counts.join(" ");
  throw new SlipwayError("E_USAGE", wrong === "" ? "how many of what?" : `${wrong} is not understood`, {
    hint: "Write it like `slipway scale production worker=3`; worker and runtime can be scaled, from 1 to 64.",
  });
}

function mapped(given: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given).map(([name, text]) => [name, /^\d{1,2}$/.test(text) ? Number(text) : text]),
  );
}

/**
 * Has a stack's hosts run another number of workers or runtimes, and notes it in the stack's file once they do, so that the next `up` keeps
 * it. What is not named stays as it is.
 * @throws SlipwayError E_USAGE where the runtimes' groups say themselves how many they are, E_GATE_FAILED
 */
export async function scaleServices(
  workspace: Workspace,
  reporter: Reporter,
  scale: Scale,
  { lock, watchSeconds, signal }: { lock: StackLock; watchSeconds: number | undefined; signal: AbortSignal },
): Promise<Released> {
  const { stack, config } = workspace;
  if (scale.runtime !== undefined && config.serving?.runtimes !== undefined) {
    throw new SlipwayError("E_USAGE", `${stack} has groups of runtimes of its own`, {
      hint: "Their `replicas` in serving.runtimes of the stack's file say how many there are; then run `slipway up`.",
    });
  }
  const serving = await openServingStack(workspace, reporter, lock);
  const { place, followed } = serving;
  const { payload, models, trial, settings } = followed;
  const model = defaultModel(followed);
  const expectation = await reporter.phase("model", `${model.name} version ${model.version}`, () =>
    expectationOfPublished(place, model),
  );
  const content = { payload, models, ...(trial && { trial }), settings: scaled(settings, scale) };
  const staged = await stageKnown({ ...place, content, terms: termsOf(workspace, "scale", { watchSeconds }) });
  const released = await carryOut(workspace, reporter, serving, { kind: "scale", staged, expectation, signal });
  await note(stack, config.scale, scale);
  return released;
}

function scaled<S extends { scale?: Scale | undefined }>(settings: S, scale: Scale): S {
  const wanted = { ...settings.scale, ...scale };
  return isDeepStrictEqual(wanted, settings.scale) ? settings : { ...settings, scale: wanted };
}

async function note(stack: string, noted: Scale | undefined, scale: Scale): Promise<void> {
  for (const [name, count] of Object.entries(scale)) {
    if (noted?.[name as keyof Scale] === count) continue;
    const { files } = await placeStack(stack); // read anew: what was set before stands in it
    await setConfig(files, configPlace(files, `scale.${name}`, true), String(count));
  }
}
