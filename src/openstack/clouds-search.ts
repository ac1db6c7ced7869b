import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

/** Where clouds.yaml and the files beside it are looked for. */
export interface CloudsFileSearch {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Files that are asked when the user's own do not have the entry: the embedded cloud's. */
  extraFiles?: string[];
}

/** `clouds` has the entries, `secure` their secrets, `clouds-public` the profiles that entries refer to. */
export type CloudsFileKind = "clouds" | "secure" | "clouds-public";

/** Variables that name a file outright; it is asked first. */
const namedBy: Partial<Record<CloudsFileKind, string>> = {
  clouds: "OS_CLIENT_CONFIG_FILE",
  secure: "OS_CLIENT_SECURE_FILE",
};

/**
 * The paths of a kind of file in openstacksdk's order; the first that is there counts, alone.
 * @see https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html
 */
export function cloudsFileCandidates(kind: CloudsFileKind, search: CloudsFileSearch): string[] {
  const { env = process.env, cwd = process.cwd() } = search;
  const named = env[namedBy[kind] ?? ""];
  const found = folders(env, cwd).flatMap((folder) => ["yaml", "yml", "json"].map((end) => `${folder}/${kind}.${end}`));
  return named ? [resolve(cwd, named), ...found] : found;
}

/** The user's home: HOME where it is set, as Python has it. */
export function userHome(env: NodeJS.ProcessEnv): string {
  return env.HOME || homedir();
}

function folders(env: NodeJS.ProcessEnv, cwd: string): string[] {
  const apple = process.platform === "darwin" ? "Library/Application Support" : undefined;
  const home = userHome(env);
  // the XDG Base Directory Specification has relative paths passed over
  const own = [env.XDG_CONFIG_HOME ?? ""].filter(isAbsolute);
  const shared = (env.XDG_CONFIG_DIRS ?? "").split(":").filter(isAbsolute);
  const configuration = [
    ...(own.length > 0 ? own : [join(home, apple ?? ".config")]),
    join(env.SNAP_REAL_HOME || home, ".config"),
    ...(shared.length > 0 ? shared : [apple === undefined ? "/etc/xdg" : `/${apple}`]),
    "/etc",
  ];
  return [...new Set([cwd, ...configuration.map((folder) => join(folder, "openstack"))])];
}
