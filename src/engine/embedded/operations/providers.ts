import { enginePackage, stackReferences } from "../deployment/engine-built.ts";
import type { Configuration } from "../project/configuration.ts";
import { ProviderRegistry } from "../providers/provider-registry.ts";
import { ProviderSource } from "../providers/provider-source.ts";
import type { ResourceState } from "../state/resource-state.ts";
import type { Snapshot } from "../state/snapshot.ts";
import { bareGoal, type Goal } from "../steps/goal.ts";
import { dynamicPackage, providedPackage } from "../urn.ts";
import type { Operation } from "./operation.ts";
import { otherStacks } from "./other-stacks.ts";

/** What of an operation under way the registry leans on. */
interface Surroundings {
  configuration: Configuration;
  snapshot: Snapshot;
  /** The URN that a resource of the state has now. */
  currentUrn: (urn: string) => string;
  /** Brings a default provider to what is wanted, as any resource of the program. */
  register: (goal: Goal) => Promise<ResourceState>;
}

/** The providers of one operation: the engine's own, those of this process, and plugins. */
export function registryOf(operation: Operation, surroundings: Surroundings): ProviderRegistry {
  const { stack, files, reporter } = operation;
  const { configuration, snapshot, currentUrn, register } = surroundings;
  const references = stackReferences(otherStacks(stack), (text) => reporter.message("info", text));
  const others = providerSource(operation, configuration);
  const registry: ProviderRegistry = new ProviderRegistry({
    source: {
      open: async (name, version) => (name === enginePackage ? references : others.open(name, version)),
      close: () => others.close(),
    },
    stack: stack.stack,
    project: files.project.name,
    configuration,
    oldProvider: (reference) => withCurrentConfiguration(providerIn(snapshot, reference), registry, configuration),
    currentUrn,
    registerDefault: (type, name, inputs) => register({ ...bareGoal(type, name), inputs }),
  });
  return registry;
}

function providerSource(operation: Operation, configuration: Configuration): ProviderSource {
  const { setting, stack, files, reporter, signal } = operation;
  return new ProviderSource(setting.providers, async () => {
    const { startPluginHost } = await import("../../plugins/plugin-host.ts");
    return startPluginHost({
      project: files.project,
      configuration: configuration.values,
      nodePath: setting.nodePath,
      env: stack.env ?? {},
      signal,
      tell: (severity, message, urn) => reporter.message(severity, message, urn),
    });
  });
}

/**
 * A default provider that the program does not register any more (or a destroy, which runs no program) is still configured as the
 * stack's configuration says now: a password that was changed since would lock the user out of the clean-up.
 */
function withCurrentConfiguration(
  state: ResourceState | undefined,
  registry: ProviderRegistry,
  configuration: Configuration,
): ResourceState | undefined {
  if (state === undefined || state.parent !== undefined) return state;
  const packageName = providedPackage(state.type);
  const configured =
    packageName === dynamicPackage ||
    Object.keys(configuration.values).some((key) => key.startsWith(`${packageName}:`));
  if (!configured) return state;
  const version = typeof state.inputs.version === "string" ? state.inputs.version : "";
  return { ...state, inputs: registry.defaultInputs(packageName, version) };
}

/** The provider that a reference names; its id tells apart the generations of a replaced one. */
function providerIn(snapshot: Snapshot, { urn, id }: { urn: string; id: string }): ResourceState | undefined {
  const generation = snapshot.resources().find((state) => state.urn === urn && state.id === id);
  return generation ?? snapshot.current(urn);
}
