import { join, resolve } from "node:path";

/** Where run-time files live: `SLIPWAY_HOME`, else `.slipway` beside Pulumi.yaml. */
export function slipwayHome(projectRoot: string, env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.SLIPWAY_HOME ?? join(projectRoot, ".slipway"));
}

export { cacheHome } from "./compile-cache.mjs";

/** What belongs to one stack alone (signing key, publication, cloud binding). */
export function stackHome(projectRoot: string, stack: string, env: NodeJS.ProcessEnv = process.env): string {
  return join(slipwayHome(projectRoot, env), "stacks", stack);
}
