import { createHash, createHmac } from "node:crypto";
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

const md5 = (text: string) => createHash("md5").update(text).digest("hex");
const head = (path: string) => cloud.request("HEAD", path);

describe("static large objects", () => {
  const put = (name: string, segments: unknown) =>
    cloud.put(`${account}/c/${name}?multipart-manifest=put`, JSON.stringify(segments));

  it("are checked when they are made, and read as one, also in part and in parts of parts", async () => {
    for (const [name, text] of Object.entries({ one: "0123", two: "456789" }))
      await cloud.put(`${account}/c/s/${name}`, text);
    const segments = [
      { path: "/c/s/one", etag: md5("0123"), size_bytes: 4 },
      { path: "c/s/two", range: "0-2" },
      { data: Buffer.from("!").toString("base64") },
    ];
    const made = await put("large", segments);
    const etag = md5(`${md5("0123")}${md5("456789")}:0-2;${md5("!")}`);
    expect([made.status, made.headers.get("etag")]).toEqual([201, `"${etag}"`]);
    const got = await cloud.get(`${account}/c/large`);
    expect([got.text, got.headers.get("etag"), got.headers.get("x-static-large-object")]).toEqual([
      "0123456!",
      `"${etag}"`,
      "True",
    ]);
    const part = await cloud.get(`${account}/c/large`, { headers: { range: "bytes=3-5" } });
    expect([part.status, part.text, part.headers.get("content-range")]).toEqual([206, "345", "bytes 3-5/8"]);
    const manifest = await cloud.get(`${account}/c/large?multipart-manifest=get`);
    expect(manifest.body).toMatchObject([
      { name: "/c/s/one", bytes: 4, hash: md5("0123") },
      { name: "/c/s/two", bytes: 6, range: "0-2" },
      { data: "IQ==" },
    ]);
    expect((await head(`${account}/c/large`)).headers.get("x-manifest-etag")).toBe(md5(manifest.text));
    const listed = (await cloud.get(`${account}/c?format=json&prefix=large`)).body;
    expect(listed).toMatchObject([{ bytes: 8, slo_etag: `"${etag}"`, hash: md5(manifest.text) }]);
    expect((await put("outer", [{ path: "/c/large" }, { path: "/c/s/one" }])).status).toBe(201);
    expect((await cloud.get(`${account}/c/outer`)).text).toBe("0123456!0123");

    await cloud.put(`${account}/c/copy`, undefined, { headers: { "x-copy-from": "c/large" } });
    expect((await cloud.get(`${account}/c/copy`)).text).toBe("0123456!");
    expect((await head(`${account}/c/copy`)).headers.get("x-static-large-object")).toBeNull();
    await cloud.put(`${account}/c/s/one`, "changed");
    expect((await cloud.get(`${account}/c/large`)).status).toBe(409);
    await cloud.put(`${account}/c/s/one`, "0123");
    const deleted = await cloud.delete(`${account}/c/outer?multipart-manifest=delete`, {
      headers: { accept: "application/json" },
    });
    expect(deleted.body).toMatchObject({ "Response Status": "200 OK", Errors: [] });
    expect(deleted.body["Number Deleted"] + deleted.body["Number Not Found"]).toBe(5);
    expect((await cloud.get(`${account}/c?format=json`)).body.map(({ name }: { name: string }) => name)).toEqual([
      "copy",
    ]);
  });

  it("are refused with all that is wrong, in Swift's words", async () => {
    await cloud.put(`${account}/c/s`, "0123");
    const refusals: [unknown, string][] = [
      [{}, "Manifest must be a list.\n"],
      [
        [5, { foo: 1 }, { path: "c/s", size: 1 }, { path: "x" }, { path: "c/s", range: "x" }, { data: "?" }],
        [
          "Index 0: not a JSON object",
          "Index 1: expected keys to include one of b'path' or b'data'",
          'Index 2: extraneous keys "size"',
          "Index 3: path does not refer to an object. Path must be of the form /container/object.",
          "Index 4: invalid range",
          "Index 5: data must be valid base64\n",
        ].join("\n"),
      ],
      [[{ path: "c/bad" }], "Index 0: manifest must not include itself as a segment\n"],
      [[{ data: "IQ==" }], "Inline data segments require at least one object-backed segment.\n"],
      [
        [{ path: "c/none" }, { path: "c/s", etag: "x", size_bytes: 9 }],
        "c/none, 404 Not Found\nc/s, Size Mismatch\nc/s, Etag Mismatch\n",
      ],
    ];
    for (const [segments, words] of refusals) {
      const answer = await put("bad", segments);
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(words)]);
    }
    const text = await cloud.put(`${account}/c/bad?multipart-manifest=put`, "{");
    expect([text.status, text.text]).toEqual([400, "Manifest must be valid JSON.\n"]);
    const reserved = await cloud.put(`${account}/c/bad`, "x", { headers: { "x-static-large-object": "true" } });
    expect([reserved.status, reserved.text]).toEqual([400, expect.stringContaining("is a reserved header")]);
  });
});

describe("what else Swift does with objects", () => {
  it("dynamic large objects in part; copies by COPY", async () => {
    for (const [name, text] of Object.entries({ 1: "hel", 2: "lo" }))
      await cloud.put(`${account}/c/part/${name}`, text);
    await cloud.put(`${account}/c/whole`, "", { headers: { "x-object-manifest": "c/part/" } });
    const part = await cloud.get(`${account}/c/whole`, { headers: { range: "bytes=2-3" } });
    expect([part.status, part.text]).toEqual([206, "ll"]);
    expect((await cloud.get(`${account}/c/whole?multipart-manifest=get`)).text).toBe("");
    await cloud.post(`${account}/c/part/1`, "", { headers: { "x-object-meta-a": "b" } });
    const headers = { destination: "/c/copied", "x-object-meta-c": "d" };
    const copied = await cloud.request("COPY", `${account}/c/part/1`, { headers });
    expect([copied.status, copied.headers.get("x-copied-from")]).toEqual([201, "c/part/1"]);
    const { headers: told } = await head(`${account}/c/copied`);
    expect([told.get("x-object-meta-a"), told.get("x-object-meta-c")]).toEqual(["b", "d"]);
    expect((await cloud.request("COPY", `${account}/c/part/1`, { headers: { destination: "x" } })).status).toBe(412);
  });

  it("conditions", async () => {
    await cloud.put(`${account}/c/o`, "hello");
    const etag = md5("hello");
    const ask = async (headers: Record<string, string>) => (await cloud.get(`${account}/c/o`, { headers })).status;
    expect([await ask({ "if-match": etag }), await ask({ "if-match": '"x"' })]).toEqual([200, 412]);
    expect([await ask({ "if-none-match": `"${etag}"` }), await ask({ "if-none-match": "x" })]).toEqual([304, 200]);
    const [past, future] = ["Thu, 01 Jan 2004 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"];
    expect([await ask({ "if-modified-since": past }), await ask({ "if-modified-since": future })]).toEqual([200, 304]);
    expect([await ask({ "if-unmodified-since": past }), await ask({ "if-unmodified-since": future })]).toEqual([
      412, 200,
    ]);
    expect(await ask({ range: "bytes=0-1", "if-range": "x" })).toBe(200);
    expect(await ask({ range: "bytes=0-1", "if-range": `"${etag}"` })).toBe(206);
  });

  it("listings backwards, by path, in XML", async () => {
    await cloud.put(`${account}/l`);
    for (const name of ["a", "b/1", "b/2/x", "c&d"]) await cloud.put(`${account}/l/${encodeURIComponent(name)}`, "x");
    const list = async (query: string) => (await cloud.get(`${account}/l?${query}`)).text.split("\n").slice(0, -1);
    expect(await list("reverse=true")).toEqual(["c&d", "b/2/x", "b/1", "a"]);
    expect(await list("reverse=true&marker=b/2/x&end_marker=a")).toEqual(["b/1"]);
    expect(await list("delimiter=/&reverse=on")).toEqual(["c&d", "b/", "a"]);
    expect(await list("path=b")).toEqual(["b/1"]);
    expect(await list("path=")).toEqual(["a", "c&d"]);
    expect(await list("delimiter=/&marker=a&limit=1")).toEqual(["b/"]);
    expect((await cloud.get(`${account}/l?limit=10001`)).status).toBe(412);
    const xml = await cloud.get(`${account}/l?format=xml&delimiter=/`);
    expect(xml.headers.get("content-type")).toBe("application/xml; charset=utf-8");
    expect(xml.text).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<container name="l"><object><name>a<\/name><hash>/,
    );
    expect(xml.text).toContain('<subdir name="b/"><name>b/</name></subdir>');
    expect(xml.text).toContain("<name>c&amp;d</name>");
    expect((await cloud.get(account, { headers: { accept: "application/xml" } })).text).toContain(
      "<container><name>l</name>",
    );
  });

  it("bulk deletes, objects before containers", async () => {
    await cloud.put(`${account}/d`);
    for (const name of ["x", "y"]) await cloud.put(`${account}/d/${name}`, "x");
    const bulk = (body: string, accept = "application/json") =>
      cloud.post(`${account}?bulk-delete`, body, { headers: { accept, "content-type": "text/plain" } });
    expect((await bulk("/d\n/d/x\nd/y\n/d/none\n")).body).toEqual({
      ...{ "Number Deleted": 3, "Number Not Found": 1, "Response Body": "", "Response Status": "200 OK", Errors: [] },
    });
    const refused = await bulk("/c\n", "text/plain");
    expect([refused.status, refused.text]).toEqual([
      200,
      "Number Deleted: 0\nNumber Not Found: 0\nResponse Body: \nResponse Status: 400 Bad Request\nErrors:\n/c, 409 Conflict\n",
    ]);
    expect((await bulk("")).body).toMatchObject({ "Response Body": "Invalid bulk delete." });
  });

  it("quotas of containers and accounts", async () => {
    const limits = { "x-container-meta-quota-bytes": "5", "x-container-meta-quota-count": "2" };
    await cloud.put(`${account}/q`, undefined, { headers: limits });
    expect((await cloud.put(`${account}/q/a`, "123456")).status).toBe(413);
    for (const name of ["a", "b"]) expect((await cloud.put(`${account}/q/${name}`, "1")).status).toBe(201);
    const third = await cloud.put(`${account}/q/c`, "1");
    expect([third.status, third.text]).toEqual([413, "Upload exceeds quota."]);
    expect(
      (await cloud.put(`${account}/q`, undefined, { headers: { "x-container-meta-quota-bytes": "x" } })).text,
    ).toBe("Invalid bytes quota.");
    const quota = { headers: { "x-account-meta-quota-bytes": "1" } };
    expect((await cloud.post(account, "", quota)).status).toBe(403);
    const admin = { ...quota, token: await cloud.adminToken() };
    expect((await cloud.post(account, "", admin)).status).toBe(204);
    expect((await cloud.put(`${account}/c/more`, "1")).status).toBe(413);
    const removed = { ...admin, headers: { "x-remove-account-meta-quota-bytes": "x" } };
    expect((await cloud.post(account, "", removed)).status).toBe(204);
    expect((await cloud.put(`${account}/c/more`, "1")).status).toBe(201);
  });

  it("temporary addresses for all names that begin so, and for where one comes from", async () => {
    await cloud.post(`${account}/c`, "", { headers: { "x-container-meta-temp-url-key": "k" } });
    await cloud.put(`${account}/c/pre/fix`, "hello");
    const expires = Math.floor(Date.now() / 1000) + 60;
    const path = `/v1/AUTH_${cloud.projectId}/c`;
    const sign = (text: string) => createHmac("sha256", "k").update(text).digest("hex");
    const ask = (object: string, signature: string, more: string, method = "GET") =>
      cloud.request(method, `${account}/c/${object}?temp_url_sig=${signature}&temp_url_expires=${expires}${more}`, {
        token: "",
      });
    const prefix = sign(`GET\n${expires}\nprefix:${path}/pre/`);
    const got = await ask("pre/fix", prefix, "&temp_url_prefix=pre/");
    expect([got.text, got.headers.get("content-disposition")]).toEqual([
      "hello",
      `attachment; filename="fix"; filename*=UTF-8''fix`,
    ]);
    expect((await ask("pre/fix", prefix, "&temp_url_prefix=pre/&inline")).headers.get("content-disposition")).toBe(
      "inline",
    );
    expect((await ask("other", prefix, "&temp_url_prefix=pre/")).status).toBe(401);
    for (const [range, status] of [
      ["127.0.0.0/8", 200],
      ["10.0.0.0/8", 401],
      ["x", 401],
    ] as const) {
      const signature = sign(`ip=${range}\nGET\n${expires}\n${path}/pre/fix`);
      expect((await ask("pre/fix", signature, `&temp_url_ip_range=${encodeURIComponent(range)}`)).status).toBe(status);
    }
    const upload = sign(`PUT\n${expires}\n${path}/up`);
    const pointer = await cloud.request("PUT", `${account}/c/up?temp_url_sig=${upload}&temp_url_expires=${expires}`, {
      ...{ token: "", headers: { "x-object-manifest": "c/pre" } },
    });
    expect([pointer.status, pointer.text]).toEqual([
      400,
      "The header 'X-Object-Manifest' is not allowed in this tempurl",
    ]);
    expect((await cloud.get("/object-store/info", { token: "" })).body).toMatchObject({
      slo: { max_manifest_segments: 1000 },
    });
  });
});
