import { SlipwayError } from "../../../common/errors.ts";
import { type Configuration, holdsSecrets, resolveConfiguration } from "../project/configuration.ts";
import { fullKey } from "../project/stack-file.ts";
import { StackFileEdit } from "../project/stack-file-edit.ts";
import { Vault } from "../secrets/vault.ts";
import { type Path, parsePath } from "../values/paths.ts";
import type { SecretCodec } from "../values/state-json.ts";
import { assertKnown, readState, type StackFiles, saltOf } from "./stack-files.ts";

/** A place in a stack's configuration: a key, and with `--path` what lies within its value. */
export interface ConfigPlace {
  /** `namespace:key` */
  key: string;
  path: Path;
}

/**
 * Reads a key as it is typed: without a namespace it is the project's; where it may be a path, `a.b[0]` lies within `a`.
 * Throws SlipwayError E_USAGE.
 */
export function configPlace({ project }: StackFiles, text: string, isPath: boolean): ConfigPlace {
  const key = fullKey(project, text);
  const colon = key.indexOf(":");
  const [head, ...path] = isPath ? parsePath(key.slice(colon + 1)) : [key.slice(colon + 1)];
  if (colon < 1 || typeof head !== "string" || head === "" || path.includes("*")) {
    throw new SlipwayError("E_USAGE", `"${text}" is no configuration key`, {
      hint: isPath ? "Write it like name.inner[0] or namespace:name.inner." : "Write it like name or namespace:name.",
    });
  }
  return { key: `${key.slice(0, colon)}:${head}`, path };
}

/**
 * A stack's configuration with the project's defaults; values may be missing. Without a passphrase what is sealed stays so: the values
 * of `secretKeys` then say nothing. Throws SlipwayError E_PASSPHRASE_WRONG.
 */
export async function readConfiguration(files: StackFiles, passphrase?: string): Promise<Configuration> {
  await assertKnown(files);
  const { project, file } = files;
  const isSealed = holdsSecrets(file.config) && file.encryptionSalt !== undefined;
  const vault = isSealed && passphrase !== undefined ? await Vault.open(passphrase, file.encryptionSalt) : blind;
  return resolveConfiguration(project, file, vault, {}, false);
}

/** Opens nothing. */
const blind: SecretCodec = { encrypt: (plaintext) => plaintext, decrypt: () => "[secret]" };

/** Sets one value in the stack's file. Throws SlipwayError E_USAGE, E_CONFIG_INVALID. */
export async function setConfig(files: StackFiles, { key, path }: ConfigPlace, value: string): Promise<void> {
  await assertKnown(files);
  const edit = await StackFileEdit.open(files.project, files.file.path);
  edit.set(key, path, value);
  await edit.save();
}

/**
 * Seals a value and sets it in the stack's file. A file without a salt gets the state's, so that one passphrase opens both, or a new
 * one. Throws SlipwayError E_PASSPHRASE_WRONG, E_USAGE, E_CONFIG_INVALID.
 */
export async function setSecretConfig(
  files: StackFiles,
  { key, path }: ConfigPlace,
  value: string,
  passphrase: string,
): Promise<void> {
  await assertKnown(files);
  const salt = files.file.encryptionSalt ?? saltOf(await readState(files));
  const vault = await Vault.open(passphrase, salt);
  const edit = await StackFileEdit.open(files.project, files.file.path);
  edit.setSalt(vault.salt);
  edit.set(key, path, { secure: vault.encrypt(value, `config ${key}`) });
  await edit.save();
}

/** Removes a value from the stack's file. Throws SlipwayError E_LOOKUP where it is not there. */
export async function removeConfig(files: StackFiles, { key, path }: ConfigPlace): Promise<void> {
  await assertKnown(files);
  const edit = await StackFileEdit.open(files.project, files.file.path);
  if (!edit.remove(key, path)) {
    throw new SlipwayError("E_LOOKUP", `${files.file.path} has no ${[key, ...path].join(".")}`, {
      hint: "Run `slipway config`: it lists what there is.",
    });
  }
  await edit.save();
}
