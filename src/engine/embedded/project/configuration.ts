import { SlipwayError } from "../../../common/errors.ts";
import type { SecretCodec } from "../values/state-json.ts";
import type { Declaration, Project } from "./project.ts";
import { fullKey, type StackFile } from "./stack-file.ts";

/** A stack's configuration as a program gets it: `namespace:key` → text. */
export interface Configuration {
  values: Record<string, string>;
  /** Keys whose text holds a secret. */
  secretKeys: string[];
}

/** A stack's whole configuration. */
export interface StackConfiguration extends Configuration {
  /** What was sealed: of a structured value only a part. */
  secrets: string[];
}

/**
 * What a project declares, the stack's values and this run's overrides, merged in that order.
 * @param isComplete false where values may still be missing: one is about to be set, or looked at
 */
export function resolveConfiguration(
  project: Project,
  file: StackFile,
  codec: SecretCodec | undefined,
  overrides: Record<string, string> = {},
  isComplete = true,
): StackConfiguration {
  const values: Record<string, string> = {};
  const secretKeys = new Set<string>();
  const secrets: string[] = [];
  const missing: string[] = [];
  for (const [name, declaration] of Object.entries(project.config)) {
    const key = fullKey(project, name);
    const fallback = defaultOf(declaration);
    if (fallback !== undefined) values[key] = asText(fallback);
    else if (isTyped(declaration) && !(key in file.config) && !(key in overrides)) missing.push(key);
    if (isTyped(declaration) && declaration.secret === true) secretKeys.add(key);
  }
  if (isComplete && missing.length > 0) {
    throw new SlipwayError("E_CONFIG_INVALID", `${file.path} lacks what Pulumi.yaml declares: ${missing.join(", ")}`, {
      hint: `Add a value for each below "config:".`,
    });
  }
  for (const [key, sealed] of Object.entries(file.config)) {
    const opened = unseal(sealed, codec, key, secrets);
    values[key] = asText(opened.value);
    if (opened.secret) secretKeys.add(key);
  }
  Object.assign(values, overrides);
  for (const [name, declaration] of Object.entries(project.config)) {
    const key = fullKey(project, name);
    if (isTyped(declaration) && values[key] !== undefined) checkType(file, key, declaration, values[key]);
  }
  return { values, secretKeys: [...secretKeys].filter((key) => key in values), secrets };
}

/** True when a stack file holds secrets, so that its key must be derived before the program can start. */
export function holdsSecrets(config: unknown): boolean {
  if (typeof config !== "object" || config === null) return false;
  return isSealed(config) || Object.values(config).some(holdsSecrets);
}

/** The configuration of one namespace, by bare name: a provider's. Keys that hold secrets are listed apart. */
export function namespaceOf(configuration: Configuration, namespace: string): Configuration {
  const prefix = `${namespace}:`;
  const own = (key: string) => key.startsWith(prefix);
  return {
    values: Object.fromEntries(
      Object.entries(configuration.values)
        .filter(([key]) => own(key))
        .map(([key, value]) => [key.slice(prefix.length), value]),
    ),
    secretKeys: configuration.secretKeys.filter(own).map((key) => key.slice(prefix.length)),
  };
}

type Typed = Extract<Declaration, { type?: unknown }>;

function isTyped(declaration: Declaration): declaration is Typed {
  return typeof declaration === "object" && declaration !== null && !Array.isArray(declaration);
}

function defaultOf(declaration: Declaration): unknown {
  return isTyped(declaration) ? (declaration.value ?? declaration.default) : declaration;
}

function isSealed(value: unknown): value is { secure: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).length === 1 &&
    typeof (value as { secure?: unknown }).secure === "string"
  );
}

/** Adds what was sealed to `secrets`. */
function unseal(
  value: unknown,
  codec: SecretCodec | undefined,
  slot: string,
  secrets: string[],
): { value: unknown; secret: boolean } {
  if (isSealed(value)) {
    if (codec === undefined) {
      throw new SlipwayError("E_CONFIG_INVALID", `${slot} is sealed, but its stack file has no encryptionsalt`);
    }
    const text = codec.decrypt(value.secure, `config ${slot}`);
    secrets.push(text);
    return { value: text, secret: true };
  }
  if (typeof value !== "object" || value === null) return { value, secret: false };
  const opened = Object.entries(value).map(
    ([key, item]) => [key, unseal(item, codec, `${slot}/${key}`, secrets)] as const,
  );
  const secret = opened.some(([, item]) => item.secret);
  if (Array.isArray(value)) return { value: opened.map(([, item]) => item.value), secret };
  return { value: Object.fromEntries(opened.map(([key, item]) => [key, item.value])), secret };
}

/** Scalars in their canonical text, lists and maps as JSON text. */
function asText(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "" : JSON.stringify(value);
}

function checkType(file: StackFile, key: string, declaration: Typed, text: string): void {
  const type = declaration.type ?? "string";
  if (fits(type, text)) return;
  throw new SlipwayError("E_CONFIG_INVALID", `${key} must be of type ${type} (${file.path})`);
}

function fits(type: NonNullable<Typed["type"]>, text: string): boolean {
  switch (type) {
    case "string":
      return true;
    case "integer":
      return /^[+-]?\d+$/.test(text);
    case "number":
      return text.trim() !== "" && Number.isFinite(Number(text));
    case "boolean":
      return text === "true" || text === "false";
    case "array":
    case "object":
      return isJsonOf(type, text);
  }
}

function isJsonOf(type: "array" | "object", text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return type === "array"
      ? Array.isArray(value)
      : typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false; // not JSON, so not of the type either
  }
}
