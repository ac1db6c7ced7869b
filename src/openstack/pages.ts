import type { ServiceType } from "./catalogue.ts";
import type { Query, Session } from "./session.ts";

/** Pages that one listing may have: a cloud whose links lead in a circle must not keep us forever. */
const maxPages = 1000;

/**
 * All elements of a listing. The next page is asked for with the query of the link that the cloud gives
 * (`<collection>_links` of Nova and Neutron, `next` of Glance).
 */
export async function listAll<T>(
  session: Session,
  service: ServiceType,
  path: string,
  collection: string,
  query: Query = {},
): Promise<T[]> {
  const found: T[] = [];
  let current: Query | undefined = query;
  for (let page = 0; current !== undefined && page < maxPages; page += 1) {
    const { body } = await session.request<Record<string, unknown>>(service, "GET", path, { query: current });
    found.push(...((body[collection] ?? []) as T[]));
    current = nextQuery(body, collection);
  }
  return found;
}

function nextQuery(body: Record<string, unknown>, collection: string): Query | undefined {
  const links = (body[`${collection}_links`] ?? []) as { rel: string; href: string }[];
  const href = links.find((link) => link.rel === "next")?.href ?? (body.next as string | undefined);
  if (href === undefined || href === null) return undefined;
  const parameters = new URL(href, "http://cloud.invalid").searchParams;
  return Object.fromEntries([...parameters.keys()].map((name) => [name, parameters.getAll(name)]));
}
