import type { Alias } from "@pulumi/pulumi/proto/alias_pb.js";
import type { ReadResourceRequest, RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb.js";
import { type AliasSpec, type Goal, parseDuration, type ReadGoal } from "../steps/goal.ts";
import type { Value } from "../values/value.ts";
import { decodeWire, type Json, mapFromStruct } from "../values/wire.ts";
import { positionsFrom } from "./source-positions.ts";

/** A registration as the program's SDK sends it, as the engine's own words. @param projectRoot what source positions are relative to */
export function goalFrom(request: RegisterResourceRequest, projectRoot: string): Goal {
  const propertyDependencies: Record<string, string[]> = {};
  for (const [key, value] of request.getPropertydependenciesMap().entries()) {
    propertyDependencies[key] = value.getUrnsList();
  }
  return {
    type: request.getType(),
    name: request.getName(),
    custom: request.getCustom(),
    parent: request.getParent(),
    inputs: mapFromStruct(request.getObject()),
    provider: request.getProvider(),
    version: request.getVersion(),
    dependencies: request.getDependenciesList(),
    propertyDependencies,
    protect: request.getProtect() ?? false,
    retainOnDelete: request.getRetainondelete() ?? false,
    deletedWith: request.getDeletedwith(),
    deleteBeforeReplace: request.getDeletebeforereplacedefined() ? request.getDeletebeforereplace() : undefined,
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    customTimeouts: timeoutsFrom(request),
    positions: positionsFrom(request, projectRoot),
    importId: request.getImportid(),
    replacementTrigger: triggerFrom(request),
    pluginDownloadUrl: request.getPlugindownloadurl(),
    aliases: [...request.getAliasurnsList().map((urn) => ({ urn })), ...request.getAliasesList().map(aliasFrom)],
  };
}

/** A read as the program's SDK sends it. */
export function readGoalFrom(request: ReadResourceRequest): ReadGoal {
  return {
    id: request.getId(),
    type: request.getType(),
    name: request.getName(),
    parent: request.getParent(),
    provider: request.getProvider(),
    version: request.getVersion(),
    pluginDownloadUrl: request.getPlugindownloadurl(),
    inputs: mapFromStruct(request.getProperties()),
    dependencies: request.getDependenciesList(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
  };
}

/** The options of a registration that this engine would have to ignore. */
export function unsupportedOptions(request: RegisterResourceRequest): string[] {
  const used: [string, boolean][] = [
    ["remote components", request.getRemote()],
    ["replaceWith", request.getReplaceWithList().length > 0],
    ["resource hooks", hasHooks(request)],
    ["parameterized packages", request.getPackageref() !== ""],
    ["state migrations", request.getStateMigrationsList().length > 0],
    ["environment variable mappings", request.getEnvvarmappingsMap().getLength() > 0],
  ];
  return used.filter(([, is]) => is).map(([name]) => name);
}

function triggerFrom(request: RegisterResourceRequest): Value | undefined {
  const trigger = request.getReplacementTrigger();
  return trigger === undefined ? undefined : decodeWire(trigger.toJavaScript() as Json);
}

function hasHooks(request: RegisterResourceRequest): boolean {
  const hooks = request.getHooks();
  return hooks !== undefined && Object.values(hooks.toObject()).some((names) => names.length > 0);
}

function timeoutsFrom(request: RegisterResourceRequest): Record<string, number> {
  const timeouts = request.getCustomtimeouts();
  const texts = {
    create: timeouts?.getCreate() ?? "",
    update: timeouts?.getUpdate() ?? "",
    delete: timeouts?.getDelete() ?? "",
    read: timeouts?.getRead() ?? "",
  };
  const given = Object.entries(texts).filter(([, text]) => text !== "");
  return Object.fromEntries(given.map(([operation, text]) => [operation, parseDuration(text)]));
}

function aliasFrom(alias: Alias): AliasSpec {
  const spec = alias.getSpec();
  if (spec === undefined) return { urn: alias.getUrn() };
  return {
    name: spec.getName(),
    type: spec.getType(),
    stack: spec.getStack(),
    project: spec.getProject(),
    parentUrn: spec.getParenturn(),
    noParent: spec.getNoparent(),
  };
}
