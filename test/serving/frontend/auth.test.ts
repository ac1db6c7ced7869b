import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Role } from "../../../src/serving/access/roles.ts";
import { storeOf } from "../../../src/serving/access/store.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import { type Access, requireRoles } from "../../../src/serving/frontend/auth.ts";
import { localHub } from "../../../src/serving/frontend/processes/hub.ts";
import { Meter } from "../../../src/serving/metrics/meter.ts";
import { asPage, prepareSurroundings, row, type Surroundings } from "./injected.ts";

const tokens = {
  read: newToken("looker", "read"),
  predict: newToken("asker", "predict"),
  deploy: newToken("ci", "deploy"),
  admin: newToken("ada", "admin"),
};
const access = { tokens: storeOf(Object.values(tokens).map(({ entry }) => entry)), sessionKey: new Uint8Array(32) };
const quiet = pino({ enabled: false });
const form = { "content-type": "application/x-www-form-urlencoded", ...asPage };
let surroundings: Surroundings;

beforeAll(async () => {
  surroundings = await prepareSurroundings();
});
afterAll(() => surroundings.remove());

/** A frontend with a route for each role. */
async function withRoutes<T>(
  use: (app: ReturnType<typeof buildFrontend>) => Promise<T>,
  known: Access = access,
): Promise<T> {
  const meter = new Meter();
  const app = buildFrontend(surroundings.contextWith({}), quiet, { access: known, meter, hub: localHub(meter) });
  app.register(async (routes) => {
    for (const role of ["deploy", "admin"] as const) {
      routes.post(`/test/${role}`, { config: { role } }, ({ caller }) => caller);
    }
  });
  const result = await use(app);
  await app.close();
  return result;
}

const bearer = (role: Role) => ({ authorization: `Bearer ${tokens[role].token}` });

describe("a host with tokens", () => {
  it("asks for one, says how, and lets probes pass", () =>
    withRoutes(async (app) => {
      const refused = await app.inject({ method: "POST", url: "/v1/predict", payload: { rows: [row] } });
      expect(refused.statusCode).toBe(401);
      expect(refused.headers["www-authenticate"]).toBe('Bearer realm="slipway"');
      expect(refused.json()).toMatchObject({
        error: { code: "TOKEN_NEEDED", message: expect.stringContaining("predict") },
      });
      const wrong = await app.inject({ url: "/version", headers: { authorization: "Bearer nonsense" } });
      expect(wrong.statusCode).toBe(401);
      expect(wrong.headers["www-authenticate"]).toContain("invalid_token");
      for (const url of ["/v2/health/live", "/v2/health/ready"]) {
        expect((await app.inject({ url, headers: { authorization: "Bearer nonsense" } })).statusCode).toBe(200);
      }
      expect((await app.inject({ url: "/nowhere" })).statusCode).toBe(404);
    }));

  it.each([
    ["read", [200, 403, 403, 403]],
    ["predict", [200, 200, 403, 403]],
    ["deploy", [200, 200, 200, 403]],
    ["admin", [200, 200, 200, 200]],
  ] as const)("lets %s do what it may", (role, expected) =>
    withRoutes(async (app) => {
      const ask = (method: "GET" | "POST", url: string, payload?: object) =>
        app.inject({ method, url, headers: bearer(role), ...(payload && { payload }) });
      const answers = [
        await ask("GET", "/version"),
        await ask("POST", "/v1/predict", { rows: [row] }),
        await ask("POST", "/test/deploy"),
        await ask("POST", "/test/admin"),
      ];
      expect(answers.map(({ statusCode }) => statusCode)).toEqual(expected);
      for (const answer of answers.filter(({ statusCode }) => statusCode === 403)) {
        expect(answer.json().error).toMatchObject({
          code: "ROLE_NEEDED",
          message: expect.stringMatching(`has ${role}$`),
        });
      }
    }),
  );

  it("refuses before it reads the body", () =>
    withRoutes(async (app) => {
      const answer = await app.inject({
        method: "POST",
        url: "/v1/predict",
        headers: { "content-type": "application/json" },
        payload: "{".repeat(3_000_000),
      });
      expect(answer.statusCode).toBe(401);
    }));
});

describe("a host without tokens", () => {
  it("lets everybody read and predict, and nobody change anything", () =>
    withRoutes(
      async (app) => {
        expect((await app.inject({ method: "POST", url: "/v1/predict", payload: { rows: [row] } })).statusCode).toBe(
          200,
        );
        for (const role of ["deploy", "admin"] as const) {
          const refused = await app.inject({ method: "POST", url: `/test/${role}`, headers: bearer(role) });
          expect(refused.statusCode).toBe(403);
          expect(refused.json().error.code).toBe("TOKENS_ABSENT");
        }
        expect((await app.inject({ url: "/login" })).statusCode).toBe(404);
      },
      { ...access, tokens: undefined },
    ));
});

describe("a route without a role", () => {
  it("does not start", async () => {
    const { default: Fastify } = await import("fastify");
    const app = Fastify();
    requireRoles(app, access);
    expect(() => app.get("/open", () => "x")).toThrow("GET /open declares no role");
  });
});

describe("a browser", () => {
  const login = (app: ReturnType<typeof buildFrontend>, body: Record<string, string>, headers = {}) =>
    app.inject({
      method: "POST",
      url: "/login",
      headers: { ...form, ...headers },
      payload: new URLSearchParams(body).toString(),
    });
  const cookieOf = (answer: { headers: Record<string, unknown> }) =>
    `${answer.headers["set-cookie"]}`.split(";")[0] ?? "";

  it("is shown the form where it has no session, and comes back to where it was", () =>
    withRoutes(async (app) => {
      const refused = await app.inject({ url: "/predictions?page=1", headers: asPage });
      expect(refused.statusCode).toBe(401);
      expect(refused.body).toContain('name="to" value="/predictions?page=1"');
      const answer = await login(app, { token: tokens.predict.token, to: "/predictions?page=1" });
      expect(answer.statusCode).toBe(303);
      expect(answer.headers.location).toBe("/predictions?page=1");
      expect(answer.headers["set-cookie"]).toMatch(/; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
      expect(answer.headers["set-cookie"]).not.toContain(tokens.predict.token);
      const page = await app.inject({ url: "/predictions?page=1", headers: { ...asPage, cookie: cookieOf(answer) } });
      expect(page.statusCode).toBe(200);
      const whose = await app.inject({ url: "/login", headers: { ...asPage, cookie: cookieOf(answer) } });
      expect(whose.body).toContain("As asker, with the role predict.");
    }));

  it.each(["//evil.example", "https://evil.example", "/\\evil.example", "/x\r\nset-cookie: a=b", ""])(
    "is not led elsewhere: %j",
    (to) =>
      withRoutes(async (app) => {
        expect((await login(app, { token: tokens.read.token, to })).headers.location).toBe("/");
      }),
  );

  it("does not act for another site's page", () =>
    withRoutes(async (app) => {
      const cookie = cookieOf(await login(app, { token: tokens.admin.token }));
      const post = (headers: Record<string, string>) =>
        app.inject({ method: "POST", url: "/test/admin", headers: { cookie, host: "host.example:5100", ...headers } });
      expect((await post({ origin: "http://host.example:5100" })).json()).toEqual({ name: "ada", role: "admin" });
      expect((await post({ "sec-fetch-site": "same-origin" })).statusCode).toBe(200);
      for (const foreign of [
        { origin: "http://evil.example" },
        { origin: "null" },
        { origin: "http://host.example:80" },
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site", origin: "http://host.example:5100" },
      ]) {
        const refused = await post(foreign as Record<string, string>);
        expect(refused.statusCode).toBe(403);
        expect(refused.json().error.code).toBe("ORIGIN_FOREIGN");
      }
      expect((await login(app, { token: tokens.read.token }, { origin: "http://evil.example" })).statusCode).toBe(403);
    }));

  it("is out after it logged out, and a wrong token lets nobody in", () =>
    withRoutes(async (app) => {
      const wrong = await login(app, { token: "guess" });
      expect(wrong.statusCode).toBe(401);
      expect(wrong.headers["set-cookie"]).toBeUndefined();
      expect(wrong.body).toContain("unknown or has expired");
      const out = await app.inject({ method: "POST", url: "/logout", headers: form, payload: "" });
      expect(out.headers["set-cookie"]).toMatch(/^slipway-session=; .*Max-Age=0/);
    }));

  it("may guess ten times a minute", () =>
    withRoutes(async (app) => {
      for (let guess = 0; guess < 10; guess++) expect((await login(app, { token: "guess" })).statusCode).toBe(401);
      const refused = await login(app, { token: tokens.admin.token });
      expect(refused.statusCode).toBe(429);
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    }));
});
