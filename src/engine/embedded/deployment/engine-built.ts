import { SlipwayError } from "../../../common/errors.ts";
import type { EngineProvider } from "../providers/engine-provider.ts";
import { diffInputs } from "../steps/decision.ts";
import { Secret, someWithin, type ValueMap } from "../values/value.ts";
import type { OtherStacks } from "./other-stacks.ts";

/** The package that the engine is the provider of. */
export const enginePackage = "pulumi";
export const stackReferenceType = "pulumi:pulumi:StackReference";

/** The engine's own provider: it reads other stacks (pulumi/pulumi, pkg/resource/deploy/builtins.go). */
export function stackReferences(stacks: OtherStacks, tell: (text: string) => void): EngineProvider {
  const outputsOf = async (name: unknown): Promise<ValueMap> => {
    if (typeof name !== "string") throw new Error("a stack reference needs the name of a stack");
    const { outputs, elided } = await stacks.outputs(name);
    if (elided) tell(`eliding undecryptable secrets for stack reference '${name}'`);
    const isSecret = (key: string) => someWithin(outputs[key] ?? null, (part) => part instanceof Secret);
    return { name, outputs, secretOutputNames: Object.keys(outputs).filter(isSecret).sort() };
  };
  const owned = async (): Promise<never> => {
    throw unsupported("resources of the engine itself: they are only read");
  };
  return {
    configure: async () => undefined,
    read: async (_r, id, _outputs, inputs) => ({ id, inputs, outputs: await outputsOf(inputs.name) }),
    async invoke(token, args) {
      if (token === "pulumi:pulumi:readStackOutputs") return { result: await outputsOf(args.name), failures: [] };
      if (token !== "pulumi:pulumi:readStackResourceOutputs") throw unsupported(`the function ${token}`);
      const name = String(args.stackName);
      return { result: { name, outputs: await stacks.resources(name) }, failures: [] };
    },
    check: owned,
    diff: async (_r, _id, _olds, oldInputs, news) => diffInputs(oldInputs, news), // asked by a refresh
    create: owned,
    update: owned,
    delete: owned,
    secretOutputs: () => [],
    close: async () => undefined,
  };
}

/** The error for a part of Pulumi that belongs to the official engine. */
export function unsupported(feature: string): SlipwayError {
  return new SlipwayError("E_UNSUPPORTED", `the embedded engine does not do ${feature}`, {
    hint: "Do without it, or run the stack with the official engine (pulumi on PATH); program and state stay as they are.",
  });
}
