import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { z } from "zod";
import { parseBody } from "../../src/cloud/http/body.ts";
import { parseSchema } from "../../src/cloud/http/json-schema-words.ts";
import type { Route } from "../../src/cloud/http/routes.ts";
import { parsePart } from "../../src/cloud/identity/malformed.ts";
import { type Call, callsOf, type Learned } from "./fuzz/calls.ts";
import type { JsonSchema } from "./fuzz/values.ts";
import { type Answer, World } from "./fuzz/world.ts";

// Every route that the cloud has, those of tomorrow too, is asked with right, nearly right and nonsensical requests; what bodies should look
// like is learned from the schemas that the routes check them with. SLIPWAY_FUZZ_RUNS=200 asks each 200 times.

vi.mock("../../src/cloud/http/body.ts", { spy: true });
vi.mock("../../src/cloud/http/json-schema-words.ts", { spy: true });
vi.mock("../../src/cloud/identity/malformed.ts", { spy: true });

const root = join(import.meta.dirname, "../..");
const runs = Number(process.env.SLIPWAY_FUZZ_RUNS ?? 10);
/** A route's schemas are learned in one round for the next. */
const rounds = 2;

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.remove());

const services = ["identity", "compute", "network", "image", "volume", "object-store"];
const learned = new Map<string, Learned[]>();

it.each([...services, "other"])(
  "nothing that is sent to %s breaks it, or makes it tell of its inside",
  async (service) => {
    const routes = world.cloud.cloud.routes.filter(({ path }) => {
      const prefix = path.split("/")[1] ?? "";
      return service === "other" ? !services.includes(prefix) : prefix === service;
    });
    if (service !== "other") expect(routes.length).toBeGreaterThan(5);
    const complaints: string[] = [];
    for (const route of routes) complaints.push(...(await fuzzed(route)));
    expect(complaints).toEqual([]);
  },
  600_000,
);

/** Asks one route; what was wrong. */
async function fuzzed(route: Route): Promise<string[]> {
  await world.mend();
  await probe(route);
  for (let round = 0; round < rounds; round++) {
    const calls = callsOf(route, learned.get(nameOf(route)) ?? [], world.known);
    const property = fc.asyncProperty(calls, async (call) => {
      const problem = await sent(route, call);
      if (problem !== undefined) throw new Error(problem);
    });
    const details = await fc.check(property, { numRuns: Math.ceil(runs / rounds), endOnFailure: true });
    if (details.failed) {
      const call = JSON.stringify(details.counterexample?.[0]);
      return [`${nameOf(route)}: ${(details.errorInstance as Error).message}\n  seed ${details.seed}: ${call}`];
    }
  }
  return [];
}

/** Asks a route for the schemas that it checks bodies with, and for the actions that it knows. */
async function probe(route: Route): Promise<void> {
  if (["GET", "HEAD"].includes(route.method)) return;
  const calls = fc.sample(callsOf(route, [], world.known), { numRuns: 3 });
  const wrapper = (name: string, value: unknown = {}) => JSON.stringify({ [name]: value });
  const [pattern] = calls;
  if (pattern === undefined) return;
  const kind = route.path.split("/").findLast((part) => !/[:*]/.test(part)) ?? "";
  const right = { ...pattern, token: "demo" as const, headers: { "content-type": "application/json" } };
  const path = pathToFirst(route);
  for (const body of ["{}", wrapper(kind.replaceAll("-", "_").replace(/s$/, ""))])
    await sent(route, { ...right, path, body });
  if (!route.path.endsWith("/action")) return;
  const unknown = await answerTo(route, { ...right, path, body: wrapper("noSuchAction", null) });
  if (unknown.status === 404) return; // there is nothing to act upon: every word is answered so
  for (const word of actionWords()) {
    const answer = await answerTo(route, { ...right, path: pathToFirst(route), body: wrapper(word, null) });
    if (answer.status === 404) await world.mend();
    if (answer.text.replaceAll(word, "noSuchAction") !== unknown.text) learn(route, { key: word, schema: {} });
  }
}

/** The route's path with something that exists for each parameter. */
function pathToFirst(route: Route): string {
  const segments = route.path.split("/");
  return segments
    .map((segment, index) => {
      if (!segment.includes(":")) return segment;
      const kind = (segments[index - 1] ?? "").replaceAll("-", "_").replace(/s$/, "");
      return world.known[kind]?.[0] ?? "none";
    })
    .join("/");
}

/** Words of the sources that deal with actions: their names are among them. */
function actionWords(): string[] {
  const files = globSync("src/cloud/**/*.ts", { cwd: root }).map((path) => readFileSync(join(root, path), "utf8"));
  const texts = files.filter((text) => /\/action"|Action\b/.test(text));
  const keys = /^\s+(?:async )?"?((?:os-)?[a-zA-Z]{4,30})"?(?=[:,(]|$)|"((?:os-)?[a-zA-Z]{4,30})"/gm;
  const words = texts.flatMap((text) => [...text.matchAll(keys)].map(([, key, quoted]) => key ?? quoted ?? ""));
  return [...new Set(words)];
}

async function answerTo(route: Route, call: Call): Promise<Answer> {
  for (const check of [parseBody, parseSchema, parsePart]) vi.mocked(check).mockClear();
  const answer = await world.send(call);
  note(route, call);
  return answer;
}

/** Sends a call; what was wrong with the answer, if something was. */
async function sent(route: Route, call: Call): Promise<string | undefined> {
  return problemOf(await answerTo(route, call));
}

function problemOf({ status, headers, text }: Answer): string | undefined {
  const shown = `${status} ${text.slice(0, 300)}`;
  if (status >= 500 && status !== 501) return shown;
  if (/\n\s+at |node:internal|\.ts:\d/.test(text)) return `a stack trace: ${shown}`;
  if ([root, world.cloud.stateDir].some((path) => text.includes(path))) return `a path of the machine: ${shown}`;
  // Glance's and Neutron's lists of versions are answered before they have one
  const isVersions = text.startsWith('{"versions":[');
  if (headers["x-openstack-request-id"] === undefined && !isVersions) return `no request id: ${shown}`;
  return undefined;
}

/** Notes what the route's code checked the call's body with. */
function note(route: Route, { body }: Call): void {
  const sentBody = parsed(body);
  for (const [schema, value] of [...vi.mocked(parseBody).mock.calls, ...vi.mocked(parseSchema).mock.calls]) {
    learn(route, { key: keyOf(sentBody, value), schema: jsonSchemaOf(schema) });
  }
  for (const [schema, , key] of vi.mocked(parsePart).mock.calls) learn(route, { key, schema: jsonSchemaOf(schema) });
}

function learn(route: Route, one: Learned): void {
  const known = learned.get(nameOf(route)) ?? [];
  learned.set(nameOf(route), known);
  const text = JSON.stringify(one);
  if (known.length < 60 && !known.some((other) => JSON.stringify(other) === text)) known.push(one);
}

function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any", cycles: "ref" }) as JsonSchema;
}

/** Under which key of the body the value lies that was checked; undefined for the whole. */
function keyOf(body: unknown, value: unknown): string | undefined {
  const text = JSON.stringify(value);
  if (JSON.stringify(body) === text || typeof body !== "object" || body === null) return undefined;
  const entries = Object.entries(body);
  const found = entries.find(([, part]) => JSON.stringify(part) === text);
  return found?.[0] ?? (entries.length === 1 ? entries[0]?.[0] : undefined);
}

function parsed(body: string | undefined): unknown {
  try {
    return JSON.parse(body ?? "");
  } catch {
    return undefined;
  }
}

function nameOf({ method, path }: Route): string {
  return `${method} ${path}`;
}
