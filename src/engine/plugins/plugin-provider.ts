import { randomBytes } from "node:crypto";
import type { CheckFailure as CheckFailureMessage } from "@pulumi/pulumi/proto/provider_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { type EngineProvider, type ProviderConfiguration, variablesOf } from "../embedded/providers/engine-provider.ts";
import { withoutInternal } from "../embedded/providers/provider-resources.ts";
import { diffInputs } from "../embedded/steps/decision.ts";
import { nameOf, providerType } from "../embedded/urn.ts";
import type { ValueMap } from "../embedded/values/value.ts";
import type { CheckFailure, ResourceIdentity } from "../resource-provider.ts";
import type { PluginClient } from "./plugin-client.ts";
import { diffFrom } from "./plugin-diff.ts";
import { isUnimplemented, PluginLost } from "./plugin-error.ts";
import { type Accepts, fromPlugin, toPlugin } from "./plugin-values.ts";

/** What the engine tells every plugin of itself and of where the plugin is. */
export interface PluginSurroundings {
  /** Address of the Engine service. */
  engine: string;
  /** Folder of the plugin's program. */
  folder: string;
}

/** How a plugin gets its configuration, before it has said what it takes: envelopes are part of the protocol there. */
const envelopes: Accepts = { secrets: true, resources: true };

/** A plugin as the engine asks any provider (pulumi/pulumi, proto/pulumi/provider.proto). */
export class PluginProvider implements EngineProvider {
  readonly #packageName: string;
  readonly #client: PluginClient;
  readonly #surroundings: PluginSurroundings;
  readonly #end: () => Promise<void>;
  #accepts: Accepts = envelopes;
  #supportsPreview = false;

  /** @param end called when the provider is not needed any more */
  constructor(packageName: string, client: PluginClient, surroundings: PluginSurroundings, end: () => Promise<void>) {
    this.#packageName = packageName;
    this.#client = client;
    this.#surroundings = surroundings;
    this.#end = end;
  }

  async configure({ urn, id, inputs: withOwn }: ProviderConfiguration): Promise<void> {
    const inputs = withoutInternal(withOwn);
    const hello = await this.#handshake();
    const request = about(this.#resource(urn), new rpc.ConfigureRequest())
      .setArgs(toPlugin(inputs, envelopes))
      .setAcceptsecrets(true)
      .setAcceptresources(true)
      .setSendsOldInputs(true)
      .setSendsOldInputsToDelete(true)
      .setId(id);
    for (const [key, text] of Object.entries(variablesOf(inputs))) {
      request.getVariablesMap().set(`${this.#packageName}:config:${key}`, text);
    }
    const answer = await this.#client.ask((client) => client.configure, request);
    if (hello === undefined) {
      this.#accepts = { secrets: answer.getAcceptsecrets(), resources: answer.getAcceptresources() };
      this.#supportsPreview = answer.getSupportspreview();
    } else {
      this.#accepts = { secrets: hello.getAcceptSecrets(), resources: hello.getAcceptResources() };
      this.#supportsPreview = true; // plugins that shake hands are of a time when previews are a matter of course
    }
  }

  /** Undefined for a plugin that is older than the call. */
  async #handshake() {
    const { engine, folder } = this.#surroundings;
    const request = new rpc.ProviderHandshakeRequest()
      .setEngineAddress(engine)
      .setRootDirectory(folder)
      .setProgramDirectory(folder)
      .setConfigureWithUrn(true)
      .setInvokeWithPreview(true);
    return this.#unless(this.#client.ask((client) => client.handshake, request));
  }

  /** Undefined where the plugin takes any configuration as it is. */
  async checkConfig(r: ResourceIdentity, olds: ValueMap, news: ValueMap) {
    const request = about(r, new rpc.CheckRequest())
      .setOlds(toPlugin(olds, envelopes))
      .setNews(toPlugin(news, envelopes));
    const answer = await this.#unless(this.#client.ask((client) => client.checkConfig, request));
    if (answer === undefined) return undefined;
    return { inputs: fromPlugin(answer.getInputs()), failures: failuresFrom(answer.getFailuresList()) };
  }

  /** Undefined where the plugin leaves the comparison to the engine. */
  async diffConfig(r: ResourceIdentity, olds: ValueMap, oldInputs: ValueMap, news: ValueMap) {
    const request = about(r, new rpc.DiffRequest())
      .setOlds(toPlugin(olds, envelopes))
      .setOldInputs(toPlugin(oldInputs, envelopes))
      .setNews(toPlugin(news, envelopes));
    const answer = await this.#unless(this.#client.ask((client) => client.diffConfig, request));
    // A provider's outputs are its inputs: what an unsure plugin leaves open is whether these differ.
    return answer === undefined ? undefined : diffFrom(answer, olds, news);
  }

  /** The provider's own resource. */
  #resource(urn: string): ResourceIdentity {
    return { urn, type: providerType(this.#packageName), name: nameOf(urn) };
  }

  /** Undefined where the plugin does not know the call. */
  async #unless<A>(call: Promise<A>): Promise<A | undefined> {
    try {
      return await call;
    } catch (error) {
      if (isUnimplemented(error)) return undefined;
      throw error;
    }
  }

  #struct(map: ValueMap): Struct {
    return toPlugin(map, this.#accepts);
  }

  async check(r: ResourceIdentity, olds: ValueMap, news: ValueMap) {
    const request = about(r, new rpc.CheckRequest())
      .setOlds(this.#struct(olds))
      .setNews(this.#struct(news))
      .setRandomseed(randomBytes(32));
    const answer = await this.#client.ask((client) => client.check, request);
    return { inputs: fromPlugin(answer.getInputs()), failures: failuresFrom(answer.getFailuresList()) };
  }

  async diff(
    r: ResourceIdentity,
    id: string,
    olds: ValueMap,
    oldInputs: ValueMap,
    news: ValueMap,
    ignoreChanges: string[],
  ) {
    const request = about(r, new rpc.DiffRequest())
      .setId(id)
      .setOlds(this.#struct(olds))
      .setOldInputs(this.#struct(oldInputs))
      .setNews(this.#struct(news))
      .setIgnorechangesList(ignoreChanges);
    const answer = await this.#unless(this.#client.ask((client) => client.diff, request));
    return answer === undefined ? diffInputs(oldInputs, news) : diffFrom(answer, oldInputs, news);
  }

  async create(
    r: ResourceIdentity,
    inputs: ValueMap,
    preview: boolean,
    { timeoutSeconds = 0 }: { timeoutSeconds?: number },
  ) {
    if (preview && !this.#supportsPreview) return { id: "", outputs: inputs };
    const request = about(r, new rpc.CreateRequest())
      .setProperties(this.#struct(inputs))
      .setTimeout(timeoutSeconds)
      .setPreview(preview);
    const answer = await this.#client.change((client) => client.create, request, timeoutSeconds);
    const id = answer.getId();
    if (id === "" && !preview) throw new Error("the provider plugin made the resource without an id");
    return { id: preview ? "" : id, outputs: fromPlugin(answer.getProperties()) };
  }

  async update(
    r: ResourceIdentity,
    id: string,
    olds: ValueMap,
    oldInputs: ValueMap,
    news: ValueMap,
    preview: boolean,
    { timeoutSeconds = 0 }: { timeoutSeconds?: number },
  ) {
    if (preview && !this.#supportsPreview) return news;
    const request = about(r, new rpc.UpdateRequest())
      .setId(id)
      .setOlds(this.#struct(olds))
      .setOldInputs(this.#struct(oldInputs))
      .setNews(this.#struct(news))
      .setTimeout(timeoutSeconds)
      .setPreview(preview);
    const answer = await this.#client.change((client) => client.update, request, timeoutSeconds);
    return fromPlugin(answer.getProperties());
  }

  async read(
    r: ResourceIdentity,
    id: string,
    outputs: ValueMap,
    inputs: ValueMap,
    { timeoutSeconds = 0 }: { timeoutSeconds?: number },
  ) {
    const request = about(r, new rpc.ReadRequest())
      .setId(id)
      .setProperties(this.#struct(outputs))
      .setInputs(this.#struct(inputs));
    const answer = await this.#client.change((client) => client.read, request, timeoutSeconds);
    return {
      id: answer.getId(),
      outputs: fromPlugin(answer.getProperties()),
      // A plugin that says nothing of inputs leaves them as they are.
      inputs: answer.hasInputs() ? fromPlugin(answer.getInputs()) : inputs,
    };
  }

  async delete(
    r: ResourceIdentity,
    id: string,
    outputs: ValueMap,
    oldInputs: ValueMap,
    { timeoutSeconds = 0 }: { timeoutSeconds?: number },
  ): Promise<void> {
    const request = about(r, new rpc.DeleteRequest())
      .setId(id)
      .setProperties(this.#struct(outputs))
      .setOldInputs(this.#struct(oldInputs))
      .setTimeout(timeoutSeconds);
    await this.#client.change((client) => client.delete, request, timeoutSeconds);
  }

  async invoke(token: string, args: ValueMap) {
    const request = new rpc.InvokeRequest().setTok(token).setArgs(this.#struct(args));
    const answer = await this.#client.ask((client) => client.invoke, request);
    return { result: fromPlugin(answer.getReturn()), failures: failuresFrom(answer.getFailuresList()) };
  }

  mayHaveMade(error: unknown): boolean {
    return error instanceof PluginLost;
  }

  secretOutputs(): string[] {
    return []; // a plugin marks them in its answers
  }

  close(): Promise<void> {
    return this.#end();
  }
}

/** A request that says which resource it is about. */
function about<
  Request extends { setUrn(urn: string): Request; setType(type: string): Request; setName(name: string): Request },
>({ urn, type, name }: ResourceIdentity, request: Request): Request {
  return request.setUrn(urn).setType(type).setName(name);
}

function failuresFrom(failures: CheckFailureMessage[]): CheckFailure[] {
  return failures.map((failure) => ({ property: failure.getProperty(), reason: failure.getReason() }));
}
