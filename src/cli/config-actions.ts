import { SlipwayError } from "../common/errors.ts";
import {
  configPlace,
  readConfiguration,
  removeConfig,
  setConfig,
  setSecretConfig,
} from "../engine/embedded/operations/config.ts";
import type { Path } from "../engine/embedded/values/paths.ts";
import { findPassphrase } from "./passphrase.ts";
import { placeStack } from "./stack-place.ts";
import { readValue } from "./value-input.ts";

/** What the command line says. */
interface ConfigArguments {
  stack: string | undefined;
  key: string | undefined;
  value: string | undefined;
  path: boolean;
  secret: boolean;
  plaintext: boolean;
  showSecrets: boolean;
}

/** What an action answers: for programs and for people. */
interface Answer {
  object: Record<string, unknown>;
  text: string;
}

type Action = (args: ConfigArguments, signal: AbortSignal) => Promise<Answer>;

/** What `slipway config` can do with a stack's configuration, besides showing all of it. */
export const configActions: Record<string, Action> = { get, set, rm };

/** Keys that are named like what should not lie about in clear text. */
const secretName = /pass|pwd|secret|token|private_?key|credential/i;

/** All of a stack's configuration, with the project's defaults. */
export async function listConfig({ stack, showSecrets }: ConfigArguments): Promise<Answer> {
  const { files, home } = await placeStack(stack);
  const { values, secretKeys } = await readConfiguration(files, ...(showSecrets ? [await findPassphrase(home)] : []));
  const prefix = `${files.project.name}:`;
  const entries = Object.entries(values).map(([key, value]) => {
    const secret = secretKeys.includes(key);
    return [key, { ...(secret && !showSecrets ? {} : { value }), secret }] as const;
  });
  const rows = [
    ["KEY", "VALUE"],
    ...entries
      .map(([key, { value }]) => [key.startsWith(prefix) ? key.slice(prefix.length) : key, value ?? "[secret]"])
      .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1)),
  ];
  const width = Math.max(...rows.map(([key = ""]) => key.length));
  const text = rows.map(([key = "", value = ""]) => `${key.padEnd(width)}  ${value}`).join("\n");
  return { object: { stack: files.stack, config: Object.fromEntries(entries) }, text };
}

async function get(args: ConfigArguments): Promise<Answer> {
  const { files, home } = await placeStack(args.stack);
  const place = configPlace(files, required(args.key), args.path);
  const sealed = await readConfiguration(files);
  const secret = sealed.secretKeys.includes(place.key);
  const { values } = secret ? await readConfiguration(files, await findPassphrase(home)) : sealed;
  const found = values[place.key];
  const value = found === undefined ? undefined : within(found, place.path);
  if (value === undefined) {
    throw new SlipwayError("E_LOOKUP", `configuration key '${args.key}' not found for stack '${files.stack}'`, {
      hint: "Run `slipway config`: it lists what there is.",
    });
  }
  const { key } = place;
  return { object: { stack: files.stack, key, value, secret }, text: value };
}

/** What lies within a structure, as text; undefined where it has no such place. */
function within(text: string, path: Path): string | undefined {
  if (path.length === 0) return text;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // a plain text has nothing within
  }
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

async function set(args: ConfigArguments, signal: AbortSignal): Promise<Answer> {
  const { secret, plaintext } = args;
  const { files, home } = await placeStack(args.stack);
  const key = required(args.key);
  const place = configPlace(files, key, args.path);
  refuseOpenSecret(args, key);
  const value = args.value ?? (await readValue(key, secret && !plaintext, signal));
  if (secret) await setSecretConfig(files, place, value, await findPassphrase(home));
  else await setConfig(files, place, value);
  return { object: { stack: files.stack, key: place.key, secret }, text: "" };
}

/** What stands in a command line stands in the shell's history and in the list of processes. */
function refuseOpenSecret({ value, secret, plaintext }: ConfigArguments, key: string): void {
  if (secret && plaintext) {
    throw new SlipwayError("E_USAGE", "--secret and --plaintext contradict each other", {
      hint: "Choose one of them.",
    });
  }
  const pipe = `printf %s "$VALUE" | slipway config set ${key} --secret`;
  if (secret && value !== undefined) {
    throw new SlipwayError("E_USAGE", "a secret is not given as an argument: the shell's history would keep it", {
      hint: `Leave it out to be asked for it, or pipe it in: ${pipe}.`,
    });
  }
  if (!secret && !plaintext && secretName.test(key)) {
    throw new SlipwayError("E_USAGE", `${key} looks like a secret`, {
      hint: `Seal it (${pipe}), or add --plaintext.`,
    });
  }
}

async function rm(args: ConfigArguments): Promise<Answer> {
  const { files } = await placeStack(args.stack);
  const place = configPlace(files, required(args.key), args.path);
  await removeConfig(files, place);
  return { object: { stack: files.stack, key: place.key }, text: "" };
}

function required(key: string | undefined): string {
  if (key !== undefined) return key;
  throw new SlipwayError("E_USAGE", "which configuration key?", {
    hint: "Run `slipway config`: it lists what there is.",
  });
}
