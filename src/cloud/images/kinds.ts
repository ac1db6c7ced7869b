import { pathExists } from "../../common/files.ts";
import { daemonFiles } from "../daemon-info.ts";
import type { ImageKind } from "./recipe.ts";

/** The usual image, and one for guests that run containers where they are wanted. */
export function kindsWith(containers: boolean): ImageKind[] {
  return containers ? ["usual", "containers"] : ["usual"];
}

/** The images that a cloud offers from its start; one for containers where that was asked for once, and from then on. */
export async function imageKinds(stateDir: string): Promise<ImageKind[]> {
  return kindsWith(await pathExists(daemonFiles(stateDir).containers));
}
