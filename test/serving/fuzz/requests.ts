import fc, { type Arbitrary } from "fast-check";
import type { InjectOptions } from "fastify";
import { type JsonSchema, nasty, text, valuesOf } from "./from-schema.ts";

/** An operation of the interface's description, as far as requests to it are made from it. */
export interface Operation {
  parameters?: { name: string; in: string; schema: JsonSchema }[];
  requestBody?: { content: Record<string, { schema: JsonSchema }> };
}

type Schemas = Record<string, JsonSchema>;

/** Bodies that are no JSON, or such that parsers stumble over. */
const brokenBodies: (string | Buffer)[] = [
  "",
  "{",
  '{"rows": [[1,2',
  "null",
  "0",
  '"x"',
  "[]",
  "NaN",
  '{"rows": [[NaN, Infinity, -Infinity]]}',
  '{"__proto__": {"polluted": true}}',
  '{"constructor": {"prototype": {"polluted": true}}}',
  "[".repeat(100_000),
  `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`,
  '{"rows":'.padEnd(3_000_000, " "),
  '{"id": "\\ud800"}',
  `{"a": ${"9".repeat(100_000)}}`,
  Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0xff]),
  Buffer.alloc(4096),
];

const contentTypes = [
  "application/json",
  "application/json; charset=utf-16",
  "text/plain",
  "text/csv",
  "application/x-www-form-urlencoded",
  "application/octet-stream",
  "multipart/form-data",
  "multipart/form-data; boundary=b",
  "application/xml",
  "nonsense",
  "a/b; ".repeat(50),
];

/** Requests to an operation: most as its description says, some not at all. */
export function requestsTo(
  method: string,
  path: string,
  operation: Operation,
  schemas: Schemas,
): Arbitrary<InjectOptions> {
  const { parameters = [], requestBody } = operation;
  const url = fc.tuple(pathOf(path, parameters, schemas), queryOf(parameters, schemas)).map((parts) => parts.join(""));
  const headers = headersOf(parameters, schemas);
  if (method === "GET") return fc.record({ method: fc.constant("GET" as const), url, headers });
  return fc.tuple(url, headers, bodyOf(requestBody, schemas)).map(([url, headers, { type, payload }]) => ({
    method: method as "POST",
    url,
    headers: { ...headers, ...(type !== undefined && { "content-type": type }) },
    ...(payload !== undefined && { payload }),
  }));
}

function pathOf(path: string, parameters: Operation["parameters"] & object, schemas: Schemas): Arbitrary<string> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string);
  const values = names.map((name) => {
    const schema = parameters.find((one) => one.name === name)?.schema ?? {};
    return fc.oneof(fc.constantFrom("diabetes", "1", ...nasty), valuesOf(schema, schemas).map(plain));
  });
  return fc
    .tuple(...values)
    .map((filled) => names.reduce((all, name, at) => all.replace(`{${name}}`, encoded(filled[at] ?? "")), path));
}

function queryOf(parameters: Operation["parameters"] & object, schemas: Schemas): Arbitrary<string> {
  const known = parameters.filter((one) => one.in === "query");
  const pair = fc.oneof(
    fc.tuple(text, text),
    ...known.map(({ name, schema }) =>
      fc.tuple(fc.constant(name), fc.oneof(text, valuesOf(schema, schemas).map(plain))),
    ),
  );
  const query = fc.array(pair, { maxLength: known.length + 1 });
  return query.map((pairs) =>
    pairs.length === 0 ? "" : `?${pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&")}`,
  );
}

function headersOf(parameters: Operation["parameters"] & object, schemas: Schemas): Arbitrary<Record<string, string>> {
  const known = parameters.filter((one) => one.in === "header");
  const own = Object.fromEntries(known.map(({ name, schema }) => [name, valuesOf(schema, schemas).map(visible)]));
  return fc.record(
    {
      accept: fc.constantFrom(
        "*/*",
        "application/json",
        "text/html",
        "text/csv",
        "application/x-ndjson",
        "nonsense;;q=",
      ),
      "x-request-id": text.map(visible),
      cookie: fc.constantFrom("slipway-session=", "slipway-session=a.b", "=;=;", "x"),
      ...own,
    },
    { requiredKeys: [] },
  );
}

function bodyOf(
  requestBody: Operation["requestBody"],
  schemas: Schemas,
): Arbitrary<{ type: string | undefined; payload: string | Buffer | undefined }> {
  const broken = fc.record({
    type: fc.option(fc.constantFrom(...contentTypes), { nil: undefined }),
    payload: fc.option(fc.constantFrom(...brokenBodies), { nil: undefined }),
  });
  const fitting = Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) =>
    valuesOf(schema, schemas).map((value) => writtenAs(type, value)),
  );
  const cut = fitting.map((one) =>
    fc.tuple(one, fc.double({ min: 0, max: 1, noNaN: true })).map(([{ type, payload }, share]) => ({
      type,
      payload: payload.slice(0, Math.floor(payload.length * share)),
    })),
  );
  return fc.oneof(
    { weight: 3, arbitrary: broken },
    ...fitting.map((arbitrary) => ({ weight: 4, arbitrary })),
    ...cut.map((arbitrary) => ({ weight: 1, arbitrary })),
  );
}

function writtenAs(type: string, value: unknown): { type: string; payload: string } {
  if (type === "application/x-www-form-urlencoded") {
    const fields = typeof value === "object" && value !== null ? Object.entries(value) : [["x", value]];
    const pairs = fields.flatMap(([name, one]) =>
      [one].flat().map((each): [string, string] => [String(name), plain(each)]),
    );
    return { type, payload: new URLSearchParams(pairs).toString() };
  }
  if (type === "multipart/form-data") {
    const part = 'content-disposition: form-data; name="file"; filename="x"';
    const payload = `--b\r\n${part}\r\n\r\n${plain(value)}\r\n--b--\r\n`;
    return { type: `${type}; boundary=b`, payload };
  }
  return { type, payload: type === "application/json" ? JSON.stringify(value) : plain(value) };
}

const plain = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

/** What HTTP lets into a header. */
const visible = (value: unknown) =>
  plain(value)
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, 1000);

function encoded(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}
