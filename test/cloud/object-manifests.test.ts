import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, callerWith, rawAnswer, temporary } from "./object-callers.ts";
import { TestCloud } from "./support.ts";

// Large objects are made, read and deleted only as far as who asks may do so with each of their parts, and have bounds.

let cloud: TestCloud;
let account: string;
let stranger: Caller;
beforeAll(async () => {
  cloud = await TestCloud.start();
  account = `/object-store/v1/AUTH_${cloud.projectId}`;
  stranger = await callerWith(cloud, "stranger", "member");
  await cloud.put(`${account}/secret`);
  await cloud.put(`${account}/secret/s`, "secret");
  const headers = {
    ...{ "x-container-read": ".r:*,.rlistings", "x-container-write": `${stranger.projectId}:*` },
    ...{ "x-container-meta-temp-url-key": "container" },
  };
  await cloud.put(`${account}/open`, undefined, { headers });
  await cloud.post(account, "", { headers: { "x-account-meta-temp-url-key": "account" } });
});
afterAll(() => cloud.remove());

const putManifest = (name: string, segments: unknown, token = cloud.token) =>
  cloud.put(`${account}/${name}?multipart-manifest=put`, JSON.stringify(segments), { token });
const status = async (path: string, token = cloud.token) => (await cloud.get(`${account}/${path}`, { token })).status;
const withUrl = (key: string, name: string) =>
  cloud.get(`${account}/${name}?${temporary(key, "GET", `/v1/AUTH_${cloud.projectId}/${name}`)}`, { token: "" });

describe("a manifest gives nobody what they may not read themselves", () => {
  it("static ones: neither who makes it nor who reads it", async () => {
    const made = await putManifest("open/m", [{ path: "secret/s" }, { path: "none/s" }], stranger.token);
    expect([made.status, made.text]).toEqual([400, "Errors:\nsecret/s, 403 Forbidden\nnone/s, 403 Forbidden\n"]);
    expect((await putManifest("open/m", [{ path: "secret/s" }])).status).toBe(201);
    expect([await status("open/m"), await status("open/m", stranger.token), await status("open/m", "")]).toEqual([
      200, 409, 409,
    ]);
    expect((await withUrl("account", "open/m")).text).toBe("secret");
    expect((await withUrl("container", "open/m")).status).toBe(409);
  });

  it("dynamic ones: who reads it must be able to list the parts", async () => {
    await cloud.put(`${account}/open/d`, "", { headers: { "x-object-manifest": "secret/s" } });
    expect([await status("open/d"), await status("open/d", stranger.token), await status("open/d", "")]).toEqual([
      200, 403, 401,
    ]);
    expect((await withUrl("account", "open/d")).text).toBe("secret");
    expect((await withUrl("container", "open/d")).status).toBe(401);
    for (const value of ["x", "/x", "secret/", "secret//s", "secret/s?x", "secret/s&x"]) {
      const answer = await cloud.put(`${account}/open/bad`, "", { headers: { "x-object-manifest": value } });
      expect([answer.status, answer.text]).toEqual([400, "X-Object-Manifest must be in the format container/prefix"]);
    }
  });

  it("a copy reads as who asks for it", async () => {
    const headers = { "x-copy-from": "secret/s" };
    expect((await cloud.put(`${account}/open/copy`, undefined, { headers, token: stranger.token })).status).toBe(403);
    expect(await status("open/copy")).toBe(404);
    const upload = (key: string) => temporary(key, "PUT", `/v1/AUTH_${cloud.projectId}/open/copy`);
    const copy = (key: string) => cloud.put(`${account}/open/copy?${upload(key)}`, undefined, { headers, token: "" });
    expect((await copy("container")).status).toBe(401);
    expect((await copy("account")).status).toBe(201);
  });

  it("a deletion of all segments says which could not be had", async () => {
    await putManifest("open/m", [{ path: "secret/s" }]);
    const gone = (token: string) =>
      cloud.delete(`${account}/open/m?multipart-manifest=delete`, { token, headers: { accept: "application/json" } });
    expect((await gone(stranger.token)).body).toMatchObject({
      ...{ "Number Deleted": 1, "Response Status": "400 Bad Request", Errors: [["/secret/s", "403 Forbidden"]] },
    });
    expect((await gone("")).body).toMatchObject({ "Number Not Found": 1 });
    expect((await cloud.get(`${account}/secret/s`)).text).toBe("secret");
  });
});

describe("manifests of manifests", () => {
  it("are read ten deep", async () => {
    await cloud.put(`${account}/open/deep0`, "x");
    for (let level = 1; level <= 11; level++)
      await putManifest(`open/deep${level}`, [{ path: `open/deep${level - 1}` }]);
    expect([await status("open/deep10"), await status("open/deep11")]).toEqual([200, 409]);
    expect((await cloud.request("HEAD", `${account}/open/deep11`)).headers.get("content-length")).toBe("1");
  });

  it("that name each other are refused when they are read, and come to an end when they are deleted", async () => {
    await cloud.put(`${account}/open/b`, "x");
    await putManifest("open/a", [{ path: "open/b" }]);
    await putManifest("open/b", [{ path: "open/a" }]);
    await putManifest("open/a", [{ path: "open/b" }]);
    expect(await status("open/a")).toBe(409);
    const gone = await cloud.delete(`${account}/open/a?multipart-manifest=delete`, {
      headers: { accept: "application/json" },
    });
    expect(gone.body).toMatchObject({ "Number Deleted": 2, "Response Status": "200 OK" });
    expect([await status("open/a"), await status("open/b")]).toEqual([404, 404]);
  });

  it("have no more segments that wait to be deleted than Swift holds", async () => {
    await cloud.put(`${account}/open/x`, "x");
    await putManifest(
      "open/w0",
      Array.from({ length: 1000 }, () => ({ path: "open/x" })),
    );
    await putManifest(
      "open/w1",
      Array.from({ length: 100 }, () => ({ path: "open/w0" })),
    );
    const gone = await cloud.delete(`${account}/open/w1?multipart-manifest=delete`, {
      headers: { accept: "application/json" },
    });
    expect(gone.body).toMatchObject({
      ...{ "Response Status": "400 Bad Request", "Response Body": "Too many buffered slo segments to delete." },
    });
    expect(await status("open/w0")).toBe(200);
  });
});

describe("manifests have bounds", () => {
  const send = (body: string | Buffer, headers: Record<string, string> = {}) =>
    rawAnswer(cloud, "PUT", `${account}/open/big?multipart-manifest=put`, { body, headers });

  it("of their bytes, however they come, and of their segments", async () => {
    const tooBig = Buffer.alloc(8 * 1024 * 1024 + 1, " ");
    for (const [name, value] of [
      ["content-length", String(tooBig.length)],
      ["transfer-encoding", "chunked"],
    ] as const) {
      const answer = await send(tooBig, { [name]: value });
      expect([answer.status, answer.text]).toEqual([413, "Manifest File > 8388608 bytes"]);
    }
    const many = await send(JSON.stringify(Array.from({ length: 1001 }, () => ({ path: "secret/s" }))));
    expect([many.status, many.text]).toEqual([413, "Number of object-backed segments must be <= 1000"]);
  });

  it("names that are no text are refused and break nothing", async () => {
    const answer = await send('[{"path":"secret/\\ud800"},{"path":"secret/a\\u0000"}]');
    expect([answer.status, answer.text.match(/412 Precondition Failed/g)?.length]).toEqual([400, 2]);
  });
});

describe("bulk deletes", () => {
  const bulk = (body: string, token = cloud.token, headers: Record<string, string> = {}) =>
    cloud.post(`${account}?bulk-delete`, body, {
      token,
      headers: { accept: "application/json", "content-type": "text/plain", ...headers },
    });

  it("are refused before their body is read, to whom nothing can be granted", async () => {
    expect((await bulk("secret/s\n", "")).status).toBe(401);
    expect((await bulk("secret/s\n", stranger.token)).body).toMatchObject({
      ...{ "Number Deleted": 0, "Response Status": "400 Bad Request", Errors: [["secret/s", "403 Forbidden"]] },
    });
  });

  it("have Swift's bounds", async () => {
    expect((await bulk("secret/none\n".repeat(10_001))).body).toMatchObject({
      ...{ "Response Status": "413 Request Entity Too Large", "Number Not Found": 0 },
      "Response Body": "Maximum Bulk Deletes: 10000 per request",
    });
    expect((await bulk(`secret/${"x".repeat(2600)}`)).body).toMatchObject({
      ...{ "Response Status": "400 Bad Request", "Response Body": "Invalid File Name" },
    });
  });

  it("delete what is named and nothing else", async () => {
    const odd = "open/a/../../secret/s";
    await rawAnswer(cloud, "PUT", `${account}/${odd}`, { body: "x" });
    expect((await bulk(`${odd}\n`)).body).toMatchObject({ "Number Deleted": 1 });
    expect(await status("secret/s")).toBe(200);
    expect((await bulk("open/%FF\nopen/100%\nopen/%C3%A9\n")).body).toMatchObject({
      ...{ "Number Not Found": 2, Errors: [["open/%FF", "412 Precondition Failed"]] },
    });
  });
});
