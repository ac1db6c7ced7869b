import fc from "fast-check";
import type { Route } from "../../../src/cloud/http/routes.ts";
import { hostile, type JsonSchema, type Known, textFor, valueFor } from "./values.ts";

/** One request as it goes over the wire, but for the token's text. */
export interface Call {
  method: string;
  /** Encoded. */
  path: string;
  token: Caller;
  headers: Record<string, string>;
  body: string | undefined;
}

export type Caller = "demo" | "admin" | "stranger" | "wrong" | "none";

/** What a route was seen to check: a schema, and under which key of the body that lies. */
export interface Learned {
  key: string | undefined;
  schema: JsonSchema;
}

/** `floatingips` is of the kind `floatingip`, `os-security-groups` of `security_group`. */
export function kindOf(segment: string): string {
  return segment.replace(/^os-/, "").replaceAll("-", "_").replace(/ies$/, "y").replace(/s$/, "").toLowerCase();
}

const rawSegments = ["%ZZ", "%00", "..", "%2e%2e", "%2F..%2F..", ".", "%c0%ae", "a%20b", "'", "%22", "x".repeat(300)];

/** The route's path with something in place of each parameter: mostly what exists. */
function pathOf(route: Route, known: Known): fc.Arbitrary<string> {
  const segments = route.path.split("/");
  const parts = segments.map((segment, index): fc.Arbitrary<string> => {
    if (segment === "*") {
      return fc.array(segmentFor("object", known), { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
    }
    if (!segment.includes(":")) return fc.constant(segment);
    const param = /:(\w+)/.exec(segment)?.[1] ?? "";
    const named = ["id", "name", "key"].includes(param) ? kindOf(segments[index - 1] ?? "") : param;
    return segmentFor(named, known).map((text) => segment.replace(/:\w+(\([^)]*\))?/, () => text));
  });
  return fc.tuple(...parts).map((texts) => texts.join("/"));
}

function segmentFor(name: string, known: Known): fc.Arbitrary<string> {
  const encoded = textFor(name, known).map((text) => encodeURIComponent(text.toWellFormed()));
  return fc.oneof({ weight: 9, arbitrary: encoded }, { weight: 1, arbitrary: fc.constantFrom(...rawSegments) });
}

const queryKeys = [
  ...[
    "limit",
    "marker",
    "sort_key",
    "sort_dir",
    "sort",
    "fields",
    "name",
    "status",
    "id",
    "all_tenants",
    "page_reverse",
  ],
  ...[
    "tags",
    "not-tags-any",
    "changes-since",
    "changes-before",
    "ip",
    "flavor",
    "image",
    "deleted",
    "minRam",
    "is_public",
  ],
  ...["prefix", "delimiter", "end_marker", "format", "versions", "version-id", "multipart-manifest", "temp_url_sig"],
  ...["temp_url_expires", "project_id", "user_id", "fixed_ips", "created_at", "updated_at", "size_min", "visibility"],
  ...["member_status", "nocatalog", "with_count", "metadata", "offset", "reservations", "usage", "__proto__"],
];

function queryOf(known: Known): fc.Arbitrary<string> {
  const pair = fc
    .constantFrom(...queryKeys)
    .chain((key) =>
      fc
        .oneof(
          textFor(key, known),
          fc.constantFrom("1", "0", "-1", "abc", "", "true", "1e9", "name:desc,id", "gt:", "in:"),
        )
        .map((value) => `${key}=${encodeURIComponent(value.toWellFormed())}`),
    );
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    { weight: 3, arbitrary: fc.array(pair, { minLength: 1, maxLength: 3 }).map((pairs) => `?${pairs.join("&")}`) },
    { weight: 1, arbitrary: pair.map((one) => `?${one}&${one}`) },
    { weight: 1, arbitrary: fc.constantFrom("?", "?&&", "?limit", "?%ZZ=%", "?a[b]=c", "?limit=1&limit=2") },
  );
}

const headerTexts: Record<string, string[]> = {
  "openstack-api-version": [
    "compute latest",
    "compute 2.1",
    "volume 3.70",
    "volume latest",
    "compute 2.999",
    "compute x",
  ],
  "x-openstack-nova-api-version": ["2.93", "2.37", "latest", "", "2"],
  "content-type": [
    ...["application/json", "application/octet-stream", "text/plain", "application/json; charset=x", "x"],
    ...["application/openstack-images-v2.1-json-patch", "multipart/form-data", "application/x-www-form-urlencoded"],
  ],
  accept: ["application/json", "text/plain", "*/*;q=x", ""],
  range: ["bytes=0-1", "bytes=5-", "bytes=-0", "bytes=9999999999-", "bytes=1-0,3-4", "bytes=x"],
  "if-none-match": ["*", '"x"', "x"],
  "if-match": ["*", "revision_number=1", "revision_number=x"],
  "x-copy-from": ["/box/thing", "box", "/../x", "%ZZ", "//"],
  destination: ["/box/copy", "box", "%ZZ"],
  "x-delete-after": ["1", "-1", "x", "1e400"],
  "x-delete-at": ["1", "99999999999999999999", "x"],
  "x-object-manifest": ["box/thing", "nowhere", "%ZZ", "/"],
  "x-versions-enabled": ["true", "x"],
  "x-container-read": [".r:*", "a:b:c", ".r:", ",,,"],
  "x-container-meta-a": ["1", "é", "x".repeat(300)],
  "x-object-meta-a": ["1", "x".repeat(300)],
  "x-subject-token": ["x", ""],
  etag: ["x", "d41d8cd98f00b204e9800998ecf8427e"],
  "x-image-meta-store": ["x"],
};

const headers = fc
  .uniqueArray(fc.constantFrom(...Object.keys(headerTexts)), { maxLength: 2 })
  .chain((names) =>
    fc.tuple(...names.map((name) => fc.constantFrom(...(headerTexts[name] ?? [])).map((text) => [name, text]))),
  )
  .map((pairs) => Object.fromEntries(pairs) as Record<string, string>);

const malformed = [
  "{",
  "{}}",
  '{"a":}',
  "[",
  "nul",
  '"',
  "\u0000",
  "{'a': 1}",
  `${"[".repeat(3000)}`,
  '{"server": undefined}',
];

function bodyOf(route: Route, learned: Learned[], known: Known): fc.Arbitrary<string | undefined> {
  if (route.method === "GET" || route.method === "HEAD") return fc.constant(undefined);
  const wrapper = kindOf(route.path.split("/").findLast((part) => part !== "*" && !part.includes(":")) ?? "");
  const described = learned.map(({ key, schema }) =>
    valueFor(schema, known, key).map((value) => (key === undefined ? value : { [key]: value })),
  );
  const wild = fc.oneof(
    hostile,
    hostile.map((value) => ({ [wrapper]: value })),
  );
  return fc.oneof(
    {
      weight: 12,
      arbitrary: (described.length > 0 ? fc.oneof(...described) : wild).map((value) => JSON.stringify(value)),
    },
    { weight: 2, arbitrary: wild.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.constantFrom(undefined, "", ...malformed) },
  );
}

const callers = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Caller>("demo") },
  { weight: 6, arbitrary: fc.constant<Caller>("admin") },
  { weight: 2, arbitrary: fc.constant<Caller>("stranger") },
  { weight: 1, arbitrary: fc.constantFrom<Caller>("wrong", "none") },
);

/** Requests to a route: right ones, nearly right ones, and nonsense. */
export function callsOf(route: Route, learned: Learned[], known: Known): fc.Arbitrary<Call> {
  return fc
    .record({
      path: pathOf(route, known),
      query: queryOf(known),
      token: callers,
      headers: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: headers }),
      body: bodyOf(route, learned, known),
    })
    .map(({ path, query, token, headers: own, body }) => ({
      ...{ method: route.method, path: path + query, token, body },
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...own },
    }));
}
