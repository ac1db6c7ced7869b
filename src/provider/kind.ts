import type { PropertyMap } from "../engine/resource-provider.ts";
import type { Session } from "../openstack/session.ts";
import type { Timeouts } from "./schema/outputs.ts";
import type { Properties } from "./schema/property.ts";

/** What a call has to work with. */
export interface Context {
  session: Session;
  /** The resource's region, as the state writes it. */
  region: string;
  /** For all waiting of this call, milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** The environment that stands in for configuration (`OS_POOL_NAME`, …). */
  env: NodeJS.ProcessEnv;
}

/** A change of an existing resource. */
export interface ResourceChange {
  /** The state's outputs. */
  olds: PropertyMap;
  inputs: PropertyMap;
  /** Names of the properties that differ. */
  changed: ReadonlySet<string>;
}

/** A cloud object that a create may have made before it was cut off. */
export interface Candidate {
  id: string;
  /** ISO 8601. */
  createdAt: string;
}

/** What a create call has made. */
export interface Made {
  id: string;
  /** What only this call tells. */
  outputs?: PropertyMap;
  /** The call's request id: what the cloud's operators ask for when the object turns out broken. */
  requestId?: string | undefined;
}

/** One kind of resource: a table of properties and the calls that make, read, change and delete it. */
export interface ResourceKind {
  /** Pulumi's type token. */
  type: string;
  properties: Properties;
  /** True where Check makes up a `name` that the program does not give. */
  autoName: boolean;
  timeouts: Timeouts;
  /** False where an id does not tell enough to import the object. */
  importable?: false;
  /** The state's form, where the official provider has changed it. */
  schemaVersion?: number;
  /** Makes the object and returns at once, so that its id is known whatever happens next. */
  create(context: Context, inputs: PropertyMap): Promise<Made>;
  /** After create and update: returns when the object is usable and has what only a second call can give it. */
  settle?(context: Context, id: string, inputs: PropertyMap, olds: PropertyMap): Promise<void>;
  /** The state that the cloud has; undefined where the object is gone. */
  read(context: Context, id: string, inputs: PropertyMap, olds: PropertyMap): Promise<PropertyMap | undefined>;
  /** Absent where every change replaces. */
  update?(context: Context, id: string, change: ResourceChange): Promise<void>;
  /** Returns when the object is gone; one that was gone already is success. */
  delete(context: Context, id: string, olds: PropertyMap): Promise<void>;
  /** What an id that is given to an import means, where it says more than the id; the outputs are known before the read. */
  importing?(given: string): { id: string; outputs: PropertyMap };
  /** Objects that are what `create` with these inputs makes. */
  candidates?(context: Context, inputs: PropertyMap): Promise<Candidate[]>;
  /** The property that shows that the object is broken beyond repair: it is replaced though nothing differs. */
  brokenBy?(olds: PropertyMap): string | undefined;
  /** True where the new object cannot exist beside the old one though neither has a given name. */
  excludesOld?(olds: PropertyMap, inputs: PropertyMap): boolean;
}
