import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { withSecretsOf } from "../values/provider-values.ts";
import { type Context, identityOf, now } from "./context.ts";
import { outputsOf } from "./new-state.ts";
import { providerOf, step } from "./provider-steps.ts";

/**
 * Takes what exists under the id that the program gives into the state, as its provider reads it; the program's inputs are compared
 * with that afterwards (pulumi/pulumi, step.go, ImportStep). Happens in previews too, as nothing is changed by it.
 * @param old what the state had under that URN: it is deleted after the program has run
 * @returns undefined in a preview whose provider cannot be asked yet
 */
export async function importResource(
  context: Context,
  { state, usable }: { state: ResourceState; usable: UsableProvider },
  old: ResourceState | undefined,
): Promise<ResourceState | undefined> {
  if (context.preview && usable.provider === undefined) return undefined;
  const { snapshot } = context;
  const [retires, supersedes] = old?.pendingReplacement ? [undefined, old] : [old, undefined];
  await step(context, retires ? "import-replacement" : "import", state, {}, async () => {
    const pending = context.preview ? undefined : await snapshot.begin("importing", state);
    try {
      await readInto(context, state, usable);
      if (retires !== undefined) {
        retires.delete = true;
        snapshot.rename(retires.urn, state.urn);
      }
      snapshot.put(state, supersedes);
    } finally {
      if (pending !== undefined) snapshot.end(pending);
      await snapshot.save();
    }
  });
  if (retires !== undefined) {
    context.replacements.done.add(state.urn);
    await context.reporter.step("replace", state, {}, async () => undefined);
  }
  return state;
}

async function readInto(context: Context, state: ResourceState, usable: UsableProvider): Promise<void> {
  const id = state.importID ?? "";
  const options = { timeoutSeconds: state.customTimeouts?.read ?? 0, signal: context.signal };
  const found = await providerOf(usable).read(identityOf(state), id, {}, {}, options);
  if (found.id === "") throw new Error(`resource '${id}' does not exist`);
  // A cloud knows no secrets: what the program marks as one is one here too.
  state.inputs = withSecretsOf(found.inputs, state.inputs);
  state.id = found.id;
  state.outputs = outputsOf(found.outputs, state, usable);
  state.created = state.modified = now();
  context.reporter.redactor.learn({ inputs: state.inputs, outputs: state.outputs });
}
