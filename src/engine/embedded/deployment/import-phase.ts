import { SlipwayError } from "../../../common/errors.ts";
import type { ResourceToImport } from "../../engine.ts";
import type { PackageRequest } from "../providers/default-providers.ts";
import type { UsableProvider } from "../providers/provider-registry.ts";
import type { ResourceState } from "../state/resource-state.ts";
import { bareGoal, type Goal } from "../steps/goal.ts";
import {
  defaultProviderName,
  isProviderType,
  makeUrn,
  nameOf,
  packageOf,
  providedPackage,
  providerType,
  stackType,
} from "../urn.ts";
import { claimFor } from "./bring.ts";
import { registerComponent } from "./components.ts";
import type { Context } from "./context.ts";
import { enginePackage, unsupported } from "./engine-built.ts";
import { Stopped } from "./failures.ts";
import { importUnasked } from "./import.ts";
import { stateOf } from "./new-state.ts";

/** A resource to be imported that can be: its type, parent and provider are what they should be. */
interface Planned extends ResourceToImport {
  urn: string;
  /** What the state has of it already. */
  present: ResourceState | undefined;
}

/** How resources are imported. */
export interface ImportManner {
  protect: boolean;
  /** Which SDK package the program has for a provider's package. */
  requestFor(packageName: string): Promise<PackageRequest>;
}

/**
 * Takes objects into the state beside what it has, which stays the same. A resource waits for its parent if that is imported too.
 * Failures of single resources are noted with the context; resolves to what is in the state afterwards, in the order of `resources`.
 * Throws SlipwayError E_USAGE for what cannot be imported whatever the cloud says, before anything is done.
 */
export async function importAll(
  context: Context,
  resources: readonly ResourceToImport[],
  manner: ImportManner,
): Promise<ResourceState[]> {
  const planned = plan(context, resources);
  await keepAll(context);
  const root = await stackUrn(context);
  const parents = new Map(planned.map(({ urn }) => [urn, Promise.withResolvers<void>()]));
  await Promise.all(
    planned.map(async (one) => {
      await parents.get(one.parent ?? "")?.promise;
      if (one.present === undefined) await importOne(context, one, one.parent ?? root, manner);
      parents.get(one.urn)?.resolve();
    }),
  );
  return planned.flatMap(({ urn }) => context.snapshot.current(urn) ?? []);
}

async function importOne(context: Context, one: Planned, parent: string, manner: ImportManner): Promise<void> {
  const goal: Goal = { ...bareGoal(one.type, one.name), parent, protect: manner.protect };
  try {
    const usable = await providerFor(context, one, manner);
    await importUnasked(context, { state: stateOf(one.urn, goal, {}, usable.reference), usable }, one.id);
  } catch (error) {
    if (!(error instanceof Stopped)) context.failures.step(one.urn, error);
  }
}

/** The provider that is named, else the default one: that of the state, as programs before have left it, or a new one. */
async function providerFor(
  { registry, snapshot, stack, project }: Context,
  { type, provider }: Planned,
  { requestFor }: ImportManner,
): Promise<UsableProvider> {
  const packageName = packageOf(type);
  const request = await requestFor(packageName);
  const name = defaultProviderName(request.version, request.pluginDownloadUrl);
  const urn = provider ?? makeUrn(stack, project, "", providerType(packageName), name);
  const known = snapshot.current(urn);
  return registry.forRequest(type, request, known === undefined ? "" : `${urn}::${known.id ?? ""}`);
}

/** Nothing else of the stack is touched; the official engine says so of each resource. */
async function keepAll({ snapshot, reporter }: Context): Promise<void> {
  for (const state of snapshot.remaining().filter((state) => !state.delete)) {
    snapshot.keep(state);
    await reporter.step("same", state, { old: state }, async () => undefined);
  }
}

/** The stack's own resource, which a state without a program's run does not have yet. */
async function stackUrn(context: Context): Promise<string> {
  const known = context.snapshot.resources().find(({ type }) => type === stackType);
  if (known !== undefined) return known.urn;
  const goal = { ...bareGoal(stackType, `${context.project}-${context.stack}`), custom: false };
  return (await registerComponent(context, claimFor(context, goal), goal)).urn;
}

function plan(context: Context, resources: readonly ResourceToImport[]): Planned[] {
  const { snapshot, stack, project } = context;
  const planned = resources.map((resource): Planned => {
    assertType(resource.type);
    if (resource.name === "" || resource.id === "") throw refused("what is imported needs a name and an id");
    const urn = makeUrn(stack, project, resource.parent ?? "", resource.type, resource.name);
    return { ...resource, urn, present: snapshot.current(urn) };
  });
  const urns = new Set(planned.map(({ urn }) => urn));
  if (urns.size < planned.length) throw refused("two resources of one type are to be imported under the same name");
  for (const one of planned) {
    assertFree(one);
    if (one.parent !== undefined && !urns.has(one.parent) && snapshot.current(one.parent) === undefined) {
      throw refused(
        `the stack has no resource ${one.parent} that ${one.name} could be a child of`,
        "Name its parent by a URN of the state: `slipway stack export` shows them. In a shell, a URN with a $ needs single quotes.",
      );
    }
    if (one.provider !== undefined) assertProvider(context, one.provider, one.type);
  }
  return planned;
}

function assertType(type: string): void {
  if (!/^[^:]+:[^:]*:[^:]+$/.test(type)) {
    throw refused(
      `${type} is no resource type`,
      "Write it like openstack:networking/network:Network: package, module and type.",
    );
  }
  if (packageOf(type) === enginePackage) throw unsupported(`the import of ${type}`);
}

function assertFree({ urn, id, present }: Planned): void {
  if (present === undefined || (present.importID ?? present.id) === id) return;
  throw refused(
    `the stack has ${urn} already, with the id ${present.id ?? "of nothing"}`,
    `Import it under another name than ${nameOf(urn)}.`,
  );
}

function assertProvider({ snapshot }: Context, urn: string, type: string): void {
  const state = snapshot.current(urn);
  if (state !== undefined && isProviderType(state.type) && providedPackage(state.type) === packageOf(type)) return;
  throw refused(
    `the stack has no provider ${urn} of the package ${packageOf(type)}`,
    "Let the program make the provider first, or leave it out for the default one.",
  );
}

function refused(what: string, hint?: string): SlipwayError {
  return new SlipwayError("E_USAGE", what, hint === undefined ? {} : { hint });
}
