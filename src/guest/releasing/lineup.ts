import { isDeepStrictEqual } from "node:util";
import { wayOf } from "../../serving/frontend/releases/version-figures.ts";
import {
  addVersion,
  identityOf,
  isSameModel,
  loadArriving,
  loadVersion,
  type Registry,
  setTrial,
  switchVersion,
  unload,
  useAsDefault,
} from "../../serving/models/registry.ts";
import { defaultModel, type Manifest, type Model } from "../manifest.ts";

/** A version that has to serve, and in which way: in the words of the frontend's figures. */
export interface Role {
  model: Model;
  way: string;
}

/** The versions that serve under a manifest: the default model's live one, and the one on trial. */
export function lineupOf(manifest: Manifest): Role[] {
  const { trial } = manifest;
  const live = { model: defaultModel(manifest), way: wayOf({ live: true }) };
  return trial ? [live, { model: trial.model, way: wayOf({ live: false, trial: trial.traffic }) }] : [live];
}

/** The models that one manifest's hosts serve and another's do not: in which they differ, and not how they serve. */
export function modelsOnlyIn(manifest: Manifest, other: Manifest): Model[] {
  const known = lineupOf(other).map(({ model }) => model);
  return lineupOf(manifest).flatMap(({ model }) => (known.some((one) => isSameModel(one, model)) ? [] : [model]));
}

/** The versions of one manifest that serve in another way than under another, or not at all there: those that a release is about. */
export function subjectsOf(manifest: Manifest, other: Manifest): Model[] {
  const known = lineupOf(other);
  const isNew = ({ model, way }: Role) => !known.some((one) => isSameModel(one.model, model) && one.way === way);
  return lineupOf(manifest)
    .filter(isNew)
    .map(({ model }) => model);
}

/** Whether hosts need change nothing but what their runtimes have in memory to go from one manifest to another. */
export function changesModelsAlone(from: Manifest, to: Manifest): boolean {
  const rest = ({ sequence, models, trial, gate, origin, push, ...others }: Manifest) => others;
  return isDeepStrictEqual(rest(from), rest(to));
}

/**
 * With these models in memory, beside what serves: for runtimes that are told to load them, and of those that start for these alone.
 * @param runtimes by `<group>-<replica>`
 * @throws SlipwayError E_MODEL_MISMATCH
 */
export function withArrivals(registry: Registry, models: readonly Model[], runtimes: string[] = []): Registry {
  return models.reduce(
    (changed, model) => loadArriving(addVersion(changed, identityOf(model)), model.name, model.version, runtimes),
    registry,
  );
}

/** With the manifest's versions as it says; those that served before stay in memory. Throws SlipwayError E_MODEL_MISMATCH. */
export function withLineup(registry: Registry, manifest: Manifest): Registry {
  const { trial } = manifest;
  const model = identityOf(defaultModel(manifest));
  const { name, version } = model;
  if (trial && trial.model.name !== name) throw new Error(`${trial.model.name} cannot be tried beside ${name}`);
  const live = switchVersion(addVersion(registry, model), name, version);
  const standard = useAsDefault(live, name);
  if (trial === undefined) return setTrial(standard, name, undefined);
  const { version: tried } = trial.model;
  const beside = loadVersion(addVersion(standard, identityOf(trial.model)), name, tried);
  return setTrial(beside, name, { version: tried, ...trial.traffic });
}

/** The same, and what answered before by the default model's name, live or on trial, goes out of memory. */
export function withLineupAlone(registry: Registry, manifest: Manifest): Registry {
  const { name } = defaultModel(manifest);
  const before = Object.hasOwn(registry.models, name) ? registry.models[name] : undefined;
  const kept = new Set(lineupOf(manifest).map(({ model }) => model.version));
  const left = [before?.live, before?.trial?.version].filter((version) => version !== undefined && !kept.has(version));
  const changed = withLineup(registry, manifest);
  return left.reduce((rest, version) => unload(rest, name, version), changed);
}

/** Without these models in memory, as far as they are known. */
export function withoutModels(registry: Registry, models: readonly Model[]): Registry {
  return models.reduce((changed, { name, version }) => {
    const known = Object.hasOwn(changed.models, name) ? changed.models[name] : undefined;
    return known?.versions.some((one) => one.version === version) ? unload(changed, name, version) : changed;
  }, registry);
}
