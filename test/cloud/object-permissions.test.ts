import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, callerWith, rawAnswer, temporary } from "./object-callers.ts";
import { TestCloud } from "./support.ts";

// Who may do what with objects, as Swift's keystoneauth and tempurl have it.

let cloud: TestCloud;
let account: string;
let stranger: Caller;
let reader: Caller;
beforeAll(async () => {
  cloud = await TestCloud.start();
  account = `/object-store/v1/AUTH_${cloud.projectId}`;
  stranger = await callerWith(cloud, "stranger", "member");
  reader = await callerWith(cloud, "looks", "reader", cloud.projectId);
});
afterAll(() => cloud.remove());

const head = (path: string, token = cloud.token) => cloud.request("HEAD", path, { token });
const path = (rest: string) => `/v1/AUTH_${cloud.projectId}/${rest}`;

describe("what only an account's owner is told", () => {
  const secrets = {
    ...{ "x-container-meta-temp-url-key": "k", "x-container-meta-temp-url-key-2": "k2" },
    ...{ "x-container-write": "x:y", "x-container-sync-to": "//a/b/c/d", "x-container-sync-key": "s" },
  };

  it("are keys and ACLs of containers", async () => {
    const readers = `${stranger.projectId}:${stranger.userId},.r:*,.rlistings`;
    const headers = { ...secrets, "x-container-read": readers, "x-container-meta-colour": "red" };
    await cloud.put(`${account}/shared`, undefined, { headers });
    expect(Object.fromEntries((await head(`${account}/shared`)).headers)).toMatchObject(headers);
    for (const token of [stranger.token, reader.token, ""]) {
      for (const method of ["HEAD", "GET"]) {
        const answer = await cloud.request(method, `${account}/shared`, { token });
        expect([answer.status, answer.headers.get("x-container-meta-colour")]).toEqual([204, "red"]);
        for (const name of [...Object.keys(secrets), "x-container-read"]) expect(answer.headers.has(name)).toBe(false);
      }
    }
    await cloud.post(`${account}/shared`, "", { headers: { "x-remove-container-read": "x" } });
    expect((await head(`${account}/shared`)).headers.has("x-container-read")).toBe(false);
    expect((await head(`${account}/shared`, "")).status).toBe(401);
  });

  it("are keys of accounts", async () => {
    await cloud.post(account, "", { headers: { "x-account-meta-temp-url-key": "k", "x-account-meta-a": "b" } });
    expect((await head(account)).headers.get("x-account-meta-temp-url-key")).toBe("k");
    const seen = await head(account, reader.token);
    expect([seen.status, seen.headers.get("x-account-meta-a")]).toEqual([204, "b"]);
    expect(seen.headers.has("x-account-meta-temp-url-key")).toBe(false);
    expect((await head(account, stranger.token)).status).toBe(403);
  });
});

describe("ACLs", () => {
  const share = (value: string, name = "x-container-read") =>
    cloud.put(`${account}/acl`, undefined, { headers: { [name]: value } });
  const reads = async (token: string, referer?: string) =>
    (await cloud.get(`${account}/acl/o`, { token, ...(referer === undefined ? {} : { headers: { referer } }) })).status;

  it("name projects and users, roles, and the pages that lead to an object", async () => {
    await share("");
    await cloud.put(`${account}/acl/o`, "hello");
    expect([await reads(stranger.token), await reads(reader.token), await reads("")]).toEqual([403, 200, 401]);
    for (const entry of [`${stranger.projectId}:*`, `*:${stranger.userId}`, "*:*"]) {
      await share(entry);
      expect([entry, await reads(stranger.token)]).toEqual([entry, 200]);
    }
    for (const entry of [stranger.projectId, `${stranger.projectId}:x`, "member"]) {
      await share(entry);
      expect([entry, await reads(stranger.token)]).toEqual([entry, 403]);
    }
    await share(".referrer : *, .r:-.thief.com");
    expect((await head(`${account}/acl`)).headers.get("x-container-read")).toBe(".r:*,.r:-.thief.com");
    expect(await reads("", "http://good.com/page")).toBe(200);
    expect(await reads("", "http://www.thief.com/page")).toBe(401);
    expect((await cloud.get(`${account}/acl`, { token: "" })).status).toBe(401);
    expect(await reads("gAAAAAwrong")).toBe(200); // as without a token
  });

  it("that say nothing are refused", async () => {
    for (const [name, value, words] of [
      ["x-container-read", ".r:", "No host/domain value after referrer designation in ACL: '.r:'"],
      ["x-container-read", ".x:a", "Unknown designator '.x' in ACL: '.x:a'"],
      ["x-container-write", ".r:*", "Referrers not allowed in write ACL: '.r:*'"],
    ] as const) {
      const answer = await share(value, name);
      expect([answer.status, answer.text]).toEqual([400, words]);
    }
  });

  it("let readers of a project look, and strangers write only what they are given", async () => {
    expect((await cloud.put(`${account}/acl/r`, "x", { token: reader.token })).status).toBe(403);
    expect((await cloud.put(`${account}/new`, undefined, { token: reader.token })).status).toBe(403);
    await share(`${stranger.projectId}:*`, "x-container-write");
    expect((await cloud.put(`${account}/acl/w`, "x", { token: stranger.token })).status).toBe(201);
    expect((await cloud.delete(`${account}/acl/w`, { token: stranger.token })).status).toBe(204);
    expect((await cloud.post(`${account}/acl`, "", { token: stranger.token })).status).toBe(403);
  });
});

describe("temporary URLs", () => {
  const ask = (method: string, object: string, query: string, headers: Record<string, string> = {}, body?: string) =>
    cloud.request(method, `${account}/${object}?${query}`, { token: "", headers, body });

  it("say nothing but themselves, and tell of an object what is public", async () => {
    await cloud.put(`${account}/t`, undefined, {
      headers: { "x-container-meta-temp-url-key": Buffer.from("é").toString("latin1") },
    });
    const metadata = { "x-object-meta-private": "a", "x-object-meta-public-colour": "red" };
    await cloud.put(`${account}/t/o`, "hello", { headers: metadata });
    const got = await ask("GET", "t/o", `${temporary("é", "GET", path("t/o"))}&multipart-manifest=get&version-id=1`);
    expect([got.status, got.text, got.headers.get("x-object-meta-public-colour")]).toEqual([200, "hello", "red"]);
    expect(got.headers.has("x-object-meta-private")).toBe(false);
    const text = JSON.stringify([{ path: "t/o" }]);
    const made = await ask("PUT", "t/m", `${temporary("é", "PUT", path("t/m"))}&multipart-manifest=put`, {}, text);
    expect(made.status).toBe(201);
    expect((await cloud.get(`${account}/t/m`)).text).toBe(text);
    const pointed = await ask("POST", "t/o", temporary("é", "POST", path("t/o")), { "x-object-manifest": "a/b" });
    expect([pointed.status, pointed.text]).toEqual([
      400,
      "The header 'X-Object-Manifest' is not allowed in this tempurl",
    ]);
  });

  it("are worth nothing elsewhere", async () => {
    for (const [method, where] of [
      ["GET", "t"],
      ["GET", ""],
      ["GET", "t/%2F"],
    ] as const) {
      const { status } = await rawAnswer(cloud, method, `${account}/${where}?${temporary("é", method, path(where))}`);
      expect([method, where, status]).toEqual([method, where, 401]);
    }
  });
});

it("a path that is no UTF-8 or has a NUL is refused; a wrong % stands for itself", async () => {
  for (const name of ["%FF", "a%00b", "%ED%A0%80", "%C3%A9%C3"]) {
    for (const where of [`${account}/acl/${name}`, `${account}/${name}`]) {
      const answer = await rawAnswer(cloud, "GET", where);
      expect([where, answer.status, answer.text]).toEqual([where, 412, "Invalid UTF8 or contains NULL"]);
    }
  }
  expect((await rawAnswer(cloud, "PUT", `${account}/acl/%C3%A9%ZZ%`, { body: "x" })).status).toBe(201);
  expect((await cloud.get(`${account}/acl/%C3%A9%25ZZ%25`)).text).toBe("x");
});
