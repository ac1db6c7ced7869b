import { z } from "zod";
import { digestSchema } from "../../common/digest-schema.ts";
import { SlipwayError } from "../../common/errors.ts";
import { type Traffic, trafficSchema } from "../../guest/release-terms.ts";

export const identitySchema = z.object({
  name: z.string(),
  version: z.string(),
  digest: digestSchema,
});

/** Which model: the user's name for it, a version of it, and the digest of its package. */
export type ModelIdentity = z.infer<typeof identitySchema>;

/** Whether both are the same package by the same name and version. */
export function isSameModel(a: ModelIdentity, b: ModelIdentity): boolean {
  return a.name === b.name && a.version === b.version && a.digest === b.digest;
}

/** Whether both are of the same name and version. */
export function isSameVersion(a: Pick<ModelIdentity, "name" | "version">, b: Pick<ModelIdentity, "name" | "version">) {
  return a.name === b.name && a.version === b.version;
}

/** Which model something is, without what else is known of it. */
export function identityOf({ name, version, digest }: ModelIdentity): ModelIdentity {
  return { name, version, digest };
}

const versionSchema = z.object({
  version: z.string(),
  digest: digestSchema,
  /** Whether runtimes have it in memory. */
  loaded: z.boolean(),
  /**
   * Of a version that a release brings and that nothing is sent to yet: which runtimes load it when they start, by `<group>-<replica>`. The
   * others do so when they are told to; without this all do.
   */
  arriving: z.array(z.string()).optional(),
});

const trialSchema = trafficSchema.extend({ version: z.string() });

/** A version that serves beside the live one, and what share of the requests it sees. */
export type Trial = z.infer<typeof trialSchema>;

const modelSchema = z.object({
  /** Answers requests that name no version; absent while the model is not in service. */
  live: z.string().optional(),
  /** Oldest first. */
  versions: z.array(versionSchema),
  /** Versions that were live before, latest last: where a rollback leads. */
  history: z.array(z.string()),
  /** Never the live version, and always a loaded one. */
  trial: trialSchema.optional(),
});

/** `registry.json`: the models of a host, and which of them serve. */
export const registrySchema = z.object({
  schemaVersion: z.literal(1),
  /** Answers requests that name no model. */
  default: z.string().optional(),
  models: z.record(z.string(), modelSchema),
});

export type Registry = z.infer<typeof registrySchema>;
type RegisteredModel = Registry["models"][string];
type KnownVersion = z.infer<typeof versionSchema>;

export const emptyRegistry: Registry = { schemaVersion: 1, models: {} };

/** A version that runtimes shall have in memory. */
export interface LoadedVersion extends ModelIdentity {
  live: boolean;
  default: boolean;
  /** Of a version on trial. */
  trial?: Traffic;
}

/** A rollback leads no farther back. */
const HISTORY = 20;

/** What runtimes shall serve. */
export function loadedVersions(registry: Registry): LoadedVersion[] {
  return versionsIn(registry, ({ loaded }) => loaded);
}

/**
 * What a runtime has in memory when it starts. It may start because what a release brings took it down: that must not meet it again.
 * @param runtime `<group>-<replica>`
 */
export function versionsAtStart(registry: Registry, runtime: string): LoadedVersion[] {
  return versionsIn(registry, ({ loaded, arriving }) => loaded && (arriving?.includes(runtime) ?? true));
}

function versionsIn(registry: Registry, isWanted: (version: KnownVersion) => boolean): LoadedVersion[] {
  return Object.entries(registry.models).flatMap(([name, { live, versions, trial }]) =>
    versions.filter(isWanted).map(({ version, digest }) => ({
      name,
      version,
      digest,
      live: version === live,
      default: version === live && name === registry.default,
      ...(version === trial?.version && { trial: { mode: trial.mode, percent: trial.percent } }),
    })),
  );
}

/** The model that answers requests without a name, in its live version. */
export function defaultModel(registry: Registry): ModelIdentity | undefined {
  const found = loadedVersions(registry).find((version) => version.default);
  return found && { name: found.name, version: found.version, digest: found.digest };
}

/**
 * With one more version, which does not serve yet. The same version with the same digest changes nothing.
 * @throws SlipwayError E_MODEL_MISMATCH for a version that is known with another digest
 */
export function addVersion(registry: Registry, { name, version, digest }: ModelIdentity): Registry {
  const model = registry.models[name] ?? { versions: [], history: [] };
  const known = model.versions.find((one) => one.version === version);
  if (known && known.digest !== digest) {
    throw new SlipwayError("E_MODEL_MISMATCH", `${name} ${version} is ${known.digest} already, not ${digest}`, {
      hint: "Give the other package a version of its own.",
    });
  }
  if (known) return registry;
  return withModel(registry, name, { ...model, versions: [...model.versions, { version, digest, loaded: false }] });
}

/**
 * This version answers from now on, and no other of the model is kept in memory for it. The first model in use is the default one.
 * @throws SlipwayError E_MODEL_UNKNOWN
 */
export function useVersion(registry: Registry, name: string, version: string): Registry {
  const { live: left } = requireModel(registry, name);
  const switched = switchVersion(registry, name, version);
  return left === undefined || left === version ? switched : withLoaded(switched, name, left, false);
}

/**
 * The same, but the version that was live stays in memory: a switch back is a matter of a moment.
 * @throws SlipwayError E_MODEL_UNKNOWN
 */
export function switchVersion(registry: Registry, name: string, version: string): Registry {
  const model = requireModel(registry, name);
  requireVersion(name, model, version);
  if (model.live === version) return registry;
  const changed = {
    ...model,
    live: version,
    versions: model.versions.map((one) => (one.version === version ? withMemory(one, true) : one)),
    history: model.live === undefined ? model.history : [...model.history, model.live].slice(-HISTORY),
  };
  return { ...withModel(registry, name, changed), default: registry.default ?? name };
}

/**
 * This version serves beside the live one; without one, no version of the model is on trial any more. What was on trial stays in memory.
 * @throws SlipwayError E_MODEL_UNKNOWN, E_MODEL_IN_USE for the live version
 */
export function setTrial(registry: Registry, name: string, trial: Trial | undefined): Registry {
  const { trial: before, ...model } = requireModel(registry, name);
  if (trial === undefined) return before === undefined ? registry : withModel(registry, name, model);
  if (trial.version === model.live) {
    throw new SlipwayError("E_MODEL_IN_USE", `${name} ${trial.version} is in service and cannot be on trial`, {
      hint: "Try a version that does not answer already.",
    });
  }
  const loaded = loadVersion(registry, name, trial.version);
  return withModel(loaded, name, { ...requireModel(loaded, name), trial });
}

/** Requests that name no model are this one's. Throws SlipwayError E_MODEL_UNKNOWN. */
export function useAsDefault(registry: Registry, name: string): Registry {
  requireModel(registry, name);
  return registry.default === name ? registry : { ...registry, default: name };
}

/**
 * The version that was live before is it again; the one that was goes out of the history, so that a second rollback leads on.
 * @throws SlipwayError E_MODEL_UNKNOWN without such a version
 */
export function rollBack(registry: Registry, name: string): Registry {
  const model = requireModel(registry, name);
  const back = model.history.findLast((version) => model.versions.some((one) => one.version === version));
  if (back === undefined) throw unknown(`${name} has no version that was live before`);
  const history = model.history.slice(0, model.history.lastIndexOf(back));
  const used = useVersion(registry, name, back);
  return withModel(used, name, { ...(used.models[name] as RegisteredModel), history });
}

/** This version is kept in memory beside the live one and answers requests that name it. Throws SlipwayError E_MODEL_UNKNOWN. */
export function loadVersion(registry: Registry, name: string, version: string): Registry {
  return withLoaded(registry, name, version, true);
}

/**
 * The same for a version that a release brings: until it goes into service only these runtimes load it when they start. One that is in
 * memory already stays as it is.
 * @param runtimes by `<group>-<replica>`
 * @throws SlipwayError E_MODEL_UNKNOWN
 */
export function loadArriving(registry: Registry, name: string, version: string, runtimes: string[] = []): Registry {
  const model = requireModel(registry, name);
  const known = requireVersion(name, model, version);
  if (known.loaded && known.arriving === undefined) return registry;
  return withVersion(registry, name, known, { ...withMemory(known, true), arriving: runtimes });
}

/** The model, or one version of it, goes out of service and stays on the disk. Throws SlipwayError E_MODEL_UNKNOWN. */
export function unload(registry: Registry, name: string, version?: string): Registry {
  const model = requireModel(registry, name);
  if (version !== undefined && version !== model.live) return withLoaded(registry, name, version, false);
  const { live, ...rest } = model;
  return withModel(registry, name, {
    ...rest,
    versions: model.versions.map((one) =>
      version === undefined || one.version === live ? withMemory(one, false) : one,
    ),
    history: live === undefined ? model.history : [...model.history, live].slice(-HISTORY),
  });
}

/**
 * Without this version.
 * @throws SlipwayError E_MODEL_UNKNOWN, E_MODEL_IN_USE for the live one
 */
export function deleteVersion(registry: Registry, name: string, version: string): Registry {
  const model = requireModel(registry, name);
  requireVersion(name, model, version);
  if (model.live === version) {
    throw new SlipwayError("E_MODEL_IN_USE", `${name} ${version} is in service`, {
      hint: "Put another version into service, or take the model out of it, first.",
    });
  }
  const versions = model.versions.filter((one) => one.version !== version);
  const history = model.history.filter((one) => one !== version);
  if (versions.length > 0) return withModel(registry, name, { ...model, versions, history });
  const { [name]: _, ...models } = registry.models;
  const { default: standard, ...rest } = registry;
  return { ...rest, models, ...(standard !== undefined && standard !== name && { default: standard }) };
}

/** With the `keep` youngest versions of each model, and besides them those that are loaded or where a rollback leads first. */
export function retainVersions(registry: Registry, keep: number): Registry {
  return retain(registry, ({ live, history, versions }) => {
    const young = versions.slice(-keep).map(({ version }) => version);
    const needed = new Set([...young, live, history.at(-1)]);
    return ({ version }) => needed.has(version);
  });
}

/** With the versions of these packages, and besides them those that are loaded. */
export function retainDigests(registry: Registry, digests: ReadonlySet<ModelIdentity["digest"]>): Registry {
  return retain(
    registry,
    () =>
      ({ digest }) =>
        digests.has(digest),
  );
}

function retain(
  registry: Registry,
  isKept: (model: RegisteredModel) => (version: RegisteredModel["versions"][number]) => boolean,
): Registry {
  let changed = false;
  const models = Object.entries(registry.models).map(([name, model]) => {
    const isWanted = isKept(model);
    const versions = model.versions.filter((version) => version.loaded || isWanted(version));
    if (versions.length === model.versions.length) return [name, model] as const;
    changed = true;
    const left = new Set(versions.map(({ version }) => version));
    return [name, { ...model, versions, history: model.history.filter((version) => left.has(version)) }] as const;
  });
  return changed ? { ...registry, models: Object.fromEntries(models) } : registry;
}

/** The digests of all packages that the registry names. */
export function digestsIn({ models }: Registry): Set<ModelIdentity["digest"]> {
  return new Set(Object.values(models).flatMap(({ versions }) => versions.map(({ digest }) => digest)));
}

function withLoaded(registry: Registry, name: string, version: string, loaded: boolean): Registry {
  const model = requireModel(registry, name);
  const known = requireVersion(name, model, version);
  if (known.loaded === loaded && known.arriving === undefined) return registry;
  return withVersion(registry, name, known, withMemory(known, loaded));
}

function withMemory({ version, digest }: KnownVersion, loaded: boolean): KnownVersion {
  return { version, digest, loaded };
}

function withVersion(registry: Registry, name: string, known: KnownVersion, changed: KnownVersion): Registry {
  const model = requireModel(registry, name);
  return withModel(registry, name, {
    ...model,
    versions: model.versions.map((one) => (one === known ? changed : one)),
  });
}

function withModel(registry: Registry, name: string, model: RegisteredModel): Registry {
  const { trial, ...rest } = model;
  const isOnTrial =
    trial !== undefined &&
    trial.version !== model.live &&
    model.versions.some(({ version, loaded }) => loaded && version === trial.version);
  return { ...registry, models: { ...registry.models, [name]: isOnTrial ? model : rest } };
}

function requireModel({ models }: Registry, name: string): RegisteredModel {
  const model = Object.hasOwn(models, name) ? models[name] : undefined;
  if (model === undefined) throw unknown(`there is no model ${name}`);
  return model;
}

function requireVersion(name: string, { versions }: RegisteredModel, version: string) {
  const known = versions.find((one) => one.version === version);
  if (known === undefined) throw unknown(`${name} has no version ${version}`);
  return known;
}

function unknown(reason: string): SlipwayError {
  return new SlipwayError("E_MODEL_UNKNOWN", reason, { hint: "The registry lists what there is." });
}
