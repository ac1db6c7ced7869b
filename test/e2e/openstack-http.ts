import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { Slipway } from "./slipway.ts";

/** A login of the tests' own, by hand, as any client would do it: nothing of the product is on this path. */
export interface Login {
  headers: Record<string, string>;
  /** Base address by catalogue type. */
  endpoint(type: "compute" | "network" | "image" | "object-store" | "volumev3"): string;
}

export function postJson(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const json = { "content-type": "application/json", ...headers };
  return fetch(url, { method: "POST", headers: json, body: JSON.stringify(body), signal: AbortSignal.timeout(10_000) });
}

export async function logIn(slipway: Slipway): Promise<Login> {
  const { clouds } = parse(await readFile(join(slipway.home, "clouds.yaml"), "utf8"));
  const { auth } = clouds.slipway;
  const domain = { id: "default" };
  const answer = await postJson(`${auth.auth_url}/auth/tokens`, {
    auth: {
      identity: { methods: ["password"], password: { user: { name: auth.username, domain, password: auth.password } } },
      scope: { project: { name: auth.project_name, domain } },
    },
  });
  const { token } = (await answer.json()) as { token: { catalog: { type: string; endpoints: { url: string }[] }[] } };
  return {
    headers: { "x-auth-token": answer.headers.get("x-subject-token") ?? "" },
    endpoint: (type) =>
      token.catalog.find((service) => service.type === type)?.endpoints[0]?.url ?? `no ${type} service`,
  };
}

/**
 * A client that logs in for each request.
 * @returns what a service answers; undefined for an empty body. Rejects for an answer that is no success
 */
export const askerOf =
  (slipway: Slipway) =>
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
  async (method: string, service: Parameters<Login["endpoint"]>[0], path: string, body?: unknown): Promise<any> => {
    const { headers, endpoint } = await logIn(slipway);
    const answer = await fetch(endpoint(service) + path, {
      method,
      headers: { ...headers, "content-type": "application/json", "openstack-api-version": "compute 2.37" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };

/** The members of a collection of the stack's project, e.g. `compute`, `servers` or `servers/detail`. */
export async function listOf(slipway: Slipway, service: "compute" | "network", collection: string): Promise<unknown[]> {
  const { headers, endpoint } = await logIn(slipway);
  const path = service === "network" ? `/v2.0/${collection}` : `/${collection}`;
  const answer = await fetch(endpoint(service).replace(/\/$/, "") + path, { headers });
  const [key = ""] = collection.split("/");
  return ((await answer.json()) as Record<string, unknown[]>)[key] ?? [];
}
