import { join } from "node:path";
import { cacheHome } from "./home.ts";

/**
 * Where Node keeps what it has compiled, as `NODE_COMPILE_CACHE` or `module.enableCompileCache` take it: it halves a start.
 * Node makes the folder itself, and does without where it cannot be written.
 */
export function compileCache(env: NodeJS.ProcessEnv = process.env): string {
  return env.NODE_COMPILE_CACHE ?? join(cacheHome(env), "node-compile-cache");
}
