/** One route, e.g. `GET /compute/v2.1/servers/:id`, as Fastify writes paths. */
export interface Route {
  method: string;
  path: string;
}

/** The methods that a path, or a URL, is answered for. */
export function methodsOf(routes: readonly Route[], url: string): string[] {
  const segments = segmentsOf(url.split("?", 1)[0] ?? "");
  return [...new Set(routes.filter(({ path }) => fits(segmentsOf(path), segments)).map(({ method }) => method))];
}

const segmentsOf = (path: string) => path.split("/").filter((segment) => segment !== "");

function fits(pattern: string[], segments: string[]): boolean {
  if (pattern.at(-1) === "*")
    return segments.length >= pattern.length && fits(pattern.slice(0, -1), segments.slice(0, pattern.length - 1));
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => part.startsWith(":") || part === segments[index])
  );
}
