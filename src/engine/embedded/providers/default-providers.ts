import { SlipwayError } from "../../../common/errors.ts";
import { type Configuration, namespaceOf } from "../project/configuration.ts";
import { dynamicPackage } from "../urn.ts";
import { Secret, type ValueMap } from "../values/value.ts";
import { internalKey } from "./provider-resources.ts";

/** What names a package's provider. */
export interface PackageRequest {
  name: string;
  /** Empty: any. */
  version: string;
  /** Where the plugin comes from; empty for most. */
  pluginDownloadUrl: string;
}

/** A default provider's inputs: the configuration of its namespace, its version and where it comes from. */
export function defaultInputs(configuration: Configuration, request: PackageRequest): ValueMap {
  // Dynamic providers belong to the program and see the whole configuration.
  const own = request.name === dynamicPackage ? configuration : namespaceOf(configuration, request.name);
  const inputs: ValueMap = {};
  for (const [key, text] of Object.entries(own.values)) {
    inputs[key] = own.secretKeys.includes(key) ? Secret.of(text) : text;
  }
  return withOrigin(inputs, request);
}

/** A provider's inputs with what the registration says of its plugin. */
export function withOrigin(inputs: ValueMap, { version, pluginDownloadUrl }: Omit<PackageRequest, "name">): ValueMap {
  if (version === "" && pluginDownloadUrl === "") return inputs;
  return {
    ...inputs,
    [internalKey]: {},
    ...(version === "" ? {} : { version }),
    ...(pluginDownloadUrl === "" ? {} : { pluginDownloadURL: pluginDownloadUrl }),
  };
}

/**
 * Throws SlipwayError E_CONFIG_INVALID where the configuration `pulumi:disable-default-providers` forbids a package's default
 * provider: a JSON list of package names, `*` for all.
 */
export function assertDefaultAllowed({ values }: Configuration, packageName: string, what: string): void {
  const text = values["pulumi:disable-default-providers"] ?? "";
  if (packageName === "pulumi" || text === "") return;
  const disabled = namesIn(text).some((name) => name === "*" || name === packageName);
  if (!disabled) return;
  throw new SlipwayError(
    "E_CONFIG_INVALID",
    `the default provider of ${packageName} is disabled, and ${what} names none`,
    {
      hint: "Give it an explicit provider, or change pulumi:disable-default-providers in the stack's configuration.",
    },
  );
}

function namesIn(text: string): string[] {
  try {
    const names: unknown = JSON.parse(text);
    if (Array.isArray(names) && names.every((name) => typeof name === "string"))
      return names.map((name) => name.trim());
  } catch {
    // told below
  }
  throw new SlipwayError("E_CONFIG_INVALID", `pulumi:disable-default-providers is no JSON list of names: ${text}`);
}
