import type { DiffResult } from "../../resource-provider.ts";
import type { Configuration } from "../project/configuration.ts";
import type { ResourceState } from "../state/resource-state.ts";
import {
  defaultProviderName,
  isProviderType,
  makeUrn,
  nameOf,
  parseProviderReference,
  providedPackage,
  providerType,
} from "../urn.ts";
import { containsUnknown, type ValueMap } from "../values/value.ts";
import { assertDefaultAllowed, defaultInputs, type PackageRequest } from "./default-providers.ts";
import type { EngineProvider } from "./engine-provider.ts";
import { providerOfProviders, withoutInternal } from "./provider-resources.ts";
import type { ProviderSource } from "./provider-source.ts";

/** A provider as resources use it. */
export interface UsableProvider {
  /** `<urn>::<id>`; empty for provider resources. */
  reference: string;
  /** Undefined in a preview whose provider configuration is not known yet: nothing can be asked of it. */
  provider: EngineProvider | undefined;
}

/** What the registry needs of the operation it serves. */
export interface RegistryContext {
  source: Pick<ProviderSource, "open" | "close">;
  stack: string;
  project: string;
  configuration: Configuration;
  /** The provider resource that a reference of the state names, as the operation has it so far. */
  oldProvider(reference: { urn: string; id: string }): ResourceState | undefined;
  /** The URN that a resource of the state has now. */
  currentUrn(urn: string): string;
  /** Registers a default provider like any other resource and returns its state. */
  registerDefault(type: string, name: string, inputs: ValueMap): Promise<ResourceState>;
}

/** Finds, configures and closes the providers of one operation, each once. */
export class ProviderRegistry {
  readonly #context: RegistryContext;
  readonly #defaults = new Map<string, Promise<UsableProvider>>();
  readonly #instances = new Map<string, Promise<EngineProvider>>();
  /** Made to check a configuration and not configured yet, by URN and version. */
  readonly #candidates = new Map<string, Promise<EngineProvider>>();
  readonly #states = new Map<string, ResourceState>();
  readonly #ofProviders: UsableProvider;

  constructor(context: RegistryContext) {
    this.#context = context;
    const instanceOf = (urn: string, type: string, inputs: ValueMap) => this.#candidate(urn, type, inputs);
    this.#ofProviders = { reference: "", provider: providerOfProviders(instanceOf) };
  }

  /** The provider of a resource to be registered, read or looked up: the one that it names, or its package's default one. */
  async forRequest(type: string, request: PackageRequest, reference: string): Promise<UsableProvider> {
    if (isProviderType(type)) return this.#ofProviders;
    if (reference !== "") return this.#usable(reference);
    assertDefaultAllowed(this.#context.configuration, request.name, type);
    const { stack, project } = this.#context;
    const name = defaultProviderName(request.version, request.pluginDownloadUrl);
    const urn = makeUrn(stack, project, "", providerType(request.name), name);
    let registered = this.#defaults.get(urn);
    if (registered === undefined) {
      registered = this.#context
        .registerDefault(providerType(request.name), name, defaultInputs(this.#context.configuration, request))
        .then((state) => this.#usable(`${urn}::${state.id ?? ""}`));
      this.#defaults.set(urn, registered);
    }
    return registered;
  }

  /** The provider of a resource in the state: this run's configuration where the program has registered it, else the state's own. */
  forState(state: ResourceState): Promise<UsableProvider> {
    return isProviderType(state.type) ? Promise.resolve(this.#ofProviders) : this.#usable(state.provider ?? "");
  }

  /** Takes note of a provider resource of this run. */
  registered(state: ResourceState): void {
    this.#states.set(state.urn, state);
  }

  /** A default provider's inputs as the configuration is now. */
  defaultInputs(packageName: string, version: string): ValueMap {
    return defaultInputs(this.#context.configuration, { name: packageName, version, pluginDownloadUrl: "" });
  }

  /**
   * What the new one of two providers says of looking after the old one's resources; undefined where it cannot tell.
   * @param before the old provider's resource as the last operation left it
   */
  async compare(before: ResourceState, usable: UsableProvider): Promise<DiffResult | undefined> {
    const { urn } = parseProviderReference(usable.reference);
    const after = this.#states.get(urn);
    if (after === undefined) return undefined;
    const r = { urn, type: after.type, name: nameOf(urn) };
    const [oldInputs, news] = [withoutInternal(before.inputs), withoutInternal(after.inputs)];
    return usable.provider?.diffConfig?.(r, before.outputs, oldInputs, news);
  }

  async #usable(reference: string): Promise<UsableProvider> {
    const state = this.#find(parseProviderReference(reference));
    if (state === undefined) throw new Error(`there is no provider ${reference}`);
    if (containsUnknown(state.inputs)) return { reference, provider: undefined };
    const key = `${state.urn}::${state.id ?? ""}`;
    let instance = this.#instances.get(key);
    if (instance === undefined) {
      instance = this.#configured(state);
      this.#instances.set(key, instance);
    }
    return { reference, provider: await instance };
  }

  /** Two generations of a replaced provider share a URN: the id tells which is meant. */
  #find({ urn, id }: { urn: string; id: string }): ResourceState | undefined {
    const ofThisRun = this.#states.get(this.#context.currentUrn(urn));
    if (ofThisRun?.id === id) return ofThisRun;
    return this.#context.oldProvider({ urn, id }) ?? ofThisRun;
  }

  async #configured({ urn, type, id = "", inputs }: ResourceState): Promise<EngineProvider> {
    const provider = await this.#candidate(urn, type, inputs);
    this.#candidates.delete(candidateKey(urn, inputs));
    await provider.configure({ urn, id, inputs });
    return provider;
  }

  /** The provider that a provider resource will configure. */
  #candidate(urn: string, type: string, inputs: ValueMap): Promise<EngineProvider> {
    const key = candidateKey(urn, inputs);
    const known = this.#candidates.get(key);
    if (known !== undefined) return known;
    const made = this.#context.source.open(providedPackage(type), versionOf(inputs));
    this.#candidates.set(key, made);
    return made;
  }

  /** Closes every provider that was made. */
  async close(): Promise<void> {
    const closing = [...this.#instances.values(), ...this.#candidates.values()].map(async (instance) => {
      // One that could not be made or configured has failed the operation already.
      const provider = await instance.catch(() => undefined);
      await provider?.close();
    });
    await Promise.all(closing);
    await this.#context.source.close();
  }
}

function candidateKey(urn: string, inputs: ValueMap): string {
  return `${urn} ${versionOf(inputs)}`;
}

function versionOf({ version }: ValueMap): string {
  return typeof version === "string" ? version : "";
}
