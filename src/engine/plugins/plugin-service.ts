import { promisify } from "node:util";
import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type StatusObject,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import services from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type {
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  InvokeRequest,
  ReadRequest,
  UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { channelOptions } from "../embedded/monitor/channel.ts";
import { nameOf, typeOf } from "../embedded/urn.ts";
import { mapToProvider, withRepeated, withSecretKeys, withSecretsOf } from "../embedded/values/provider-values.ts";
import { mapValues, Secret, type ValueMap } from "../embedded/values/value.ts";
import {
  type CheckFailure,
  type DiffResult,
  InitializationFailed,
  type PropertyMap,
  type ResourceIdentity,
  type ResourceProvider,
} from "../resource-provider.ts";
import { kindNumber } from "./plugin-diff.ts";
import { statusOf } from "./plugin-error.ts";
import { fromPlugin, toPlugin } from "./plugin-values.ts";

/** A provider as Pulumi's engine knows it. */
export interface ServedProvider {
  packageName: string;
  version: string;
  /** Configuration that the engine is to keep sealed. */
  secretVariables: string[];
  /** Pulumi's package schema, made when it is asked for. */
  schema: () => object;
  provider: ResourceProvider;
}

/** A served plugin. */
export interface PluginService {
  port: number;
  close(): void;
}

/**
 * Serves a provider of this process as a plugin (pulumi/pulumi, proto/pulumi/provider.proto) on 127.0.0.1. Handshake and DiffConfig
 * are left UNIMPLEMENTED, as older plugins have them: engines then go by Configure's answer, and compare configurations themselves.
 */
export async function servePlugin(served: ServedProvider): Promise<PluginService> {
  const server = new Server(channelOptions);
  server.addService(services.ResourceProviderService, handlersOf(served));
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
  return { port, close: () => server.forceShutdown() };
}

function handlersOf(served: ServedProvider): UntypedServiceImplementation {
  const { provider, packageName } = served;
  const cancelled = new AbortController();
  const within = (timeoutSeconds: number) => ({ timeoutSeconds, signal: cancelled.signal });
  /** Outputs, secret where the provider says so or an input that they repeat is: the engine leaves this to plugins that take secrets. */
  const marked = ({ type }: ResourceIdentity, outputs: ValueMap, sealed: ValueMap) => {
    const source = withRepeated(sealed, provider.repeatedInputs?.(type) ?? {});
    return withSecretKeys(withSecretsOf(outputs, source), provider.secretOutputs(type));
  };
  return {
    getPluginInfo: answering(() => new plugin.PluginInfo().setVersion(served.version)),
    getSchema: answering(() => new rpc.GetSchemaResponse().setSchema(JSON.stringify(served.schema()))),
    attach: answering(() => new empty.Empty()),
    cancel: answering(() => {
      cancelled.abort(new Error("cancelled by the engine"));
      return new empty.Empty();
    }),
    checkConfig: answering((request: CheckRequest) => {
      const news = fromPlugin(request.getNews());
      const sealed = mapValues(news, (value, key) => (served.secretVariables.includes(key) ? Secret.of(value) : value));
      return new rpc.CheckResponse().setInputs(toPlugin(sealed, { secrets: true, resources: true }));
    }),
    configure: answering(async (request: ConfigureRequest) => {
      const prefix = `${packageName}:config:`;
      const variables = [...request.getVariablesMap().entries()].map(([key, text]) => [
        key.startsWith(prefix) ? key.slice(prefix.length) : key,
        text,
      ]);
      await provider.configure(Object.fromEntries(variables));
      return new rpc.ConfigureResponse().setSupportspreview(true).setAcceptsecrets(true);
    }),
    check: answering(async (request: CheckRequest) => {
      const olds = valuesOf(request.getOlds());
      const news = fromPlugin(request.getNews());
      const { inputs, failures } = await provider.check(identityOf(request), olds, mapToProvider(news));
      return new rpc.CheckResponse()
        .setInputs(structOf(withSecretsOf(inputs, news)))
        .setFailuresList(failures.map(failureMessage));
    }),
    diff: answering(async (request: DiffRequest) => {
      const olds = valuesOf(request.getOlds());
      const oldInputs = valuesOf(request.getOldInputs());
      const news = valuesOf(request.getNews());
      const ignored = request.getIgnorechangesList();
      return diffMessage(await provider.diff(identityOf(request), request.getId(), olds, oldInputs, news, ignored));
    }),
    create: answering(async (request: CreateRequest) => {
      const r = identityOf(request);
      const sealed = fromPlugin(request.getProperties());
      const options = within(request.getTimeout());
      const made = provider.create(r, mapToProvider(sealed), request.getPreview(), options);
      const { id, outputs } = await sealedFailure(made, (values) => marked(r, values, sealed));
      return new rpc.CreateResponse().setId(id).setProperties(structOf(marked(r, outputs, sealed)));
    }),
    update: answering(async (request: UpdateRequest) => {
      const r = identityOf(request);
      const sealed = fromPlugin(request.getNews());
      const changed = provider.update(
        r,
        request.getId(),
        valuesOf(request.getOlds()),
        valuesOf(request.getOldInputs()),
        mapToProvider(sealed),
        request.getPreview(),
        within(request.getTimeout()),
      );
      const outputs = await sealedFailure(changed, (values) => marked(r, values, sealed));
      return new rpc.UpdateResponse().setProperties(structOf(marked(r, outputs, sealed)));
    }),
    read: answering(async (request: ReadRequest) => {
      const r = identityOf(request);
      const outputs = valuesOf(request.getProperties());
      const sealed = fromPlugin(request.getInputs());
      const found = await provider.read(r, request.getId(), outputs, mapToProvider(sealed), within(0));
      const answer = new rpc.ReadResponse().setId(found.id);
      if (found.id === "") return answer;
      return answer
        .setProperties(structOf(marked(r, found.outputs, sealed)))
        .setInputs(structOf(withSecretsOf(found.inputs, sealed)));
    }),
    delete: answering(async (request: DeleteRequest) => {
      const outputs = valuesOf(request.getProperties());
      const oldInputs = valuesOf(request.getOldInputs());
      await provider.delete(identityOf(request), request.getId(), outputs, oldInputs, within(request.getTimeout()));
      return new empty.Empty();
    }),
    invoke: answering(async (request: InvokeRequest) => {
      const { result, failures } = await provider.invoke(request.getTok(), valuesOf(request.getArgs()));
      return new rpc.InvokeResponse().setReturn(structOf(result)).setFailuresList(failures.map(failureMessage));
    }),
  };
}

function answering<Q, A>(handle: (request: Q) => Promise<A> | A): handleUnaryCall<Q, A> {
  return async (call, callback) => {
    try {
      callback(null, await handle(call.request));
    } catch (error) {
      callback(statusFor(error));
    }
  };
}

/** What the call answers; where it fails half-way, the outputs of the failure are marked as its answer would be. */
async function sealedFailure<T>(call: Promise<T>, mark: (outputs: ValueMap) => ValueMap): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof InitializationFailed)) throw error;
    throw new InitializationFailed(error.id, mark(error.outputs) as PropertyMap, error.reasons);
  }
}

function statusFor(error: unknown): Partial<StatusObject> {
  if (!(error instanceof InitializationFailed)) return { code: status.UNKNOWN, details: wordsOf(error) };
  const { code, details, header } = statusOf(error);
  const metadata = new Metadata();
  metadata.add(...header);
  return { code, details, metadata };
}

/** Engines show one text: a hint and further lines would be lost beside it. */
function wordsOf(error: unknown): string {
  if (!(error instanceof SlipwayError)) return messageOf(error);
  const lines = error.details.map((line) => `  ${line}`);
  return [error.message, ...lines, ...(error.hint === undefined ? [] : [`→ ${error.hint}`])].join("\n");
}

/** Engines before 3.130 send the URN only. */
function identityOf(request: { getUrn(): string; getType(): string; getName(): string }): ResourceIdentity {
  const urn = request.getUrn();
  return { urn, type: request.getType() || typeOf(urn), name: request.getName() || nameOf(urn) };
}

function valuesOf(message: Struct | undefined): PropertyMap {
  return mapToProvider(fromPlugin(message));
}

function structOf(map: ValueMap): Struct {
  return toPlugin(map, { secrets: true, resources: false });
}

function failureMessage({ property, reason }: CheckFailure) {
  return new rpc.CheckFailure().setProperty(property).setReason(reason);
}

function diffMessage(diff: DiffResult) {
  const { DIFF_SOME, DIFF_NONE } = rpc.DiffResponse.DiffChanges;
  const paths = Object.keys(diff.detailedDiff);
  const message = new rpc.DiffResponse()
    .setChanges(diff.changes ? DIFF_SOME : DIFF_NONE)
    .setReplacesList(diff.replaces)
    .setDeletebeforereplace(diff.deleteBeforeReplace)
    .setDiffsList(paths.map((path) => path.split(/[.[]/, 1)[0] ?? path))
    .setHasdetaileddiff(diff.changes);
  for (const [path, { kind, inputDiff }] of Object.entries(diff.detailedDiff)) {
    const detail = new rpc.PropertyDiff().setKind(kindNumber(kind)).setInputdiff(inputDiff);
    message.getDetaileddiffMap().set(path, detail);
  }
  return message;
}
