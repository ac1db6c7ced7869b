import { readdir } from "node:fs/promises";
import { join } from "node:path";
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

const md5OfHello = "5d41402abc4b2a76b9719d911017c592";
const head = (path: string, token?: string) => cloud.request("HEAD", path, token === undefined ? {} : { token });

describe("objects", () => {
  it("are kept with type, ETag and metadata", async () => {
    const headers = { "content-type": "text/x-greeting", "x-object-meta-colour": "red", etag: md5OfHello };
    const put = await cloud.put(`${account}/c/hello`, "hello", { headers });
    expect(put.status).toBe(201);
    expect(put.headers.get("etag")).toBe(md5OfHello);
    const got = await cloud.get(`${account}/c/hello`);
    expect(got.text).toBe("hello");
    expect(Object.fromEntries(got.headers)).toMatchObject({
      "content-type": "text/x-greeting",
      "content-length": "5",
      etag: md5OfHello,
      "x-object-meta-colour": "red",
      "x-timestamp": expect.stringMatching(/^\d{10}\.\d{5}$/),
      "last-modified": expect.stringMatching(/GMT$/),
    });
    const headed = await head(`${account}/c/hello`);
    expect(headed.status).toBe(200);
    expect(headed.headers.get("content-length")).toBe("5");
  });

  it("refuse a content that is not what its ETag says, and leave nothing of it", async () => {
    const answer = await cloud.put(`${account}/c/torn`, "hell", { headers: { etag: md5OfHello } });
    expect(answer.status).toBe(422);
    expect((await cloud.get(`${account}/c/torn`)).status).toBe(404);
    expect(await readdir(join(cloud.stateDir, "objects"))).toHaveLength(1);
  });

  it("answer 304 for a known ETag, quoted or not", async () => {
    for (const etag of [md5OfHello, `"${md5OfHello}"`, `"x", "${md5OfHello}"`, "*"]) {
      const answer = await cloud.get(`${account}/c/hello`, { headers: { "if-none-match": etag } });
      expect(answer.status).toBe(304);
      expect(answer.text).toBe("");
    }
    expect((await cloud.get(`${account}/c/hello`, { headers: { "if-none-match": "other" } })).status).toBe(200);
  });

  it.each([
    ["bytes=1-3", 206, "ell", "bytes 1-3/5"],
    ["bytes=3-", 206, "lo", "bytes 3-4/5"],
    ["bytes=-2", 206, "lo", "bytes 3-4/5"],
    ["bytes=0-99", 206, "hello", "bytes 0-4/5"],
    ["bytes=5-", 416, "", "bytes */5"],
    ["bytes=0-1,3-4", 200, "hello", null],
    ["lines=1", 200, "hello", null],
  ])("range %s", async (range, status, text, contentRange) => {
    const answer = await cloud.get(`${account}/c/hello`, { headers: { range } });
    expect(answer.status).toBe(status);
    expect(answer.text).toBe(text);
    expect(answer.headers.get("content-range")).toBe(contentRange);
  });

  it("are replaced, copied, described anew, and deleted with their content", async () => {
    await cloud.put(`${account}/c/a%20b/%C3%A9`, "one");
    await cloud.put(`${account}/c/a%20b/%C3%A9`, "two");
    expect((await cloud.get(`${account}/c/a%20b/%C3%A9`)).text).toBe("two");
    const copied = await cloud.put(`${account}/c/copy`, undefined, { headers: { "x-copy-from": "c/a%20b/%C3%A9" } });
    expect(copied.status).toBe(201);
    expect((await cloud.get(`${account}/c/copy`)).text).toBe("two");
    await cloud.request("POST", `${account}/c/copy`, { headers: { "x-object-meta-k": "v" } });
    expect((await head(`${account}/c/copy`)).headers.get("x-object-meta-k")).toBe("v");
    expect(await readdir(join(cloud.stateDir, "objects"))).toHaveLength(3);
    for (const name of ["copy", "a%20b/%C3%A9"]) expect((await cloud.delete(`${account}/c/${name}`)).status).toBe(204);
    expect(await readdir(join(cloud.stateDir, "objects"))).toHaveLength(1);
    expect((await cloud.delete(`${account}/c/copy`)).status).toBe(404);
  });

  it("an empty one is an object too", async () => {
    await cloud.put(`${account}/c/empty`, "");
    const got = await cloud.get(`${account}/c/empty`);
    expect([got.status, got.text, got.headers.get("content-length")]).toEqual([200, "", "0"]);
    await cloud.delete(`${account}/c/empty`);
  });
});

describe("containers", () => {
  it("have no slash in their names", async () => {
    expect((await cloud.put(`${account}/a%2Fb`)).status).toBe(400);
  });

  it("list names by prefix, delimiter, marker and limit, as lines or JSON", async () => {
    await cloud.put(`${account}/l`);
    for (const name of ["a", "d/1", "d/2", "e"]) await cloud.put(`${account}/l/${name}`, name);
    const lines = async (query: string) => (await cloud.get(`${account}/l?${query}`)).text.trim().split("\n");
    expect(await lines("")).toEqual(["a", "d/1", "d/2", "e"]);
    expect(await lines("delimiter=/")).toEqual(["a", "d/", "e"]);
    expect(await lines("prefix=d/&delimiter=/")).toEqual(["d/1", "d/2"]);
    expect(await lines("marker=d/1&limit=1")).toEqual(["d/2"]);
    const { body } = await cloud.get(`${account}/l?format=json&limit=1`);
    expect(body).toEqual([
      {
        name: "a",
        bytes: 1,
        hash: "0cc175b9c0f1b6a831c399e269772661",
        content_type: expect.any(String),
        last_modified: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{15}$/),
      },
    ]);
    const described = await head(`${account}/l`);
    expect([described.status, described.headers.get("x-container-object-count")]).toEqual([204, "4"]);
    expect((await cloud.delete(`${account}/l`)).status).toBe(409);
    expect((await cloud.get(account)).text).toBe("c\nl\n");
  });

  it("say whether they are new", async () => {
    expect((await cloud.put(`${account}/twice`)).status).toBe(201);
    expect((await cloud.put(`${account}/twice`)).status).toBe(202);
    expect((await cloud.delete(`${account}/twice`)).status).toBe(204);
    expect((await cloud.delete(`${account}/twice`)).status).toBe(404);
    expect((await cloud.put(`${account}/none/object`, "x")).status).toBe(404);
  });
});

describe("who may read", () => {
  it("nobody but the owner, until the container says everyone", async () => {
    await cloud.put(`${account}/p`);
    await cloud.put(`${account}/p/o`, "secret");
    const anonymous = (path: string) => cloud.get(path, { token: "" });
    expect((await anonymous(`${account}/p/o`)).status).toBe(401);
    expect((await anonymous(`${account}/p/not-there`)).status).toBe(401);
    expect((await cloud.get(`${account}/p/o`, { token: "wrong" })).status).toBe(401);
    await cloud.request("POST", `${account}/p`, { headers: { "x-container-read": ".r:*" } });
    expect((await anonymous(`${account}/p/o`)).text).toBe("secret");
    expect((await anonymous(`${account}/p`)).status).toBe(401);
    await cloud.request("POST", `${account}/p`, { headers: { "x-container-read": ".r:*,.rlistings" } });
    expect((await anonymous(`${account}/p`)).text).toBe("o\n");
    expect((await cloud.put(`${account}/p/o`, "x", { token: "" })).status).toBe(401);
    await cloud.request("POST", `${account}/p`, { headers: { "x-container-read": "" } });
    expect((await anonymous(`${account}/p/o`)).status).toBe(401);
  });
});

it("a start sweeps what an interrupted upload left", async () => {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(join(cloud.stateDir, "objects", "orphan.part"), "x");
  await cloud.restart();
  expect(await readdir(join(cloud.stateDir, "objects"))).not.toContain("orphan.part");
  expect((await cloud.get(`${account}/c/hello`)).text).toBe("hello");
});
