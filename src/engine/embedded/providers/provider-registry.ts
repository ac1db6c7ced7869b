import { randomUUID } from "node:crypto";
import { type Configuration, namespaceOf } from "../project/configuration.ts";
import type { ResourceState } from "../state/resource-state.ts";
import {
  defaultProviderName,
  dynamicPackage,
  makeUrn,
  parseProviderReference,
  providedPackage,
  providerType,
} from "../urn.ts";
import { containsUnknown, Secret, type ValueMap } from "../values/value.ts";
import type { EngineProvider } from "./engine-provider.ts";
import type { ProviderSource } from "./provider-source.ts";

/** A provider as resources use it. */
export interface UsableProvider {
  /** `<urn>::<id>` */
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
  /** The provider resource of the URN that the last operation left. */
  oldProvider(urn: string): ResourceState | undefined;
  /** Registers a default provider like any other resource and returns its state. */
  registerDefault(urn: string, type: string, inputs: ValueMap): Promise<ResourceState>;
}

/** Finds, configures and closes the providers of one operation, each once. */
export class ProviderRegistry {
  readonly #context: RegistryContext;
  readonly #defaults = new Map<string, Promise<UsableProvider>>();
  readonly #instances = new Map<string, Promise<EngineProvider>>();
  readonly #states = new Map<string, ResourceState>();

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** The provider that a registration, read or look-up names, or its package's default one. */
  async forPackage(packageName: string, version: string, reference: string): Promise<UsableProvider> {
    if (reference !== "") return this.#usable(reference);
    const { stack, project } = this.#context;
    const type = providerType(packageName);
    const urn = makeUrn(stack, project, "", type, defaultProviderName(version));
    let registered = this.#defaults.get(urn);
    if (registered === undefined) {
      registered = this.#context
        .registerDefault(urn, type, this.defaultInputs(packageName, version))
        .then((state) => this.#usable(`${urn}::${state.id ?? ""}`));
      this.#defaults.set(urn, registered);
    }
    return registered;
  }

  /** The provider of a resource in the state: this run's configuration where the program has registered it, else the state's own. */
  forState(state: ResourceState): Promise<UsableProvider> {
    return this.#usable(state.provider ?? "");
  }

  /** Takes note of a provider resource of this run. */
  registered(state: ResourceState): void {
    this.#states.set(state.urn, state);
  }

  /** A default provider's inputs: the configuration of its namespace and its version. */
  defaultInputs(packageName: string, version: string): ValueMap {
    const { configuration } = this.#context;
    // Dynamic providers belong to the program and see the whole configuration.
    const own = packageName === dynamicPackage ? configuration : namespaceOf(configuration, packageName);
    const inputs: ValueMap = { __internal: {} };
    for (const [key, text] of Object.entries(own.values)) {
      inputs[key] = own.secretKeys.includes(key) ? Secret.of(text) : text;
    }
    return version === "" ? inputs : { ...inputs, version };
  }

  async #usable(reference: string): Promise<UsableProvider> {
    const { urn } = parseProviderReference(reference);
    const state = this.#states.get(urn) ?? this.#context.oldProvider(urn);
    if (state === undefined) throw new Error(`there is no provider ${reference}`);
    if (containsUnknown(state.inputs)) return { reference, provider: undefined };
    let instance = this.#instances.get(urn);
    if (instance === undefined) {
      instance = this.#configured(state);
      this.#instances.set(urn, instance);
    }
    return { reference, provider: await instance };
  }

  async #configured({ urn, type, id = "", inputs }: ResourceState): Promise<EngineProvider> {
    const version = typeof inputs.version === "string" ? inputs.version : "";
    const provider = await this.#context.source.open(providedPackage(type), version);
    await provider.configure({ urn, id, inputs });
    return provider;
  }

  /** Closes every provider that was configured. */
  async close(): Promise<void> {
    const closing = [...this.#instances.values()].map(async (instance) => {
      // One that could not be configured has failed the operation already.
      const provider = await instance.catch(() => undefined);
      await provider?.close();
    });
    await Promise.all(closing);
    await this.#context.source.close();
  }
}

/** A new provider resource's id. */
export function newProviderId(): string {
  return randomUUID();
}
