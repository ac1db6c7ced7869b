import { pathExists } from "../../common/files.ts";
import { daemonFiles } from "../daemon-info.ts";
import type { ImageKind } from "./recipe.ts";

/** The images that a cloud offers from its start; one for containers where that was asked for once, and from then on. */
export async function imageKinds(stateDir: string): Promise<ImageKind[]> {
  return (await pathExists(daemonFiles(stateDir).containers)) ? ["usual", "containers"] : ["usual"];
}
