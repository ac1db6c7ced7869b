import { join } from "node:path";

/**
 * Where things that can be rebuilt live (images, payload layers): `$XDG_CACHE_HOME/slipway`.
 * @param {NodeJS.ProcessEnv} env
 * @returns {string}
 */
export function cacheHome(env = process.env) {
  return join(env.XDG_CACHE_HOME ?? join(env.HOME ?? "/root", ".cache"), "slipway");
}

/**
 * Where Node keeps what it has compiled, as `NODE_COMPILE_CACHE` takes it: it halves a start. Node makes the folder itself, and does
 * without where it cannot be written. Plain JavaScript for who starts the first Node: one that is told later has loaded what strips types.
 * @param {NodeJS.ProcessEnv} env
 * @returns {string}
 */
export function compileCache(env = process.env) {
  return env.NODE_COMPILE_CACHE ?? join(cacheHome(env), "node-compile-cache");
}
