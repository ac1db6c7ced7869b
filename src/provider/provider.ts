import { SlipwayError } from "../common/errors.ts";
import type { CallOptions, PropertyMap, ResourceIdentity, ResourceProvider } from "../engine/resource-provider.ts";
import type { CredentialsQuery } from "../openstack/cloud-source.ts";
import { findCredentials } from "../openstack/clouds.ts";
import type { Credentials } from "../openstack/credentials.ts";
import { openSession, type Session, type SessionOptions } from "../openstack/session.ts";
import { Vanished } from "../openstack/waiting.ts";
import { type Conduct, conductOf } from "./configuration.ts";
import type { ProviderFunction } from "./function.ts";
import { providerFunctions } from "./functions.ts";
import type { Candidate, Context, ResourceKind } from "./kind.ts";
import { resourceKinds } from "./kinds.ts";
import { broken, composed, halfMade, mayHaveMade, outputsOf } from "./outcome.ts";
import { checkInputs } from "./schema/check.ts";
import { changedNames } from "./schema/diff.ts";
import {
  emptyCollections,
  foreseenOutputs,
  foreseenUpdate,
  importedInputs,
  keptEmptyCollections,
  metaOf,
  refreshedInputs,
  type Timeouts,
} from "./schema/outputs.ts";
import { textOf } from "./schema/values.ts";
import { verdictOn } from "./verdict.ts";

/** Where the provider finds its cloud, beside what `configure` is told. */
export interface OpenStackProviderOptions extends Pick<CredentialsQuery, "env" | "cwd"> {
  /** clouds.yaml files that are asked after the user's own: the embedded cloud's. */
  extraCloudsFiles?: string[];
  /** Deadlines and retries of the calls; the configuration counts more. */
  session?: SessionOptions;
  /** Where `enableLogging` writes to: standard error unless told otherwise. */
  log?: (line: string) => void;
}

/** Seconds for phases that a kind declares no timeout for. */
const defaultTimeoutSeconds = 1200;

/** How long ago an object may have been made that an interrupted create is taken to have made, milliseconds. */
const recentMs = 24 * 3_600_000;

/** The resources of `@pulumi/openstack` 3.15.2 that Slipway's programs use, behaving as its own provider's. */
export function createOpenStackProvider(options: OpenStackProviderOptions = {}): ResourceProvider {
  const env = options.env ?? process.env;
  const sessions = new Map<string, Session>();
  let credentials: Credentials | undefined;
  let conduct: Conduct = { loginFirst: false, session: {} };

  const sessionIn = (region: string | undefined): Session => {
    if (credentials === undefined) throw new Error("the OpenStack provider was used before it was configured");
    const chosen = region ?? credentials.region;
    const key = chosen ?? "";
    const session =
      sessions.get(key) ??
      openSession(
        { ...credentials, ...(chosen && { region: chosen }) },
        {
          ...options.session,
          ...conduct.session,
          retries: { ...options.session?.retries, ...conduct.session.retries },
        },
      );
    sessions.set(key, session);
    return session;
  };

  const contextFor = (values: PropertyMap, seconds: number, call: CallOptions = {}): Context => {
    const session = sessionIn(textOf(values, "region"));
    return {
      session,
      region: session.region ?? "",
      timeoutMs: (call.timeoutSeconds || seconds) * 1000,
      env,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    };
  };

  const callOn = (kind: ResourceKind, phase: keyof Timeouts, values: PropertyMap, call: CallOptions): Context =>
    contextFor(values, kind.timeouts[phase] ?? defaultTimeoutSeconds, call);

  return {
    async configure(variables) {
      const { cwd, extraCloudsFiles: extraFiles = [], log = (line) => process.stderr.write(`${line}\n`) } = options;
      conduct = conductOf(variables, env, log);
      credentials = await findCredentials({ env, variables, extraFiles, ...(cwd === undefined ? {} : { cwd }) });
      if (conduct.loginFirst) await sessionIn(undefined).token();
    },

    async check(r, olds, news) {
      const kind = kindOf(r);
      return checkInputs(kind.properties, olds, news, kind.autoName ? { resourceName: r.name } : undefined, env);
    },

    async diff(r, _id, olds, _oldInputs, news, ignoreChanges) {
      return verdictOn(kindOf(r), olds, news, ignoreChanges);
    },

    async create(r, inputs, preview, call) {
      const kind = kindOf(r);
      if (preview) return { id: "", outputs: foreseenOutputs(kind.properties, inputs) };
      const context = callOn(kind, "create", inputs, call);
      const made = await kind.create(context, inputs);
      const known = { ...made.outputs, ...metaOf(kind, call.timeoutSeconds) };
      try {
        await kind.settle?.(context, made.id, inputs, {});
        return { id: made.id, outputs: await outputsOf(kind, context, made.id, inputs, known) };
      } catch (error) {
        if (error instanceof Vanished) throw error;
        throw await halfMade(kind, context, made, inputs, known, error);
      }
    },

    async update(r, id, olds, _oldInputs, news, preview, call) {
      const kind = kindOf(r);
      if (preview) return foreseenUpdate(kind.properties, olds, news);
      const context = callOn(kind, "update", news, call);
      const changed = changedNames(kind.properties, olds, news);
      if (changed.size > 0) await kind.update?.(context, id, { olds, inputs: news, changed });
      try {
        await kind.settle?.(context, id, news, olds);
      } catch (error) {
        throw (await broken(kind, context, id, news, olds, error)) ?? error;
      }
      const outputs = await outputsOf(kind, context, id, news, olds);
      return { ...keptEmptyCollections(kind.properties, olds), ...outputs };
    },

    async read(r, given, known, inputs, call) {
      const kind = kindOf(r);
      const imported = Object.keys(inputs).length === 0;
      if (imported && kind.importable === false) refuseImport(r);
      const meant = imported ? kind.importing?.(given) : undefined;
      const [id, outputs] = [meant?.id ?? given, { ...known, ...meant?.outputs }];
      const context = callOn(kind, "create", { ...outputs, ...inputs }, call);
      const found = await kind.read(context, id, imported ? outputs : inputs, outputs);
      if (found === undefined) return { id: "", outputs: {}, inputs: {} };
      const former = { ...(imported ? metaOf(kind) : {}), ...outputs };
      const state = {
        ...emptyCollections(kind.properties),
        ...composed(kind, context, id, inputs, former, found),
      };
      const refreshed = imported
        ? importedInputs(kind.properties, state)
        : refreshedInputs(kind.properties, inputs, state);
      return { id, outputs: state, inputs: refreshed };
    },

    async delete(r, id, outputs, _oldInputs, call) {
      const kind = kindOf(r);
      await kind.delete(callOn(kind, "delete", outputs, call), id, outputs);
    },

    async findInterrupted(r, inputs) {
      const kind = kindOf(r);
      if (kind.candidates === undefined) return undefined;
      const context = callOn(kind, "create", inputs, {});
      const recent = (await kind.candidates(context, inputs)).filter(isRecent);
      const only = recent.length === 1 ? recent[0] : undefined;
      if (only === undefined) return undefined;
      const known = metaOf(kind);
      try {
        await kind.settle?.(context, only.id, inputs, {});
        return { id: only.id, outputs: await outputsOf(kind, context, only.id, inputs, known) };
      } catch (error) {
        throw await halfMade(kind, context, only, inputs, known, error);
      }
    },

    mayHaveMade,

    async invoke(token, args) {
      const called = functionOf(token);
      const { inputs, failures } = checkInputs(called.args, {}, args, undefined, env);
      if (failures.length > 0) return { result: {}, failures };
      const { __defaults, ...given } = inputs;
      return { result: await called.call(contextFor(given, defaultTimeoutSeconds), given), failures: [] };
    },

    secretOutputs(type) {
      const properties = resourceKinds.get(type)?.properties ?? {};
      return Object.keys(properties).filter((name) => properties[name]?.secret);
    },

    repeatedInputs(type) {
      const properties = Object.entries(resourceKinds.get(type)?.properties ?? {});
      return Object.fromEntries(properties.flatMap(([name, { repeats }]) => (repeats ? [[name, repeats]] : [])));
    },

    async close() {
      for (const session of sessions.values()) session.close();
      sessions.clear();
    },
  };
}

function isRecent({ createdAt }: Candidate): boolean {
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(createdAt) ? createdAt : `${createdAt}Z`;
  const time = Date.parse(zoned);
  return !Number.isNaN(time) && Date.now() - time < recentMs;
}

function kindOf({ type }: ResourceIdentity): ResourceKind {
  return resourceKinds.get(type) ?? unsupported(`the resource type ${type}`, [...resourceKinds.keys()]);
}

function functionOf(token: string): ProviderFunction {
  return providerFunctions.get(token) ?? unsupported(`the function ${token}`, [...providerFunctions.keys()]);
}

function refuseImport({ type }: ResourceIdentity): never {
  throw new SlipwayError(
    "E_UNSUPPORTED",
    `a resource of type ${type} cannot be imported: its id does not tell what it is`,
    {
      hint: "Let the program make it anew.",
    },
  );
}

function unsupported(what: string, known: string[]): never {
  throw new SlipwayError("E_UNSUPPORTED", `the embedded engine's OpenStack provider does not know ${what}`, {
    hint: "Use the official engine, or one of the types listed.",
    details: known.sort(),
  });
}
