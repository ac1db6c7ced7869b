import type { RouteEntry } from "./route-table.ts";

/** The methods that a path is served by; none for a path that is not served. */
export function allowedMethods(routes: readonly RouteEntry[], path: string): string[] {
  const methods = new Set(routes.filter((route) => fits(route.path, path)).map(({ method }) => method));
  if (methods.has("GET")) methods.add("HEAD");
  return methods.size === 0 ? [] : [...methods, "OPTIONS"].sort();
}

function fits(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern, path].map((one) => one.replace(/(?<=.)\/$/, "").split("/")) as [string[], string[]];
  return wanted.length === given.length && wanted.every((part, at) => part.startsWith(":") || part === given[at]);
}
