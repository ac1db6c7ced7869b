import type { FastifyInstance } from "fastify";

/** Where several values are a list; any other key counts as what it said last, as WebOb's dictionaries have it. */
const lists = new Set(["sort_key", "sort_dir"]);

/** Lets a service's routes find one text for each key of the query. */
export function readQueryOnce(service: FastifyInstance, several: ReadonlySet<string> = lists): void {
  service.addHook("onRequest", async (request) => {
    const query = request.query as Record<string, string | string[] | undefined>;
    for (const [key, value] of Object.entries(query)) {
      if (Array.isArray(value) && !several.has(key)) query[key] = value.at(-1);
    }
  });
}
