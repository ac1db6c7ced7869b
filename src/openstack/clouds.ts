import { SlipwayError } from "../common/errors.ts";
import { authSettings, projectOf, scopeOf } from "./auth-settings.ts";
import { type CompleteEntry, completeEntry, overlaid, textOf } from "./cloud-entry.ts";
import { type CloudSource, type CredentialsQuery, cloudSource } from "./cloud-source.ts";
import type { CloudEntry } from "./clouds-file.ts";
import { userHome } from "./clouds-search.ts";
import type { Credentials } from "./credentials.ts";
import { authTypes, identityOf, type Missing } from "./login-method.ts";
import { tlsOf } from "./tls-files.ts";

/**
 * Finds credentials as openstacksdk does: a named cloud's entry decides alone, but for the region and the connection that the
 * provider's configuration sets; without a name the provider's configuration and the OS_* variables, or the only entry that there is.
 * @throws SlipwayError E_CREDENTIALS_MISSING that names the missing piece and where it was looked for
 */
export async function findCredentials(query: CredentialsQuery = {}): Promise<Credentials> {
  const { env = process.env, cwd = process.cwd(), variables = {} } = query;
  const source = await cloudSource(query);
  const completed = await completeEntry(source.entry, textOf(variables.region), query);
  const entry = overlaid(completed.entry, source.overrides);
  const { region } = completed;
  const settings = authSettings(entry);
  const missing = missingIn(source, completed);
  const authUrl = settings.auth_url;
  if (authUrl === undefined) throw missing("auth_url");
  const authType = textOf(entry.auth_type);
  const identity = identityOf(settings, authType, missing);
  if (identity === undefined) throw unsupported(source, `auth_type ${authType}`, authTypes.join(", "));
  const project = projectOf(settings);
  return {
    authUrl: authUrl.replaceAll("{region_name}", region ?? "").replace(/\/+$/, ""), // profiles write it so
    identity,
    interface: interfaceOf(entry, source),
    tls: await tlsOf(entry, { home: userHome(env), cwd }, source.where),
    ...(project === undefined ? scopeOf(settings) : { project }),
    ...(region === undefined ? {} : { region }),
    ...(source.cloud === undefined ? {} : { cloud: source.cloud }),
    ...(source.file === undefined ? {} : { cloudsFile: source.file }),
  };
}

/** The first one that is named; `publicURL` is how older files write it. */
function interfaceOf(entry: CloudEntry, source: CloudSource): Credentials["interface"] {
  const named: unknown = entry.endpoint_type ?? entry.interface;
  const first = textOf(Array.isArray(named) ? named[0] : named)?.replace(/URL$/, "") ?? "public";
  if (first === "public" || first === "internal" || first === "admin") return first;
  throw unsupported(source, `interface ${first}`, "public, internal, admin");
}

function missingIn(source: CloudSource, { unknownProfile: profile }: CompleteEntry): Missing {
  const unknown = `its profile ${profile} is in no clouds-public.yaml; profiles that openstacksdk brings are not known here`;
  const details = profile === undefined ? source.looked : [...source.looked, unknown];
  return (...settings) =>
    new SlipwayError("E_CREDENTIALS_MISSING", `${source.where} lacks ${settings.map(source.nameOf).join(" or ")}`, {
      hint: source.hint,
      details,
    });
}

function unsupported(source: CloudSource, what: string, known: string): SlipwayError {
  return new SlipwayError("E_CREDENTIALS_MISSING", `${source.where} has ${what}, which is not supported`, {
    hint: `Choose one of ${known}.`,
    details: source.looked,
  });
}
