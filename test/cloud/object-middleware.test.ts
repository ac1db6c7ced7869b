import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
let account: string;
beforeAll(async () => {
  cloud = await TestCloud.start();
  account = `/object-store/v1/AUTH_${cloud.projectId}`;
  await cloud.put(`${account}/c`);
});
afterAll(() => cloud.remove());

const head = (path: string) => cloud.request("HEAD", path);

describe("temporary addresses", () => {
  const sign = (digest: string, key: string, method: string, path: string, expires: number) =>
    createHmac(digest, key).update(`${method}\n${expires}\n${path}`).digest("hex");
  const later = Math.floor(Date.now() / 1000) + 60;

  it("let their bearer have one object, until then, for what they are signed for", async () => {
    await cloud.put(`${account}/c/signed`, "hello");
    const path = `/v1/AUTH_${cloud.projectId}/c/signed`;
    const ask = (signature: string, expires = later, method = "GET", object = "signed") =>
      cloud.request(method, `${account}/c/${object}?temp_url_sig=${signature}&temp_url_expires=${expires}`, {
        token: "",
      });
    expect((await ask(sign("sha256", "k", "GET", path, later))).status).toBe(401); // no key yet
    expect((await cloud.post(account, "", { headers: { "x-account-meta-temp-url-key": "k" } })).status).toBe(204);
    expect((await head(account)).headers.get("x-account-meta-temp-url-key")).toBe("k");
    for (const digest of ["sha1", "sha256", "sha512"]) {
      expect((await ask(sign(digest, "k", "GET", path, later))).text).toBe("hello");
    }
    const good = sign("sha256", "k", "GET", path, later);
    expect((await ask(good, later, "HEAD")).status).toBe(200);
    expect((await ask(good, later, "DELETE")).status).toBe(401);
    expect((await ask(good, later, "GET", "hello")).status).toBe(401);
    expect((await ask(good, later + 1)).status).toBe(401);
    expect((await ask(sign("sha256", "k", "GET", path, 1), 1)).status).toBe(401);
    expect((await ask(sign("sha256", "other", "GET", path, later))).status).toBe(401);
    expect((await ask("%C3%A9".repeat(40))).status).toBe(401);
    await cloud.post(`${account}/c`, "", { headers: { "x-container-meta-temp-url-key": "other" } });
    expect((await ask(sign("sha256", "other", "GET", path, later))).text).toBe("hello");
    await cloud.delete(`${account}/c/signed`);
  });
});

describe("versions", () => {
  const shelf = () => `${account}/versions`;
  const list = async () => (await cloud.get(`${shelf()}?versions&format=json`)).body;

  it("keep what is overwritten and deleted, until they are deleted themselves", async () => {
    await cloud.put(shelf(), undefined, { headers: { "x-versions-enabled": "true" } });
    expect((await head(shelf())).headers.get("x-versions-enabled")).toBe("True");
    for (const text of ["one", "two"]) await cloud.put(`${shelf()}/a`, text);
    expect(await list()).toMatchObject([
      { name: "a", bytes: 3, is_latest: true },
      { name: "a", bytes: 3, is_latest: false },
    ]);
    const [, first] = await list();
    expect((await cloud.get(`${shelf()}/a?version-id=${first.version_id}`)).text).toBe("one");
    expect((await cloud.delete(`${shelf()}/a`)).headers.get("x-object-version-id")).toMatch(/^\d+\.\d{5}$/);
    expect((await cloud.get(`${shelf()}/a`)).status).toBe(404);
    expect((await list()).map((line: { is_latest: boolean }) => line.is_latest)).toEqual([true, false, false]);
    expect((await cloud.delete(shelf())).status).toBe(409);
    for (const { name, version_id } of await list()) {
      expect((await cloud.delete(`${shelf()}/${name}?version-id=${version_id}`)).status).toBe(204);
    }
    expect(await list()).toEqual([]);
    expect((await cloud.delete(shelf())).status).toBe(204);
  });

  it("are contents that a start of the cloud does not sweep away", async () => {
    await cloud.put(shelf(), undefined, { headers: { "x-versions-enabled": "true" } });
    for (const text of ["one", "two"]) await cloud.put(`${shelf()}/a`, text);
    await cloud.restart();
    await cloud.logIn();
    const [, first] = await list();
    expect((await cloud.get(`${shelf()}/a?version-id=${first.version_id}`)).text).toBe("one");
  });
});

describe("objects with an end, and of parts", () => {
  it("are gone from that second on", async () => {
    const inPast = await cloud.put(`${account}/c/old`, "x", { headers: { "x-delete-at": "1" } });
    expect([inPast.status, inPast.text]).toEqual([400, expect.stringContaining("X-Delete-At in past")]);
    const at = Math.floor(Date.now() / 1000) + 2;
    await cloud.put(`${account}/c/short`, "x", { headers: { "x-delete-at": String(at) } });
    expect((await head(`${account}/c/short`)).headers.get("x-delete-at")).toBe(String(at));
    await expect.poll(async () => (await head(`${account}/c/short`)).status, { timeout: 10_000 }).toBe(404);
    expect((await cloud.get(`${account}/c?prefix=short`)).text).toBe("");
  });

  it("are the contents of others, one after another", async () => {
    for (const [name, text] of [
      ["part/1", "hel"],
      ["part/2", "lo"],
    ])
      await cloud.put(`${account}/c/${name}`, text);
    await cloud.put(`${account}/c/whole`, "", { headers: { "x-object-manifest": "c/part/" } });
    const got = await cloud.get(`${account}/c/whole`);
    expect(got.text).toBe("hello");
    expect(Object.fromEntries(got.headers)).toMatchObject({ "content-length": "5", "x-object-manifest": "c/part/" });
    for (const name of ["part/1", "part/2", "whole"]) await cloud.delete(`${account}/c/${name}`);
  });
});
