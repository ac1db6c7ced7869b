import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Options } from "yargs";
import { usualEntry } from "../cloud/clouds-yaml.ts";
import { stateFiles } from "../cloud/store/state.ts";
import { SlipwayError } from "../common/errors.ts";
import { namesIn } from "../common/files.ts";
import { slipwayHome } from "../common/home.ts";
import { embeddedCloudsFile } from "./workspace.ts";

/** An embedded cloud of a project, whether it was started yet or not. */
export interface CloudPlace {
  /** `default`, or what the user calls it. */
  name: string;
  projectRoot: string;
  /** Where it keeps its state. */
  stateDir: string;
  /** The file with its credentials, */
  cloudsFile: string;
  /** and its entry there; the administrator's is the same with `-admin`. */
  entry: string;
}

const usualName = "default";

/** Of verbs that are about one of several embedded clouds. */
export const nameOption = {
  type: "string",
  requiresArg: true,
  default: usualName,
  describe: "which of this project's embedded clouds; each has a state, a port and entries in clouds.yaml of its own",
} as const satisfies Options;

/** @throws SlipwayError E_USAGE for what cannot name a cloud */
export function cloudPlace(projectRoot: string, name = usualName): CloudPlace {
  // `-admin` would make the entry of one cloud the administrator's of another
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name) || /(^|-)admin$/.test(name)) {
    throw new SlipwayError("E_USAGE", `${JSON.stringify(name)} cannot name a cloud`, {
      hint: "Use up to 31 small letters, digits and dashes, a letter first, and no `admin` at the end.",
    });
  }
  const home = slipwayHome(projectRoot);
  const isUsual = name === usualName;
  return {
    ...{ name, projectRoot },
    stateDir: isUsual ? join(home, "cloud") : join(home, "clouds", name),
    cloudsFile: embeddedCloudsFile(home),
    entry: isUsual ? usualEntry : `${usualEntry}-${name}`,
  };
}

/** The embedded clouds of a project that were started and not destroyed, the usual one first. */
export async function cloudPlaces(projectRoot: string): Promise<CloudPlace[]> {
  const named = await namesIn(join(slipwayHome(projectRoot), "clouds"));
  return [usualName, ...named.toSorted()]
    .map((name) => cloudPlace(projectRoot, name))
    .filter(({ stateDir }) => existsSync(stateFiles(stateDir).database));
}

/** How a command names this cloud: nothing where it is the usual one. */
export const nameArgument = ({ name }: CloudPlace) => (name === usualName ? "" : ` --name ${name}`);
