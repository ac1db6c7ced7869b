/**
 * The seam between an engine and a provider, shaped like Pulumi's `ResourceProvider` gRPC service
 * (pulumi/pulumi, proto/pulumi/provider.proto), so that real plugins and serving ours as a plugin are adapters.
 */

/** A property value between engine and provider: JSON, or {@link unknown} in previews. Secrets are unwrapped by the engine. */
export type PropertyValue =
  | null
  | boolean
  | number
  | string
  | PropertyValue[]
  | { [key: string]: PropertyValue }
  | typeof unknown;

/** Named property values. */
export type PropertyMap = { [key: string]: PropertyValue };

/** A value that is not known before an update has run. */
export const unknown: unique symbol = Symbol("unknown");

/** Identifies the resource a call is about. */
export interface ResourceIdentity {
  urn: string;
  /** Pulumi type token, e.g. `openstack:networking/network:Network`. */
  type: string;
  name: string;
}

/** A property that a provider refuses; `property` is empty when the whole resource is meant. */
export interface CheckFailure {
  property: string;
  reason: string;
}

/** The kind of change of one property; the `-replace` kinds demand a new resource. */
export type DiffKind = "add" | "add-replace" | "delete" | "delete-replace" | "update" | "update-replace";

/** What a provider says of the difference between a resource's state and its new inputs. */
export interface DiffResult {
  changes: boolean;
  /** Properties that force a replacement. */
  replaces: string[];
  deleteBeforeReplace: boolean;
  /** By property path. */
  detailedDiff: Record<string, { kind: DiffKind; inputDiff: boolean }>;
}

/** A resource as the cloud has it. */
interface ReadResult<Properties> {
  /** Empty: it does not exist (any more). */
  id: string;
  outputs: Properties;
  inputs: Properties;
}

/** Thrown by create, update and findInterrupted when the resource exists but is not what it should be: the engine keeps it with the reasons. */
export class InitializationFailed extends Error {
  override readonly name = "InitializationFailed";
  readonly id: string;
  readonly outputs: PropertyMap;
  readonly reasons: string[];

  constructor(id: string, outputs: PropertyMap, reasons: string[]) {
    super(reasons.join("; "));
    this.id = id;
    this.outputs = outputs;
    this.reasons = reasons;
  }
}

/** Timeouts in seconds, 0 = the provider's own default. `signal` ends waiting, not the request in flight. */
export interface CallOptions {
  timeoutSeconds?: number;
  signal?: AbortSignal;
}

/**
 * What a configured provider does. Every method may throw; the message is shown to the user with the resource's URN.
 * @typeParam Properties what values are made of: {@link PropertyMap} for providers that see no secrets
 */
export interface ResourceOperations<Properties> {
  /** What is wrong with a configuration, and how it is kept in the state. Left out: nothing, and as it is given. */
  checkConfig?(
    r: ResourceIdentity,
    olds: Properties,
    news: Properties,
  ): Promise<{ inputs: Properties; failures: CheckFailure[] } | undefined>;
  /**
   * Whether what one configuration made can be looked after with another: a demand for replacement replaces the provider and all
   * its resources. Undefined, or left out: it cannot tell, and then every difference can be lived with.
   */
  diffConfig?(
    r: ResourceIdentity,
    olds: Properties,
    oldInputs: Properties,
    news: Properties,
  ): Promise<DiffResult | undefined>;
  check(
    r: ResourceIdentity,
    olds: Properties,
    news: Properties,
  ): Promise<{ inputs: Properties; failures: CheckFailure[] }>;
  /** @param olds the state's outputs (not its inputs) */
  diff(
    r: ResourceIdentity,
    id: string,
    olds: Properties,
    oldInputs: Properties,
    news: Properties,
    ignoreChanges: string[],
  ): Promise<DiffResult>;
  /** With `preview`, makes nothing and answers the outputs that can be foreseen, {@link unknown} elsewhere. */
  create(
    r: ResourceIdentity,
    inputs: Properties,
    preview: boolean,
    options: CallOptions,
  ): Promise<{ id: string; outputs: Properties }>;
  update(
    r: ResourceIdentity,
    id: string,
    olds: Properties,
    oldInputs: Properties,
    news: Properties,
    preview: boolean,
    options: CallOptions,
  ): Promise<Properties>;
  read(
    r: ResourceIdentity,
    id: string,
    outputs: Properties,
    inputs: Properties,
    options: CallOptions,
  ): Promise<ReadResult<Properties>>;
  delete(
    r: ResourceIdentity,
    id: string,
    outputs: Properties,
    oldInputs: Properties,
    options: CallOptions,
  ): Promise<void>;
  invoke(token: string, args: Properties): Promise<{ result: Properties; failures: CheckFailure[] }>;
  /**
   * Looks for the one object that an interrupted {@link create} with these inputs made, e.g. by name or tag, so that it is adopted
   * instead of made twice. Undefined when there is none, or more than one that it could be. Left out: the engine only warns.
   */
  findInterrupted?(r: ResourceIdentity, inputs: Properties): Promise<{ id: string; outputs: Properties } | undefined>;
  /** True where a create, update or delete that failed with this error may have been done all the same: then the next run looks. */
  mayHaveMade?(error: unknown): boolean;
  /** Output properties that are secret whatever the program says. */
  secretOutputs(type: string): string[];
  /** Outputs that repeat an input under another name, with its name: what is secret in the input is secret in them. */
  repeatedInputs?(type: string): Record<string, string>;
  close(): Promise<void>;
}

/** A provider in this process. The engine unwraps secrets before it asks, and marks the answers. */
export interface ResourceProvider extends ResourceOperations<PropertyMap> {
  /** @param variables configuration by name without the package's namespace, e.g. `cloud`, `authUrl`; values as text */
  configure(variables: Record<string, string>): Promise<void>;
}

/** How the engine finds providers: by package name and version, e.g. `openstack`, `3.15.2`. A large one is loaded only then. */
export type ProviderFactory = (
  packageName: string,
  version: string,
) => ResourceProvider | undefined | Promise<ResourceProvider | undefined>;
