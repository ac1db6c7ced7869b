import { SlipwayError } from "../common/errors.ts";
import type { AuthSetting } from "./auth-settings.ts";
import { overlaid, textOf } from "./cloud-entry.ts";
import { type CloudEntry, cloudsToChooseFrom, type FoundCloud, findCloud } from "./clouds-file.ts";
import { type CloudsFileSearch, cloudsFileCandidates } from "./clouds-search.ts";
import {
  argumentsEntry,
  connectionEntry,
  environmentEntry,
  environmentName,
  loginArgument,
  logsIn,
} from "./environment.ts";

/** What credentials are asked for; docs/reference/credentials.md tells what wins. */
export interface CredentialsQuery extends CloudsFileSearch {
  /** An entry of clouds.yaml, or `envvars` for the OS_* variables. */
  cloud?: string;
  /** Configuration of the Pulumi provider, by its own names (`cloud`, `authUrl`, `userName`, …). */
  variables?: Record<string, string>;
}

/** The cloud that is meant, as it was written down, and how to speak of it. */
export interface CloudSource {
  /** Its name; undefined for the environment that nobody asked for by name. */
  cloud?: string;
  /** The file that it stands in. */
  file?: string;
  entry: CloudEntry;
  /** What counts more than the entry, its profile and its region. */
  overrides: CloudEntry;
  /** Subject of a message: `the cloud production`. */
  where: string;
  /** What a setting is called there. */
  nameOf: (setting: AuthSetting) => string;
  /** Where it was looked for. */
  looked: string[];
  hint: string;
}

/**
 * The cloud that is meant: `cloud`, else the provider's `cloud`, else OS_CLOUD; else the environment and the provider's configuration
 * where one of them logs in; else the only entry that there is.
 * @throws SlipwayError E_CREDENTIALS_MISSING where there is none
 */
export async function cloudSource(query: CredentialsQuery): Promise<CloudSource> {
  const { env = process.env, variables = {} } = query;
  const environment = environmentEntry(env);
  const name = textOf(query.cloud) ?? textOf(variables.cloud) ?? textOf(env.OS_CLOUD);
  const unnamed = name === undefined && (logsIn(environment) || textOf(variables.authUrl) !== undefined);
  if (unnamed || name === environmentName(env)) {
    const source = environmentSource(environment, variables);
    return name === undefined ? source : { ...source, cloud: name };
  }
  const choices = await cloudsToChooseFrom(query);
  const found = findCloud(name, choices);
  if (found !== undefined) return fileSource(found, variables);
  const known = choices.flatMap(({ clouds }) => [...clouds.keys()]);
  throw noCloud(name, known, query);
}

function environmentSource(environment: CloudEntry, variables: Record<string, string>): CloudSource {
  const fromStack = argumentsEntry(variables);
  const variableOf = (setting: string) => `OS_${setting.toUpperCase()}`;
  const mixed = Object.keys(fromStack).length > 0;
  return {
    entry: overlaid(environment, fromStack),
    overrides: {},
    where: mixed ? "the stack's configuration with the environment" : "the environment",
    nameOf: (setting) =>
      mixed ? `openstack:${loginArgument(setting)} or ${variableOf(setting)}` : variableOf(setting),
    looked: [`set: ${Object.keys(environment).map(variableOf).join(", ") || "none of the OS_* variables"}`],
    hint: "Source your project's RC file, or name an entry of your clouds.yaml with --os-cloud or OS_CLOUD.",
  };
}

function fileSource({ name, entry, files }: FoundCloud, variables: Record<string, string>): CloudSource {
  return {
    cloud: name,
    ...(files[0] === undefined ? {} : { file: files[0] }),
    entry,
    overrides: connectionEntry(variables),
    where: `the cloud ${name}`,
    nameOf: (setting) => `auth.${setting}`,
    looked: files.map((file) => `looked in ${file}`),
    hint: "Add it to the entry in clouds.yaml, or to the same entry in a secure.yaml.",
  };
}

function noCloud(name: string | undefined, known: string[], query: CredentialsQuery): SlipwayError {
  const searched = [...cloudsFileCandidates("clouds", query), ...(query.extraFiles ?? [])];
  const message =
    name === undefined
      ? "neither OS_CLOUD nor OS_AUTH_URL is set and no clouds.yaml with a single entry was found"
      : `there is no cloud ${name} in clouds.yaml`;
  return new SlipwayError("E_CREDENTIALS_MISSING", message, {
    hint: "Start the embedded cloud with `slipway cloud start`, or name an entry of your clouds.yaml with --os-cloud or OS_CLOUD.",
    details: [
      ...(known.length === 0 ? [] : [`clouds: ${known.join(", ")}`]),
      ...searched.map((path) => `searched: ${path}`),
    ],
  });
}
