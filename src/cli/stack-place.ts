import { slipwayHome, stackHome } from "../common/home.ts";
import { readStackFiles, type StackFiles } from "../engine/embedded/operations/stack-files.ts";
import type { StackPlace } from "../engine/embedded/stacks/place.ts";
import { backendUrl, DEFAULT_STACK, findProjectRoot } from "./workspace.ts";

/** A stack as the verbs on its state and configuration need it: of any project, whatever its configuration says, without a cloud. */
export interface PlacedStack {
  projectRoot: string;
  /** `.slipway` */
  home: string;
  /** `.slipway/stacks/<stack>` */
  stackHome: string;
  files: StackFiles;
  place: StackPlace;
}

/** Finds a stack of the project that the command runs in; it need not exist. Throws SlipwayError E_CONFIG_INVALID, E_UNSUPPORTED. */
export async function placeStack(stack: string = DEFAULT_STACK): Promise<PlacedStack> {
  const projectRoot = await findProjectRoot(process.cwd());
  const home = slipwayHome(projectRoot);
  const url = backendUrl(home);
  const files = await readStackFiles({ projectRoot, stack, backendUrl: url });
  const place = { backendUrl: url, project: files.project.name, stack };
  return { projectRoot, home, stackHome: stackHome(projectRoot, stack), files, place };
}
