import { type ResourceOperations, type ResourceProvider, unknown } from "../../resource-provider.ts";
import { mapToProvider, toProvider } from "../values/provider-values.ts";
import type { ValueMap } from "../values/value.ts";

/** A provider resource, as its provider is configured from it. */
export interface ProviderConfiguration {
  urn: string;
  id: string;
  inputs: ValueMap;
}

/** A provider as the engine asks it: values keep their secrets and references, and what a provider must not see goes no further. */
export interface EngineProvider extends ResourceOperations<ValueMap> {
  configure(configuration: ProviderConfiguration): Promise<void>;
}

/** Inputs of a provider resource that configure the engine, not the provider. */
const ownInputs = new Set(["version", "pluginDownloadURL", "__internal"]);

/** Every member named, so that none that is added is forgotten on the way. */
type Complete = { [Member in keyof Required<EngineProvider>]: EngineProvider[Member] };

/** A provider of this process: it gets secrets in clear and references as ids. Callers mark its answers secret again. */
export function inProcess(provider: ResourceProvider): EngineProvider {
  const plain = mapToProvider;
  const { checkConfig, diffConfig, findInterrupted, mayHaveMade, repeatedInputs } = provider;
  const adapted: Complete = {
    configure: ({ inputs }) => provider.configure(variablesOf(inputs)),
    check: (r, olds, news) => provider.check(r, plain(olds), plain(news)),
    diff: (r, id, olds, oldInputs, news, ignoreChanges) =>
      provider.diff(r, id, plain(olds), plain(oldInputs), plain(news), ignoreChanges),
    create: (r, inputs, preview, options) => provider.create(r, plain(inputs), preview, options),
    update: (r, id, olds, oldInputs, news, preview, options) =>
      provider.update(r, id, plain(olds), plain(oldInputs), plain(news), preview, options),
    read: (r, id, outputs, inputs, options) => provider.read(r, id, plain(outputs), plain(inputs), options),
    delete: (r, id, outputs, oldInputs, options) => provider.delete(r, id, plain(outputs), plain(oldInputs), options),
    invoke: (token, args) => provider.invoke(token, plain(args)),
    checkConfig: checkConfig && ((r, olds, news) => checkConfig.call(provider, r, plain(olds), plain(news))),
    diffConfig:
      diffConfig &&
      ((r, olds, oldInputs, news) => diffConfig.call(provider, r, plain(olds), plain(oldInputs), plain(news))),
    findInterrupted: findInterrupted && ((r, inputs) => findInterrupted.call(provider, r, plain(inputs))),
    mayHaveMade: mayHaveMade?.bind(provider),
    secretOutputs: (type) => provider.secretOutputs(type),
    repeatedInputs: repeatedInputs?.bind(provider),
    close: () => provider.close(),
  };
  return adapted as EngineProvider; // what is undefined here is left out there, which is the same to whoever asks
}

/** A provider's inputs as configuration variables: texts as they are, the rest as JSON text; what is not known is left out. */
export function variablesOf(inputs: ValueMap): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [key, sealed] of Object.entries(inputs)) {
    const value = toProvider(sealed);
    if (ownInputs.has(key) || value === null || value === unknown) continue;
    variables[key] = typeof value === "string" ? value : JSON.stringify(value);
  }
  return variables;
}
