import { type Answer, memberOf, refusal } from "./answer.ts";
import type { ServiceType } from "./catalogue.ts";
import type { Query, Session } from "./session.ts";

/** Pages that one listing may have: a cloud whose links lead in a circle must not keep us forever. */
const maxPages = 1000;

/** All elements of a listing that the session asks for. */
export function listAll<T>(
  session: Session,
  service: ServiceType,
  path: string,
  collection: string,
  query: Query = {},
): Promise<T[]> {
  return allPages<T>(collection, (current) => session.request(service, "GET", path, { query: current }), query);
}

/**
 * All elements of a listing. The next page is asked for with the query of the link that the cloud gives
 * (`<collection>_links` of Nova and Neutron, `next` of Glance).
 */
export async function allPages<T>(
  collection: string,
  ask: (query: Query) => Promise<Answer>,
  query: Query = {},
): Promise<T[]> {
  const found: T[] = [];
  let current: Query | undefined = query;
  for (let asked = 0; current !== undefined && asked < maxPages; asked += 1) {
    const answer = await ask(current);
    const page = memberOf<T[]>(answer, collection);
    if (!Array.isArray(page)) throw refusal(answer, `"${collection}" is no list`);
    found.push(...page);
    current = nextQuery(answer.body as Record<string, unknown>, collection);
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
