import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawAnswer } from "./object-callers.ts";
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

  const unsatisfiable =
    "<html><h1>Requested Range Not Satisfiable</h1><p>The Range requested is not available.</p></html>";
  it.each([
    ["bytes=1-3", 206, "ell", "bytes 1-3/5"],
    ["bytes=3-", 206, "lo", "bytes 3-4/5"],
    ["bytes=-2", 206, "lo", "bytes 3-4/5"],
    ["bytes=0-99", 206, "hello", "bytes 0-4/5"],
    ["bytes=5-", 416, unsatisfiable, "bytes */5"],
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

describe("paths", () => {
  it("may end in a slash, which names no object and no container", async () => {
    await cloud.put(`${account}/slashed/`);
    expect((await cloud.request("HEAD", `${account}/slashed`)).status).toBe(204);
    await cloud.put(`${account}/slashed/folder/`, "x");
    expect((await cloud.get(`${account}/slashed/?prefix=f`)).text).toBe("folder/\n");
    expect((await cloud.get(`${account}/slashed/folder`)).status).toBe(404);
    expect((await cloud.get(`${account}/?prefix=slashed`)).text).toBe("slashed\n");
    await cloud.delete(`${account}/slashed/folder/`);
    expect((await cloud.delete(`${account}/slashed/`)).status).toBe(204);
    expect((await cloud.get(`${account}//name`)).status).toBe(412);
  });
});

it("a HEAD has the type of the listing that it stands for", async () => {
  await cloud.put(`${account}/typed`);
  const typeOf = async (target: string, accept: string) =>
    (await cloud.request("HEAD", target, { headers: { accept } })).headers.get("content-type");
  for (const target of [account, `${account}/typed`]) {
    expect(await typeOf(target, "application/json")).toBe("application/json; charset=utf-8");
    expect(await typeOf(target, "*/*")).toBe("text/plain; charset=utf-8");
    expect(await typeOf(`${target}?format=xml`, "*/*")).toBe("application/xml; charset=utf-8");
  }
});

describe("figures", () => {
  const figures = async (path: string, kind: string) => {
    const { headers } = await cloud.request("HEAD", `${account}${path}`);
    return [headers.get(`x-${kind}-object-count`), headers.get(`x-${kind}-bytes-used`)].map(Number);
  };

  it("follow what is put, replaced, refused and deleted", async () => {
    const [objects = 0, bytes = 0] = await figures("", "account");
    await cloud.put(`${account}/counted`);
    expect(await figures("/counted", "container")).toEqual([0, 0]);
    await cloud.put(`${account}/counted/a`, "123");
    await cloud.put(`${account}/counted/b`, "4");
    await cloud.put(`${account}/counted/a`, "12345");
    await cloud.put(`${account}/counted/c`, "x", { headers: { etag: "0".repeat(32) } });
    expect(await figures("/counted", "container")).toEqual([2, 6]);
    expect(await figures("", "account")).toEqual([objects + 2, bytes + 6]);
    await cloud.delete(`${account}/counted/a`);
    await cloud.restart();
    await cloud.logIn();
    expect(await figures("/counted", "container")).toEqual([1, 1]);
    await cloud.delete(`${account}/counted/b`);
    expect((await cloud.delete(`${account}/counted`)).status).toBe(204);
    expect(await figures("", "account")).toEqual([objects, bytes]);
  });
});

it("pages of users have an origin of their own in a browser, which other clients are not told of", async () => {
  await cloud.put(`${account}/c/page`, "<script>1</script>", { headers: { "content-type": "text/html" } });
  const policy = async (headers: Record<string, string>) =>
    (await rawAnswer(cloud, "GET", `${account}/c/page`, { headers })).headers["content-security-policy"];
  const browsers: Record<string, string>[] = [
    { accept: "text/html,*/*;q=0.8" },
    { accept: "*/*", "sec-fetch-dest": "embed" },
  ];
  for (const headers of browsers) {
    const words = String(await policy(headers)).split(" ");
    expect(words).toEqual(expect.arrayContaining(["sandbox", "allow-scripts"]));
    expect(words).not.toContain("allow-same-origin");
  }
  expect(await policy({ accept: "*/*" })).toBeUndefined();
  await cloud.delete(`${account}/c/page`);
});

describe("several parts of an object", () => {
  const parts = (range: string) => cloud.get(`${account}/c/ranged`, { headers: { range: `bytes=${range}` } });

  it("come in one answer, but for those that are not there", async () => {
    await cloud.put(`${account}/c/ranged`, "0123456789", { headers: { "content-type": "text/plain" } });
    const answer = await parts("0-1, 4-5,-2,20-");
    const [, boundary = ""] =
      /^multipart\/byteranges;boundary=(\w{32})$/.exec(answer.headers.get("content-type") ?? "") ?? [];
    const part = (range: string, text: string) =>
      `--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes ${range}/10\r\n\r\n${text}\r\n`;
    expect([answer.status, answer.text]).toEqual([
      206,
      `${part("0-1", "01")}${part("4-5", "45")}${part("8-9", "89")}--${boundary}--`,
    ]);
    expect(answer.headers.get("content-length")).toBe(String(answer.text.length));
    const one = await parts("20-,3-3");
    expect([one.status, one.text, one.headers.get("content-range")]).toEqual([206, "3", "bytes 3-3/10"]);
  });

  it("are refused where they are too many, and read as the whole where they are malformed", async () => {
    const times = (count: number, range: string) => Array(count).fill(range).join(",");
    expect((await parts(times(50, "0-0"))).status).toBe(206);
    expect((await parts(times(51, "0-0"))).status).toBe(416);
    expect((await parts("0-4,1-5,2-6")).status).toBe(416);
    expect((await parts("9-9,8-8,7-7,6-6,5-5,4-4,3-3")).status).toBe(206);
    expect((await parts("9-9,8-8,7-7,6-6,5-5,4-4,3-3,2-2")).status).toBe(416);
    for (const range of ["0-1,2", "0-1,-", "3-2", "a-b"]) expect((await parts(range)).text).toBe("0123456789");
    await cloud.delete(`${account}/c/ranged`);
  });
});

it("a start sweeps what an interrupted upload left", async () => {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(join(cloud.stateDir, "objects", "orphan.part"), "x");
  await cloud.restart();
  expect(await readdir(join(cloud.stateDir, "objects"))).not.toContain("orphan.part");
  expect((await cloud.get(`${account}/c/hello`)).text).toBe("hello");
});
