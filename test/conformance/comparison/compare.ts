import type { Call, Exchange } from "./recorder.ts";

/** A place where two clouds do not answer the same. */
export interface Difference {
  /** The client's call. */
  call: string;
  /** Method and path, ids as `{server}`; `call` for what the client made of it. */
  request: string;
  /** `status`, `header vary`, `servers[].name`. */
  field: string;
  /** What the embedded cloud has there, as JSON; `–` for nothing. */
  here: string;
  /** What the real one has there. */
  there: string;
}

/** Nothing there. */
const absent = "–";

/** The field that a body is which is no object. */
const wholeBody = "body";

/** Long values are told by their beginnings. */
const shownLength = 90;

/** Where two runs differ, call by call. */
export function differencesOf(here: Call[], there: Call[]): Difference[] {
  const [mine, theirs] = [new Map(named(here)), new Map(named(there))];
  return [...new Set([...mine.keys(), ...theirs.keys()])].flatMap((name) => {
    const [call, other] = [mine.get(name), theirs.get(name)];
    if (call !== undefined && other !== undefined) return differencesOfCall(call, other);
    const asked = (one: Call | undefined) => (one === undefined ? absent : "asked");
    return [{ call: name, request: "call", field: "asked", here: asked(call), there: asked(other) }];
  });
}

function named(calls: Call[]): [string, Call][] {
  return calls.map((call) => [call.name, call]);
}

function differencesOfCall(here: Call, there: Call): Difference[] {
  const call = here.name;
  const ended = { call, request: "call", field: "outcome", here: here.outcome, there: there.outcome };
  const found = here.outcome === there.outcome ? [] : [ended];
  const [asked, recorded] = [byRequest(here.exchanges), byRequest(there.exchanges)];
  for (const request of new Set([...asked.keys(), ...recorded.keys()])) {
    const [mine, theirs] = [asked.get(request) ?? [], recorded.get(request) ?? []];
    for (let n = 0; n < Math.max(mine.length, theirs.length); n++) {
      const at = { call, request: templateOf(request) };
      found.push(...differencesOfExchange(mine[n], theirs[n]).map((difference) => ({ ...at, ...difference })));
    }
  }
  return found;
}

/** A question that is asked until the answer is another one counts once, with its last answer. */
function byRequest(exchanges: Exchange[]): Map<string, Exchange[]> {
  const grouped = new Map<string, Exchange[]>();
  for (const exchange of exchanges) {
    const repeated = /^(GET|HEAD) /.test(exchange.request);
    const before = repeated ? [] : (grouped.get(exchange.request) ?? []);
    grouped.set(exchange.request, [...before, exchange]);
  }
  return grouped;
}

/** Without the query, ids by their kind alone. */
function templateOf(request: string): string {
  return request.replace(/\?.*$/, "").replace(/<(\w+)[^>]*>/g, "{$1}");
}

type Place = Pick<Difference, "field" | "here" | "there">;

function differencesOfExchange(here: Exchange | undefined, there: Exchange | undefined): Place[] {
  if (here === undefined || there === undefined) {
    return [
      { field: "asked", here: here === undefined ? absent : "asked", there: there === undefined ? absent : "asked" },
    ];
  }
  const ordered = !/ \/(network|identity)/.test(here.request);
  const headers = valueDifferences(here.headers, there.headers, "header", false).map((place) => ({
    ...place,
    field: place.field.replace("header.", "header "),
  }));
  if (here.status !== there.status) {
    const message = valueDifferences(messageOf(here.body), messageOf(there.body), "message", false);
    return [...valueDifferences(here.status, there.status, "status", false), ...message];
  }
  const places = valueDifferences(here.body, there.body, "", ordered);
  return [...headers, ...places.map((place) => ({ ...place, field: place.field || wholeBody }))];
}

/** The words of a refusal, however the service wraps them. */
function messageOf(body: unknown): unknown {
  if (typeof body === "string") return body;
  if (typeof body !== "object" || body === null) return undefined;
  if ("message" in body && typeof body.message === "string") return body.message;
  return Object.values(body)
    .filter((value) => typeof value === "object")
    .map(messageOf)
    .find((message) => message !== undefined);
}

/** @param ordered whether a list's order means something */
function valueDifferences(here: unknown, there: unknown, field: string, ordered: boolean): Place[] {
  if (JSON.stringify(here) === JSON.stringify(there)) return [];
  if (Array.isArray(here) && Array.isArray(there)) return listDifferences(here, there, field, ordered);
  if (isRecord(here) && isRecord(there)) {
    const keys = new Set([...Object.keys(here), ...Object.keys(there)]);
    return [...keys].flatMap((key) =>
      valueDifferences(here[key], there[key], field === "" ? key : `${field}.${key}`, ordered),
    );
  }
  const same = typeof here === "string" && typeof there === "string" ? commonStart(here, there) : 0;
  return [{ field, here: shown(here, same), there: shown(there, same) }];
}

/** How much of two texts' beginnings need not be told: all but some words of what they share. */
function commonStart(here: string, there: string): number {
  const differs = [...here].findIndex((character, n) => character !== there[n]);
  return Math.max(0, (differs === -1 ? here.length : differs) - 30);
}

function listDifferences(here: unknown[], there: unknown[], field: string, ordered: boolean): Place[] {
  const [mine, theirs] = [keyed(here), keyed(there)];
  const found: Place[] = [];
  for (const key of new Set([...mine.keys(), ...theirs.keys()])) {
    const [one, other] = [mine.get(key), theirs.get(key)];
    const isMissing = one === undefined || other === undefined;
    if (isMissing) found.push({ field: `${field}[]`, here: keyOrAll(key, one), there: keyOrAll(key, other) });
    else found.push(...valueDifferences(one, other, `${field}[]`, ordered));
  }
  const common = (keys: Iterable<string>, others: Map<string, unknown>) => [...keys].filter((key) => others.has(key));
  const [order, otherOrder] = [common(mine.keys(), theirs), common(theirs.keys(), mine)];
  if (ordered && order.join() !== otherOrder.join()) {
    found.push({ field: `${field}[] order`, here: order.join(), there: otherOrder.join() });
  }
  return found;
}

/** A list's elements by what names them, so that one more is one difference; those of the same name are counted in the order of their text. */
function keyed(list: unknown[]): Map<string, unknown> {
  const counts = new Map<string, number>();
  const all = list.map((element) => [keyOf(element), element] as const);
  const doubled = new Set(all.map(([key]) => key)).size < all.length;
  const sorted = doubled ? all.toSorted(([, a], [, b]) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : all;
  return new Map(
    sorted.map(([key, element]) => {
      const count = counts.get(key) ?? 0;
      counts.set(key, count + 1);
      return [count === 0 ? key : `${key} #${count + 1}`, element];
    }),
  );
}

function keyOf(element: unknown): string {
  if (!isRecord(element)) return JSON.stringify(element);
  const { name, alias, id, type, rel, binary, zoneName, interface: face, action, agent_type: agent } = element;
  const parts = [name, alias, agent, id, type, rel, binary, zoneName, face, action].filter(
    (part) => typeof part === "string",
  );
  return String(parts[0] ?? "");
}

function keyOrAll(key: string, element: unknown): string {
  return element === undefined ? absent : key === "" ? shown(element) : key;
}

function shown(value: unknown, from = 0): string {
  if (value === undefined) return absent;
  const text = JSON.stringify(typeof value === "string" && from > 0 ? `…${value.slice(from)}` : value);
  return text.length > shownLength ? `${text.slice(0, shownLength)}…` : text;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
