import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { messageOf, SlipwayError } from "../common/errors.ts";

/** A cloud-config as parsed YAML. */
export type CloudConfig = Record<string, unknown>;

/** @throws SlipwayError E_TEMPLATE when the text is not a YAML mapping */
export function parseCloudConfig(template: string, text: string): CloudConfig {
  let config: unknown;
  try {
    config = parse(text);
  } catch (error) {
    throw new SlipwayError(
      "E_TEMPLATE",
      `cloud-init/${template}.yaml.hbs does not render to YAML: ${messageOf(error)}`,
      {
        cause: error,
        hint: "Put {{yaml …}} around values, and {{#indent n}} around blocks.",
      },
    );
  }
  if (!isMapping(config)) {
    throw new SlipwayError("E_TEMPLATE", `cloud-init/${template}.yaml.hbs does not render to a YAML mapping`);
  }
  return config;
}

/**
 * One document of several, in order: lists are concatenated, mappings merged.
 * @throws SlipwayError E_TEMPLATE where two parts give one key different values
 */
export function mergeCloudConfigs(parts: { template: string; config: CloudConfig }[]): CloudConfig {
  let merged: CloudConfig = {};
  for (const { template, config } of parts) merged = mergeMappings(merged, config, template, "");
  return merged;
}

function mergeMappings(base: CloudConfig, added: CloudConfig, template: string, path: string): CloudConfig {
  const merged = { ...base };
  for (const [key, value] of Object.entries(added)) {
    merged[key] = key in base ? mergeValues(base[key], value, template, `${path}${key}`) : value;
  }
  return merged;
}

function mergeValues(base: unknown, added: unknown, template: string, path: string): unknown {
  if (Array.isArray(base) && Array.isArray(added)) return [...base, ...added];
  if (isMapping(base) && isMapping(added)) return mergeMappings(base, added, template, `${path}.`);
  if (isDeepStrictEqual(base, added)) return base;
  throw new SlipwayError(
    "E_TEMPLATE",
    `cloud-init/${template}.yaml.hbs sets ${path} to another value than a template before it`,
  );
}

function isMapping(value: unknown): value is CloudConfig {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
