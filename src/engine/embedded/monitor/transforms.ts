import type { Callback } from "@pulumi/pulumi/proto/callback_pb.js";
import type {
  RegisterResourceRequest,
  ResourceInvokeRequest,
  TransformResourceOptions,
} from "@pulumi/pulumi/proto/resource_pb.js";
import resource from "@pulumi/pulumi/proto/resource_pb.js";
import struct, { type Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import type { Json } from "../values/wire.ts";
import { Callbacks } from "./callbacks.ts";
import { dependenciesOf, withOutputs, withoutOutputs } from "./output-values.ts";

type Named = { [key: string]: Json };

/**
 * The program's transforms: functions that change registrations and look-ups before the engine sees them. A resource's own come
 * first, then those of its ancestors, then the stack's (pulumi/pulumi, source_eval.go, RegisterResource).
 */
export class Transforms {
  readonly #callbacks = new Callbacks();
  readonly #ofStack: Callback[] = [];
  readonly #ofInvokes: Callback[] = [];
  readonly #ofResources = new Map<string, { parent: string; own: Callback[] }>();

  addToStack(callback: Callback): void {
    this.#ofStack.push(callback);
  }

  addToInvokes(callback: Callback): void {
    this.#ofInvokes.push(callback);
  }

  /** Takes note of a registered resource: its transforms are for its children too. */
  registered(urn: string, request: RegisterResourceRequest): void {
    this.#ofResources.set(urn, { parent: request.getParent(), own: request.getTransformsList() });
  }

  close(): void {
    this.#callbacks.close();
  }

  /** The registration that the transforms make of this one. Throws an Error with a transform's own words. */
  async registration(request: RegisterResourceRequest): Promise<RegisterResourceRequest> {
    const own = request.getTransformsList();
    const callbacks = [...own, ...this.#ofAncestors(request.getParent()), ...this.#ofStack];
    if (callbacks.length === 0) return request;
    const dependencies = new Map<string, string[]>();
    // Only a resource's own transforms see what its properties depend on.
    for (const [key, value] of own.length > 0 ? request.getPropertydependenciesMap().entries() : []) {
      dependencies.set(key, value.getUrnsList());
    }
    let properties = withOutputs(namedFrom(request.getObject()), dependencies);
    let options = optionsOf(request);
    for (const callback of callbacks) {
      const message = new resource.TransformRequest()
        .setType(request.getType())
        .setName(request.getName())
        .setCustom(request.getCustom())
        .setParent(request.getParent())
        .setProperties(structFrom(properties))
        .setOptions(options);
      const answer = await this.#callbacks.call(callback, message.serializeBinary());
      const transformed = resource.TransformResponse.deserializeBinary(answer);
      options = transformed.getOptions() ?? options;
      if (transformed.hasProperties()) properties = namedFrom(transformed.getProperties());
    }
    return withTransformed(request, properties, options);
  }

  /** The look-up that the transforms make of this one. Throws an Error with a transform's own words. */
  async invocation(request: ResourceInvokeRequest): Promise<ResourceInvokeRequest> {
    if (this.#ofInvokes.length === 0) return request;
    let args = withOutputs(namedFrom(request.getArgs()), new Map());
    let options = new resource.TransformInvokeOptions()
      .setProvider(request.getProvider())
      .setVersion(request.getVersion())
      .setPluginDownloadUrl(request.getPlugindownloadurl());
    for (const callback of this.#ofInvokes) {
      const message = new resource.TransformInvokeRequest()
        .setToken(request.getTok())
        .setArgs(structFrom(args))
        .setOptions(options);
      const answer = await this.#callbacks.call(callback, message.serializeBinary());
      const transformed = resource.TransformInvokeResponse.deserializeBinary(answer);
      options = transformed.getOptions() ?? options;
      if (transformed.hasArgs()) args = namedFrom(transformed.getArgs());
    }
    return request
      .clone()
      .setArgs(structFrom(withoutOutputs(args) as Named))
      .setProvider(options.getProvider())
      .setVersion(options.getVersion())
      .setPlugindownloadurl(options.getPluginDownloadUrl());
  }

  #ofAncestors(parent: string): Callback[] {
    const found: Callback[] = [];
    for (let at = this.#ofResources.get(parent); at !== undefined; at = this.#ofResources.get(at.parent)) {
      found.push(...at.own);
    }
    return found;
  }
}

function optionsOf(request: RegisterResourceRequest): TransformResourceOptions {
  const options = new resource.TransformResourceOptions()
    .setImport(request.getImportid())
    .setDependsOnList(request.getDependenciesList())
    .setIgnoreChangesList(request.getIgnorechangesList())
    .setReplaceOnChangesList(request.getReplaceonchangesList())
    .setReplacementTrigger(request.getReplacementTrigger())
    .setVersion(request.getVersion())
    .setAliasesList(request.getAliasesList())
    .setProvider(request.getProvider())
    .setHideDiffList(request.getHidediffsList())
    .setCustomTimeouts(request.getCustomtimeouts())
    .setPluginDownloadUrl(request.getPlugindownloadurl())
    .setDeletedWith(request.getDeletedwith())
    .setReplaceWithList(request.getReplaceWithList())
    .setAdditionalSecretOutputsList(request.getAdditionalsecretoutputsList())
    .setHooks(request.getHooks());
  if (request.hasProtect()) options.setProtect(request.getProtect() ?? false);
  if (request.hasRetainondelete()) options.setRetainOnDelete(request.getRetainondelete() ?? false);
  if (request.getDeletebeforereplacedefined()) options.setDeleteBeforeReplace(request.getDeletebeforereplace());
  for (const [name, reference] of request.getProvidersMap().entries()) options.getProvidersMap().set(name, reference);
  return options;
}

function withTransformed(
  request: RegisterResourceRequest,
  properties: Named,
  options: TransformResourceOptions,
): RegisterResourceRequest {
  const changed = request
    .clone()
    .setObject(structFrom(withoutOutputs(properties) as Named))
    .setImportid(options.getImport())
    .setIgnorechangesList(options.getIgnoreChangesList())
    .setReplaceonchangesList(options.getReplaceOnChangesList())
    .setReplacementTrigger(options.getReplacementTrigger())
    .setVersion(options.getVersion())
    .setAliasesList(options.getAliasesList())
    .setProvider(options.getProvider())
    .setHidediffsList(options.getHideDiffList())
    .setCustomtimeouts(options.getCustomTimeouts())
    .setPlugindownloadurl(options.getPluginDownloadUrl())
    .setDeletedwith(options.getDeletedWith())
    .setReplaceWithList(options.getReplaceWithList())
    .setAdditionalsecretoutputsList(options.getAdditionalSecretOutputsList())
    .setHooks(options.getHooks())
    .setProtect(options.getProtect() ?? false)
    .setRetainondelete(options.getRetainOnDelete() ?? false)
    .setDeletebeforereplacedefined(options.hasDeleteBeforeReplace())
    .setDeletebeforereplace(options.getDeleteBeforeReplace() ?? false);
  setDependencies(changed, request, properties, options);
  return changed;
}

/**
 * What a transformed resource depends on: the options' dependsOn and what the outputs among its properties come from. Where only
 * others' transforms ran, what the program said holds as well.
 */
function setDependencies(
  changed: RegisterResourceRequest,
  request: RegisterResourceRequest,
  properties: Named,
  options: TransformResourceOptions,
): void {
  const isOwn = request.getTransformsList().length > 0;
  const all = new Set([...(isOwn ? [] : request.getDependenciesList()), ...options.getDependsOnList()]);
  const byProperty = changed.getPropertydependenciesMap();
  if (isOwn) byProperty.clear();
  for (const [key, value] of Object.entries(properties)) {
    const urns = dependenciesOf(value);
    for (const urn of urns) all.add(urn);
    const known = byProperty.get(key)?.getUrnsList() ?? [];
    const message = new resource.RegisterResourceRequest.PropertyDependencies();
    byProperty.set(key, message.setUrnsList([...new Set([...known, ...urns])]));
  }
  changed.setDependenciesList([...all]);
}

function namedFrom(message: Struct | undefined): Named {
  return message === undefined ? {} : (message.toJavaScript() as Named);
}

function structFrom(map: Named): Struct {
  return struct.Struct.fromJavaScript(map);
}
