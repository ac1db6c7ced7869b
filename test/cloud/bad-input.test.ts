import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { patientTest } from "../../src/cloud/http/client-pattern.ts";
import { TestCloud } from "./support.ts";

// The words are those of a Debian 12 OpenStack (Zed), asked with the same requests.

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await TestCloud.start();
});
afterAll(() => cloud.remove());

const kinds = {
  keystone: { path: "/identity/v3/auth/tokens", key: "auth" },
  nova: { path: "/compute/v2.1/servers", key: "server" },
  cinder: { path: "/volume/v3/volumes", key: "volume" },
  neutron: { path: "/network/v2.0/networks", key: "network" },
  glance: { path: "/image/v2/images", key: "name" },
};
type Kind = keyof typeof kinds;

const keystone = (message: string) => ({ error: { code: 400, message, title: "Bad Request" } });
const named = (message: string) => ({ badRequest: { code: 400, message } });
const neutron = (message: string, type = "HTTPBadRequest") => ({ NeutronError: { type, message, detail: "" } });
const page = (title: string, words: string) =>
  `<html>\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n  ${words}<br /><br />\n\n\n\n </body>\n</html>`;
const clientErred =
  "The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.";
const notJson = `Expecting to find valid JSON in request body. ${clientErred}`;

const json = { "content-type": "application/json" };
const send = (kind: Kind, body: string, headers: Record<string, string> = json) =>
  cloud.post(kinds[kind].path, body, { headers });

describe("a body that is no JSON", () => {
  it.each<[Kind, unknown]>([
    ["keystone", keystone(notJson)],
    ["nova", named("Malformed request body")],
    ["cinder", named("Malformed request body")],
    ["neutron", neutron("Body contains invalid data")],
    ["glance", page("400 Bad Request", "Malformed JSON in request body.")],
  ])("is refused by %s in its own words", async (kind, body) => {
    for (const text of ["{", '{"a":}', `${"[".repeat(40_000)}${"]".repeat(40_000)}`]) {
      const answer = await send(kind, text);
      expect([answer.status, answer.body ?? answer.text]).toEqual([400, body]);
      expect(answer.headers.get("x-openstack-request-id")).toMatch(/^req-[0-9a-f-]{36}$/);
    }
  });
});

describe("a body of another type", () => {
  it.each<[Kind, string, number, unknown]>([
    [
      "keystone",
      "text/plain",
      400,
      keystone(`Expecting to find application/json in Content-Type header. ${clientErred}`),
    ],
    ["nova", "application/xml", 415, { badMediaType: { code: 415, message: "Unsupported Content-Type" } }],
    ["nova", "text/plain", 400, named("'server' is a required property")],
    ["cinder", "text/plain", 415, { badMediaType: { code: 415, message: "Unsupported Content-Type" } }],
    ["neutron", "application/xml", 400, neutron("Unable to find 'network' in request body")],
  ])("%s, %s", async (kind, type, status, body) => {
    const answer = await send(kind, "{}", { "content-type": type });
    expect([answer.status, answer.body]).toEqual([status, body]);
  });
});

describe("a body of another shape", () => {
  it.each<[Kind, unknown, unknown]>([
    ["nova", [], named("[] is not of type 'object'")],
    ["nova", {}, named("'server' is a required property")],
    [
      "nova",
      { server: { bogus: 1 } },
      named("Invalid input for field/attribute server. Value: {'bogus': 1}. 'name' is a required property"),
    ],
    ["nova", { server: "x" }, named("Invalid input for field/attribute server. Value: x. 'x' is not of type 'object'")],
    [
      "nova",
      { server: { name: { a: 1 }, flavorRef: "1", imageRef: "x" } },
      named("Invalid input for field/attribute name. Value: {'a': 1}. {'a': 1} is not of type 'string'"),
    ],
    ["cinder", "x", named("'x' is not of type 'object'")],
    [
      "cinder",
      { volume: null },
      named("Invalid input for field/attribute volume. Value: None. None is not of type 'object'"),
    ],
    ["neutron", [], neutron("Body contains invalid data")],
    ["neutron", { network: null }, neutron("Unable to find 'network' in request body")],
    ["neutron", { network: "x" }, neutron("Object 'network' contains invalid data")],
    ["neutron", { network: { bogus: 1 } }, neutron("Unrecognized attribute(s) 'bogus'")],
    [
      "neutron",
      { network: { name: { a: 1 } } },
      neutron("Invalid input for name. Reason: '{'a': 1}' is not a valid string."),
    ],
  ])("%s: %j", async (kind, sent, body) => {
    const answer = await send(kind, JSON.stringify(sent));
    expect([answer.status, answer.body]).toEqual([400, body]);
  });
});

describe("a body that is too large", () => {
  it.each<Kind>(["keystone", "nova", "cinder"])("is refused in front of %s", async (kind) => {
    const answer = await send(kind, JSON.stringify({ [kinds[kind].key]: "x".repeat(200_000) }));
    const words = "Request is too large. Larger than max_request_body_size (114688).";
    expect([answer.status, answer.text]).toEqual([413, page("413 Request Entity Too Large", words)]);
  });

  it("is refused by Swift before it is sent, where it says so", async () => {
    const { statusCode } = await raw("PUT", `/object-store/v1/AUTH_${cloud.projectId}/none/big`, {
      "content-length": String(6 * 1024 ** 3),
    });
    expect(statusCode).toBe(413);
  });
});

describe("a path or method that is not there", () => {
  const notFound = page("404 Not Found", "The resource could not be found.");
  it.each<[string, string, number, unknown]>([
    ["GET", "/compute/v2.1/nonsense", 404, notFound],
    ["PATCH", kinds.nova.path, 404, notFound],
    ["DELETE", kinds.cinder.path, 404, notFound],
    ["PATCH", kinds.keystone.path, 405, { message: "The method is not allowed for the requested URL." }],
    ["GET", "/network/v2.0/nonsense", 404, neutron("The resource could not be found.", "HTTPNotFound")],
    [
      ...(["PATCH", kinds.neutron.path, 405] as const),
      neutron(
        "The server could not comply with the request since it is either malformed or otherwise incorrect.",
        "HTTPMethodNotAllowed",
      ),
    ],
  ])("%s %s", async (method, path, status, body) => {
    const answer = await cloud.request(method, path);
    expect([answer.status, answer.body ?? answer.text]).toEqual([status, body]);
  });

  it("is told with the methods that there are, where the service does so", async () => {
    const answer = await cloud.request("PATCH", kinds.glance.path);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, POST"]);
  });

  it("counts as itself where its encoding is wrong", async () => {
    const { statusCode, text } = await raw("GET", "/compute/v2.1/servers/%ZZ");
    expect([statusCode, JSON.parse(text)]).toEqual([
      404,
      { itemNotFound: { code: 404, message: "Instance %ZZ could not be found." } },
    ]);
  });
});

describe("names of objects", () => {
  const names = ["../../../../tmp/escaped", "..", "a/../../b", "\u0001", "/", "C:\\x", "%2e%2e%2fx", "é".repeat(500)];

  it("lead nowhere outside of the store, whatever they are", async () => {
    const account = `/object-store/v1/AUTH_${cloud.projectId}`;
    await cloud.put(`${account}/box`);
    for (const name of names) {
      const path = `${account}/box/${encodeURIComponent(name)}`;
      const stored = await raw("PUT", path, { "content-length": "4" }, "here");
      expect([name, stored.statusCode]).toEqual([name, 201]);
      expect([name, (await raw("GET", path)).text]).toEqual([name, "here"]);
    }
    const listed = (await cloud.get(`${account}/box?format=json`)).body.map((item: { name: string }) => item.name);
    expect(listed.toSorted()).toEqual(names.toSorted());
    const files = await readdir(join(cloud.stateDir, "objects"));
    expect(files).toHaveLength(names.length);
    expect(files.every((file) => /^[0-9a-f-]{36}$/.test(file))).toBe(true);
    expect(existsSync("/tmp/escaped")).toBe(false);
    for (const climbing of ["../../cloud.sqlite", "..%2f..%2fcloud.sqlite", "box/..%2f..%2f..%2fcloud.sqlite"]) {
      expect((await raw("GET", `${account}/${climbing}`)).statusCode).toBe(404);
    }
  });
});

describe("tokens", () => {
  it("that are wrong, of others, or over are worth nothing", async () => {
    const created = await cloud.post("/volume/v3/volumes", { volume: { size: 1 } });
    const own = `/volume/v3/volumes/${created.body.volume.id}`;
    const strange = (await cloud.stranger("other")).token;
    expect((await cloud.get(own, { token: strange })).status).toBe(404);
    expect((await cloud.delete(own, { token: strange })).status).toBe(404);
    expect((await cloud.get(own)).status).toBe(200);
    for (const token of ["gAAAAAwrong", "x".repeat(5000), "../../etc/passwd", "' OR 1=1 --"]) {
      expect((await cloud.get(own, { token })).status).toBe(401);
    }
    const short = await TestCloud.start({ tokenLifetimeMs: 1 });
    try {
      const answer = await short.get("/compute/v2.1/servers");
      expect([answer.status, answer.body.error.message]).toEqual([
        401,
        "The request you have made requires authentication.",
      ]);
    } finally {
      await short.remove();
    }
  });
});

it("a filter that would hold up everybody is stopped", async () => {
  await cloud.bootServer({ name: `${"a".repeat(60)}!` });
  const look = async (pattern: string) => {
    const { status, body } = await cloud.get(`/compute/v2.1/servers?name=${encodeURIComponent(pattern)}`);
    return [status, body.servers?.length ?? body.badRequest.message];
  };
  for (const endless of ["(a+)+$", `${"(a|a)".repeat(50)}b`]) {
    expect(await look(endless)).toEqual([400, expect.stringContaining("takes too long")]);
  }
  expect(await look("^a{60}!$")).toEqual([200, 1]);
  expect(await look("aaa")).toEqual([200, 1]);
  const fits = patientTest(/(a+)+$/);
  const manyServers = () => {
    for (let server = 0; server < 5000; server++) fits(`${"a".repeat(18)}!`);
  };
  expect(manyServers).toThrow("does not come to an end"); // each does, and soon
});

/** As it is: `fetch` would tidy the path up. The body is not sent before the answer where only its length is given. */
function raw(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<{ statusCode: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({
      ...{ host: "127.0.0.1", port: cloud.cloud.port, method, path, agent: false },
      headers: { "x-auth-token": cloud.token, ...headers },
    });
    call.on("error", reject).on("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => {
        resolve({ statusCode: answer.statusCode, text });
        call.destroy();
      });
    });
    if (body === undefined && headers["content-length"] !== undefined) call.flushHeaders();
    else call.end(body);
  });
}

// each took time that grew with the square of its length or faster: minutes and more, while nobody else was answered
it("a text that looks as if it were almost right is refused as soon as any other", async () => {
  const json = { "content-type": "application/json" };
  const quoted = await cloud.get(`/image/v2/images?name=in:${encodeURIComponent(`"${"\\a".repeat(60)}`)}`);
  expect(quoted.body.images).toEqual([]);
  const server = { name: "a", user_data: `${" ".repeat(100_000)}!` };
  expect((await cloud.post("/compute/v2.1/servers", { server })).status).toBe(400);
  const named = { server: { name: "a", hostname: `${"a".repeat(100_000)}!` } };
  const headers = { "x-openstack-nova-api-version": "2.90" };
  expect((await cloud.post("/compute/v2.1/servers", named, { headers })).status).toBe(400);
  const unclosed = `"${'\\"'.repeat(400_000)}`;
  expect((await cloud.post("/network/v2.0/networks", unclosed, { headers: json })).status).toBe(400);
  const account = `/object-store/v1/AUTH_${cloud.projectId}`;
  const segments = JSON.stringify([{ path: `a${"/".repeat(400_000)}b`, etag: 1 }, { path: `a${"/".repeat(400_000)}` }]);
  await cloud.put(`${account}/slashes`);
  expect((await cloud.put(`${account}/slashes/all?multipart-manifest=put`, segments)).status).toBe(400);
  await cloud.delete(`${account}/slashes`);
});
