import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { withSecretKeys, withSecretsOf } from "../values/provider-values.ts";
import { type Context, identityOf, now } from "./context.ts";
import { outputsOf } from "./new-state.ts";
import { providerOf, step } from "./provider-steps.ts";
import type { StepFacts } from "./step-metadata.ts";

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
      await readInto(context, state, usable, state.importID ?? "");
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

/**
 * Takes into the state what no program has asked for: the inputs are those that the provider reads. Where they do not pass its own check,
 * a warning says so: the object is there all the same (pulumi/pulumi, step.go, ImportStep, planned).
 * @param id what the provider knows the object by
 */
export async function importUnasked(
  context: Context,
  { state, usable }: { state: ResourceState; usable: UsableProvider },
  id: string,
): Promise<void> {
  const { snapshot } = context;
  const facts: StepFacts = {};
  await step(context, "import", state, facts, async () => {
    const pending = context.preview ? undefined : await snapshot.begin("importing", state);
    try {
      await readInto(context, state, usable, id);
      state.inputs = withSecretKeys(state.inputs, providerOf(usable).secretOutputs(state.type));
      context.reporter.redactor.learn(state.inputs);
      facts.old = { ...state };
      await checkOwn(context, state, usable);
      snapshot.put(state);
    } finally {
      if (pending !== undefined) snapshot.end(pending);
      await snapshot.save();
    }
  });
}

async function checkOwn({ reporter }: Context, state: ResourceState, usable: UsableProvider): Promise<void> {
  const { inputs, failures } = await providerOf(usable).check(identityOf(state), state.inputs, state.inputs);
  if (failures.length === 0) state.inputs = withSecretsOf(inputs, state.inputs);
  for (const { property, reason } of failures) {
    const where = property === "" ? "" : `${property}: `;
    reporter.message("warning", `imported as it is, but not valid in a program: ${where}${reason}`, state.urn);
  }
}

async function readInto(context: Context, state: ResourceState, usable: UsableProvider, id: string): Promise<void> {
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
