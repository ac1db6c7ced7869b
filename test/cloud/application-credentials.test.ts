import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { isAllowed } from "../../src/cloud/identity/access-rules.ts";
import { fitsPath } from "../../src/cloud/identity/path-pattern.ts";
import type { Scope } from "../../src/cloud/identity/scope.ts";
import { type Answer, TestCloud } from "./support.ts";

// Statuses and words are those of a Keystone of the release 2022.2, asked the same questions.

let cloud: TestCloud;
let userId: string;
let path: string;
beforeAll(async () => {
  cloud = await TestCloud.start();
  userId = (await cloud.authenticate(cloud.cloud.credentials.demo)).body.token.user.id;
  path = `/identity/v3/users/${userId}/application_credentials`;
});
afterAll(() => cloud.remove());

const malformed =
  "The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.";
const unauthenticated = "The request you have made requires authentication.";

function create(fields: Record<string, unknown>, token?: string): Promise<Answer> {
  return cloud.post(path, { application_credential: fields }, token === undefined ? {} : { token });
}

/** Makes a credential that must be made, and answers its body. */
async function made(fields: Record<string, unknown>) {
  const answer = await create(fields);
  expect(answer.status, answer.text).toBe(201);
  return answer.body.application_credential;
}

function logIn(credential: Record<string, unknown> | undefined, scope?: unknown): Promise<Answer> {
  const identity = { methods: ["application_credential"], application_credential: credential };
  return cloud.post("/identity/v3/auth/tokens", { auth: { identity, scope } }, { token: "" });
}

/** A token by a credential that must open. */
async function tokenOf({ id, secret }: { id: string; secret: string }): Promise<string> {
  const answer = await logIn({ id, secret });
  expect(answer.status, answer.text).toBe(201);
  return answer.headers.get("x-subject-token") ?? "";
}

function expectRefused(answer: Answer, status: number, message: string | RegExp): void {
  expect(answer.status, answer.text).toBe(status);
  if (message instanceof RegExp) expect(answer.body.error.message).toMatch(message);
  else expect(answer.body.error.message).toBe(message);
}

describe("making one", () => {
  it("answers it whole, with the secret that is told once and kept as a hash", async () => {
    const credential = await made({ name: "whole", description: "for CI" });
    expect(credential).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: "whole",
      description: "for CI",
      user_id: userId,
      project_id: cloud.projectId,
      system: null,
      expires_at: null,
      unrestricted: null,
      roles: ["member", "reader"].map((name) => ({
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        name,
        domain_id: null,
        description: null,
        options: { immutable: true },
      })),
      secret: expect.stringMatching(/^[\w-]{86}$/),
      links: { self: `${cloud.base}/identity/v3/application_credentials/${credential.id}` },
    });
    const { secret, ...rest } = credential;
    expect((await cloud.get(`${path}/${credential.id}`)).body).toEqual({ application_credential: rest });
    expect((await cloud.get(`${path}?name=whole`)).body.application_credentials).toEqual([rest]);
    expect((await cloud.get(`${path}?name=none`)).body.application_credentials).toEqual([]);
    await cloud.restart();
    await cloud.logIn();
    expect(await tokenOf({ id: credential.id, secret })).toMatch(/^gAAAAA/);
  });

  it("takes a given secret, some of the roles and an end", async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString().slice(0, 19);
    const fields = {
      name: "some",
      secret: "chosen",
      roles: [{ name: "reader" }],
      expires_at: soon,
      unrestricted: true,
    };
    const credential = await made(fields);
    expect(credential).toMatchObject({ secret: "chosen", unrestricted: true, expires_at: `${soon}.000000` });
    expect(credential.roles.map((role: { name: string }) => role.name)).toEqual(["reader"]);
    const { body } = await logIn({ id: credential.id, secret: "chosen" });
    expect(body.token.roles.map((role: { name: string }) => role.name)).toEqual(["reader"]);
    expect(body.token.application_credential).toEqual({ id: credential.id, name: "some", restricted: false });
    expect(Date.parse(body.token.expires_at)).toBeLessThanOrEqual(Date.parse(`${soon}Z`));
  });

  it.each<[string, Record<string, unknown>, number, string | RegExp]>([
    [
      "a role that the user has not",
      { roles: [{ name: "admin" }] },
      400,
      "Invalid application credential: Cannot create an application credential with unassigned role",
    ],
    [
      "a role's id that there is not",
      { roles: [{ id: "beef" }] },
      400,
      "Invalid application credential: Cannot create an application credential with unassigned role",
    ],
    ["a role that there is not", { roles: [{ name: "nonesuch" }] }, 404, "Role nonesuch is not defined"],
    ["a time that is none", { expires_at: "yesterday" }, 400, `Timestamp not in expected format. ${malformed}`],
    [
      "an end in the past",
      { expires_at: "2001-01-01T00:00:00" },
      400,
      `The 'expires_at' must not be before now. ${malformed}`,
    ],
    ["an empty name", { name: "" }, 400, /name/],
    ["an unknown key", { bogus: 1 }, 400, /bogus/],
    ["a rule without a path", { access_rules: [{ service: "compute", method: "GET" }] }, 400, /access_rules/],
    ["a rule that there is not", { access_rules: [{ id: "beef" }] }, 404, "Could not find Access Rule: beef."],
  ])("refuses %s", async (_, fields, status, message) => {
    expectRefused(await create({ name: "refused", ...fields }), status, message);
    expect((await cloud.get(`${path}?name=refused`)).body.application_credentials).toEqual([]);
  });

  it("refuses a name twice", async () => {
    await made({ name: "twice" });
    const words =
      "Conflict occurred attempting to store application_credential - Duplicate entry found with name twice.";
    expectRefused(await create({ name: "twice" }), 409, words);
  });
});

describe("logging in", () => {
  it("gives a token of the credential's project, by id and by name", async () => {
    const { id, secret } = await made({ name: "login" });
    const { status, body } = await logIn({ id, secret });
    expect(status).toBe(201);
    expect(body.token).toMatchObject({
      methods: ["application_credential"],
      user: { id: userId, name: "demo" },
      project: { id: cloud.projectId, name: "demo" },
      application_credential: { id, name: "login", restricted: true },
      catalog: expect.arrayContaining([expect.objectContaining({ type: "compute" })]),
    });
    for (const user of [{ id: userId }, { name: "demo", domain: { name: "Default" } }]) {
      expect((await logIn({ name: "login", user, secret })).body.token.application_credential.id).toBe(id);
    }
    expect((await cloud.get("/compute/v2.1/servers", { token: await tokenOf({ id, secret }) })).status).toBe(200);
  });

  it("is refused in Keystone's words", async () => {
    const { id, secret } = await made({ name: "refused-login" });
    expectRefused(await logIn({ id, secret: "wrong" }), 401, unauthenticated);
    expectRefused(await logIn({ id }), 401, unauthenticated);
    expectRefused(await logIn({ id: "beef", secret }), 404, "Could not find Application Credential: beef.");
    expectRefused(await logIn({ name: "none", user: { id: userId }, secret }), 401, unauthenticated);
    const nobody = { name: "nobody", domain: { id: "default" } };
    expectRefused(await logIn({ name: "login", user: nobody, secret }), 404, "Could not find user: nobody.");
    const missing = (what: string) => `Expecting to find ${what}. ${malformed}`;
    expectRefused(await logIn({ secret }), 400, missing("name or ID in application credential"));
    expectRefused(await logIn({ name: "login", secret }), 400, missing("user in application credential"));
    expectRefused(await logIn({ name: "login", user: { name: "demo" }, secret }), 400, missing("domain in user"));
    expectRefused(await logIn(undefined), 400, missing("application_credential in identity"));
    for (const scope of ["unscoped", { project: { id: cloud.projectId } }]) {
      const words = "Error authenticating with application credential: Application credentials cannot request a scope.";
      expectRefused(await logIn({ id, secret }, scope), 401, words);
    }
  });

  it("ends when the credential does", async () => {
    const end = Date.now() + 600_000;
    const { id, secret } = await made({ name: "ends", expires_at: new Date(end).toISOString() });
    const token = await tokenOf({ id, secret });
    vi.useFakeTimers({ toFake: ["Date"], now: end });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    expectRefused(await logIn({ id, secret }), 401, unauthenticated);
    expect((await cloud.get("/compute/v2.1/servers", { token })).status).toBe(401);
    expect((await cloud.get("/compute/v2.1/servers")).status).toBe(200);
  });

  it("ends when it is deleted, and so do its tokens", async () => {
    const { id, secret } = await made({ name: "deleted" });
    const token = await tokenOf({ id, secret });
    expect((await cloud.delete(`${path}/${id}`)).status).toBe(204);
    const gone = `Could not find Application Credential: ${id}.`;
    expectRefused(await cloud.delete(`${path}/${id}`), 404, gone);
    expectRefused(await cloud.get(`${path}/${id}`), 404, gone);
    expectRefused(await logIn({ id, secret }), 404, gone);
    expectRefused(await logIn({ name: "deleted", user: { id: userId }, secret }), 401, unauthenticated);
    expect((await cloud.get("/compute/v2.1/servers", { token })).status).toBe(401);
    expect((await cloud.get(path)).status).toBe(200);
  });

  it("gives a token that makes no other", async () => {
    const token = await tokenOf(await made({ name: "no-token" }));
    const identity = { methods: ["token"], token: { id: token } };
    const words =
      "You are not authorized to perform the requested action: Using a delegated token to create another token is not allowed..";
    for (const scope of [undefined, { project: { id: cloud.projectId } }]) {
      expectRefused(await cloud.post("/identity/v3/auth/tokens", { auth: { identity, scope } }), 403, words);
    }
  });
});

describe("who may manage them", () => {
  it("a restricted one only looks", async () => {
    const own = await made({ name: "restricted" });
    const token = await tokenOf(own);
    const words =
      "You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing additional application credentials..";
    expectRefused(await create({ name: "child" }, token), 403, words);
    expectRefused(await cloud.delete(`${path}/${own.id}`, { token }), 403, words);
    expect((await cloud.get(path, { token })).status).toBe(200);
    expect((await cloud.get(`${path}/${own.id}`, { token })).status).toBe(200);
  });

  it("an unrestricted one makes others, with its own roles at most", async () => {
    const token = await tokenOf(await made({ name: "parent", unrestricted: true, roles: [{ name: "reader" }] }));
    expectRefused(await create({ name: "more", roles: [{ name: "member" }] }, token), 400, /unassigned role/);
    const { status, body } = await create({ name: "child" }, token);
    expect(status).toBe(201);
    const [role, ...others] = body.application_credential.roles;
    expect([role.name, others]).toEqual(["reader", []]);
    expect((await cloud.delete(`${path}/${body.application_credential.id}`, { token })).status).toBe(204);
  });

  it("nobody makes them for others; administrators look and delete", async () => {
    const { id } = await made({ name: "mine" });
    const token = await cloud.adminToken();
    const not = (action: string) => `You are not authorized to perform the requested action: identity:${action}.`;
    expectRefused(await create({ name: "theirs" }, token), 403, not("create_application_credential"));
    const other = path.replace(userId, "beef");
    expectRefused(await cloud.get(other), 403, not("list_application_credentials"));
    expect((await cloud.get(path, { token })).body.application_credentials.length).toBeGreaterThan(0);
    expect((await cloud.delete(`${path}/${id}`, { token })).status).toBe(204);
    const adminId = (await cloud.authenticate(cloud.cloud.credentials.admin)).body.token.user.id;
    const theirs = `/identity/v3/users/${adminId}/application_credentials`;
    const made2 = await cloud.post(theirs, { application_credential: { name: "admins" } }, { token });
    const hidden = `${theirs}/${made2.body.application_credential.id}`;
    expectRefused(await cloud.get(hidden), 403, not("get_application_credential"));
    expectRefused(await cloud.delete(hidden), 403, not("delete_application_credential"));
  });
});

describe("access rules", () => {
  const rules = () => `/identity/v3/users/${userId}/access_rules`;
  const servers = { service: "compute", method: "GET", path: "/v2.1/servers" };

  it("let a token do only what they name", async () => {
    const access_rules = [
      servers,
      { service: "compute", method: "GET", path: "/v2.1/servers/{id}/os-*" },
      { service: "network", method: "GET", path: "/v2.0/**" },
    ];
    const credential = await made({ name: "ruled", access_rules });
    expect(credential.access_rules).toEqual(access_rules.map((rule) => ({ id: expect.any(String), ...rule })));
    const answer = await logIn({ id: credential.id, secret: credential.secret });
    expect(answer.body.token.application_credential.access_rules).toEqual(credential.access_rules);
    const token = answer.headers.get("x-subject-token") ?? "";
    const status = async (method: string, url: string) => (await cloud.request(method, url, { token })).status;
    expect(await status("GET", "/compute/v2.1/servers?name=x")).toBe(200);
    expect(await status("GET", "/compute/v2.1/servers/beef/os-interface")).toBe(404);
    expect(await status("GET", "/network/v2.0/networks/beef")).toBe(404);
    for (const [method, url] of [
      ["GET", "/compute/v2.1/servers/detail"],
      ["GET", "/compute/v2.1/servers/beef"],
      ["POST", "/compute/v2.1/servers"],
      ["POST", "/network/v2.0/networks"],
      ["GET", "/image/v2/images"],
      ["GET", `/object-store/v1/AUTH_${cloud.projectId}`],
    ] as const) {
      expect([method, url, await status(method, url)]).toEqual([method, url, 401]);
    }
  });

  it("hold in Keystone too, but for showing a token: no child without rules is made", async () => {
    const token = await tokenOf(await made({ name: "ruled-parent", unrestricted: true, access_rules: [servers] }));
    const headers = { "x-subject-token": token };
    for (const [method, url] of [
      ["POST", path],
      ["GET", path],
      ["GET", "/identity/v3/auth/projects"],
      ["HEAD", "/identity/v3/auth/tokens"],
      ["DELETE", "/identity/v3/auth/tokens"],
    ] as const) {
      const body = method === "POST" ? { application_credential: { name: "free-child" } } : undefined;
      const { status } = await cloud.request(method, url, { token, headers, body });
      expect([method, url, status]).toEqual([method, url, 401]);
    }
    expect((await cloud.get("/identity/v3/auth/tokens", { token, headers })).status).toBe(200);
    const own = { service: "identity", method: "GET", path: `/v3/users/${userId}/application_credentials` };
    const looking = await tokenOf(await made({ name: "looking", access_rules: [own] }));
    expect((await cloud.get(path, { token: looking })).status).toBe(200);
  });

  it("are not made where the credential is refused", async () => {
    const before = (await cloud.get(rules())).body;
    const access_rules = [{ ...servers, path: "/v2.1/images" }, { id: "beef" }];
    expectRefused(await create({ name: "half", access_rules }), 404, "Could not find Access Rule: beef.");
    expect((await cloud.get(rules())).body).toEqual(before);
  });

  it("are patterns of whole paths", () => {
    const rule = (path: string) => ({ ...servers, id: "r", path });
    const token = (path: string): Scope => ({
      ...{ userId, userName: "demo", roles: [] },
      applicationCredential: { id: "c", name: "c", restricted: true, accessRules: [rule(path)] },
    });
    const allowed = (pattern: string, path: string) => isAllowed(token(pattern), "compute", "GET", path);
    expect(allowed("/v2.1/servers", "/v2.1/servers")).toBe(true);
    expect(allowed("/v2.1/servers", "/v2x1/servers")).toBe(false);
    expect(allowed("/v2.1/servers", "/v2.1/servers/1")).toBe(false);
    expect(allowed("/v2.1/*/1", "/v2.1/servers/1")).toBe(true);
    expect(allowed("/v2.1/*", "/v2.1/servers/1")).toBe(false);
    expect(allowed("/v2.1/{kind}/{id}", "/v2.1/servers/1")).toBe(true);
    expect(allowed("/v2.1/**", "/v2.1/servers/1/tags")).toBe(true);
    expect(allowed("/v2.1/{}", "/v2.1/{}s")).toBe(true);
  });

  it("are told from other paths as by trying every way, and soon where there are too many", () => {
    /** Every way to share a path out among a pattern's parts. */
    const reference = (parts: string[], path: string[]): boolean => {
      const [part, ...others] = parts;
      if (part === undefined) return path.length === 0;
      const ends = [...Array(path.length + 1).keys()].filter((end) => {
        const taken = path.slice(0, end).join("");
        if (part === "**") return true;
        if (part === "{") return taken === "";
        return part === "*" || part === "{id}" ? taken !== "" && !taken.includes("/") : taken === part;
      });
      return ends.some((end) => reference(others, path.slice(end)));
    };
    // but for what is another part together with its neighbour
    const parts = fc.array(fc.constantFrom("**", "*", "{id}", "/", ".", "a", "{", "😀"), { maxLength: 7 });
    const separate = parts.filter((all) => !/ \* \*|\{[^}]*\{id/.test(` ${all.join(" ")}`));
    const path = fc.array(fc.constantFrom("/", ".", "a", "b", "{", "😀"), { maxLength: 7 });
    fc.assert(
      fc.property(separate, path, (all, letters) => {
        expect(fitsPath(all.join(""), letters.join(""))).toBe(reference(all, letters));
      }),
      { numRuns: 2000 },
    );
    const many = (what: string) => `/${what.repeat(50)}b`;
    for (const what of ["**a", "**/", "*a", "****"]) {
      expect(fitsPath(many(what), `/${"a".repeat(5000)}`)).toBe(false);
      expect(fitsPath(many(what), `${many(what.replace(/\*+/, "a"))}`)).toBe(true);
    }
  });

  it("are kept once for a user, and as long as one is in use", async () => {
    const first = await made({ name: "first", access_rules: [{ ...servers, path: "/v2.1/flavors" }] });
    const [{ id }] = first.access_rules;
    const second = await made({ name: "second", access_rules: [{ ...servers, path: "/v2.1/flavors" }, { id }] });
    expect(second.access_rules[0].id).toBe(id);
    expect((await cloud.get(`${rules()}/${id}`)).body.access_rule).toMatchObject({ id, path: "/v2.1/flavors" });
    expect((await cloud.get(rules())).body.access_rules.filter((rule: { id: string }) => rule.id === id)).toHaveLength(
      1,
    );
    for (const credential of [first, second]) {
      expectRefused(await cloud.delete(`${rules()}/${id}`), 403, "May not delete access rule in use");
      await cloud.delete(`${path}/${credential.id}`);
    }
    expect((await cloud.delete(`${rules()}/${id}`)).status).toBe(204);
    expectRefused(await cloud.get(`${rules()}/${id}`), 404, `Could not find Access Rule: ${id}.`);
  });
});
