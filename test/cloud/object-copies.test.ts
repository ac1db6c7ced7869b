import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, callerWith, rawAnswer } from "./object-callers.ts";
import { TestCloud } from "./support.ts";

// Copies between accounts, versions, and metadata within its bounds.

let cloud: TestCloud;
let account: string;
let theirs: string;
let stranger: Caller;
beforeAll(async () => {
  cloud = await TestCloud.start();
  account = `/object-store/v1/AUTH_${cloud.projectId}`;
  stranger = await callerWith(cloud, "stranger", "member");
  theirs = `/object-store/v1/AUTH_${stranger.projectId}`;
  const readable = { "x-container-read": `${cloud.projectId}:*` };
  const writable = { "x-container-write": `${cloud.projectId}:*` };
  await cloud.put(`${account}/c`);
  await cloud.put(`${account}/c/o`, "mine", { headers: { "x-object-meta-a": "b", "x-delete-after": "1000" } });
  for (const [name, headers] of Object.entries({ closed: {}, readable, writable })) {
    await cloud.put(`${theirs}/${name}`, undefined, { headers, token: stranger.token });
    await cloud.put(`${theirs}/${name}/o`, "theirs", { token: stranger.token });
  }
});
afterAll(() => cloud.remove());

const there = (path: string) => cloud.get(`${theirs}/${path}`, { token: stranger.token });

describe("copies", () => {
  const copy = (path: string, headers: Record<string, string>, query = "") =>
    cloud.request("COPY", `${account}/${path}${query}`, { headers });

  it("to another account are read here and written there, if both may be", async () => {
    const to = (destination: string) =>
      copy("c/o", { destination, "destination-account": `AUTH_${stranger.projectId}` });
    const done = await to("writable/mine");
    expect([done.status, done.headers.get("x-copied-from-account")]).toEqual([201, `AUTH_${cloud.projectId}`]);
    const { text, headers } = await there("writable/mine");
    expect([text, headers.get("x-object-meta-a")]).toEqual(["mine", "b"]);
    expect(Number(headers.get("x-delete-at"))).toBeGreaterThan(Date.now() / 1000);
    expect([(await to("closed/mine")).status, (await to("none/mine")).status]).toEqual([403, 403]);
    expect((await there("closed/mine")).status).toBe(404);
    expect((await cloud.get(`${account}/writable/mine`)).status).toBe(404);
  });

  it("from another account are read there", async () => {
    const from = (container: string) =>
      cloud.put(`${account}/c/from`, undefined, {
        headers: { "x-copy-from": `/${container}/o`, "x-copy-from-account": `AUTH_${stranger.projectId}` },
      });
    expect([(await from("closed")).status, (await from("writable")).status]).toEqual([403, 403]);
    expect((await from("readable")).status).toBe(201);
    expect((await cloud.get(`${account}/c/from`)).text).toBe("theirs");
  });

  it("of a part, of a manifest, and of names with dots in them", async () => {
    expect((await copy("c/o", { destination: "c/part", range: "bytes=1-2" })).status).toBe(201);
    expect((await cloud.get(`${account}/c/part`)).text).toBe("in");
    await cloud.put(`${account}/c/m?multipart-manifest=put`, JSON.stringify([{ path: "c/o", range: "0-1" }]));
    expect((await copy("c/m", { destination: "c/m2" }, "?multipart-manifest=get")).status).toBe(201);
    const copied = await cloud.get(`${account}/c/m2`);
    expect([copied.text, copied.headers.get("x-static-large-object")]).toEqual(["mi", "True"]);
    await cloud.put(`${account}/c/d`, "", { headers: { "x-object-manifest": "c/o" } });
    expect((await copy("c/d", { destination: "c/d2" }, "?multipart-manifest=get")).status).toBe(201);
    expect((await cloud.get(`${account}/c/d2`)).headers.get("x-object-manifest")).toBe("c/o");
    expect((await copy("c/o", { destination: "c/x/../../c/o2" })).status).toBe(201);
    expect((await cloud.get(`${account}/c/o2`)).status).toBe(404);
    expect((await rawAnswer(cloud, "GET", `${account}/c/x/../../c/o2`)).text).toBe("mine");
  });

  it("are made on the conditions that hold for what is copied", async () => {
    const source = await cloud.get(`${account}/c/o`);
    const etag = source.headers.get("etag") ?? "";
    const [before, after] = ["Thu, 01 Jan 2015 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT"];
    const told = async (headers: Record<string, string>) => {
      const answer = await copy("c/o", { destination: "c/conditional", ...headers });
      return [answer.status, answer.headers.get("etag")];
    };
    expect(await told({ "if-match": "other" })).toEqual([412, etag]);
    expect(await told({ "if-unmodified-since": before })).toEqual([412, etag]);
    expect(await told({ "if-none-match": etag })).toEqual([304, etag]);
    expect(await told({ "if-none-match": "*" })).toEqual([304, etag]);
    expect(await told({ "if-modified-since": after })).toEqual([304, etag]);
    expect((await copy("c/o", { destination: "c/x", "if-none-match": "other" })).text).toBe(
      "If-None-Match only supports *",
    );
    const put = { "x-copy-from": "c/o", "if-match": "other" };
    expect((await cloud.put(`${account}/c/conditional`, undefined, { headers: put })).status).toBe(412);
    expect((await cloud.get(`${account}/c/conditional`)).status).toBe(404);
    expect(await told({ "if-match": etag, "if-unmodified-since": before })).toEqual([201, etag]);
    const ranged = await copy("c/o", { destination: "c/conditional", range: "bytes=0-1", "if-range": "other" });
    expect([ranged.status, ranged.headers.get("etag")]).toEqual([201, etag]);
    await cloud.delete(`${account}/c/conditional`);
  });

  it("to and from nowhere are refused", async () => {
    for (const [headers, words] of [
      [{}, "Destination header required"],
      [{ destination: "c" }, "Destination header must be of the form <container name>/<object name>"],
      [{ destination: "c/%FF" }, "Invalid UTF8 or contains NULL"],
      [{ destination: "c/o", "destination-account": "a/b" }, "Account name cannot contain slashes"],
    ] as [Record<string, string>, string][]) {
      const answer = await copy("c/o", headers);
      expect([answer.status, answer.text]).toEqual([412, words]);
    }
    const filled = await cloud.put(`${account}/c/x`, "body", { headers: { "x-copy-from": "c/o" } });
    expect([filled.status, filled.text]).toEqual([400, "Copy requests require a zero byte body"]);
    expect((await cloud.put(`${account}/c/x`, undefined, { headers: { "x-copy-from": "c/100%" } })).status).toBe(404);
  });
});

describe("versions", () => {
  const at = (name: string, version?: string) =>
    `${account}/v/${name}${version === undefined ? "" : `?version-id=${version}`}`;
  const versionsOf = async (name: string): Promise<string[]> =>
    (await cloud.get(`${account}/v?versions&prefix=${name}`)).body.map(
      (line: { version_id: string }) => line.version_id,
    );
  const keep = (value: string) => cloud.post(`${account}/v`, "", { headers: { "x-versions-enabled": value } });

  it("are not described anew, and not asked for where there are none", async () => {
    await cloud.put(`${account}/v`);
    await cloud.put(at("a"), "zero");
    const asked = await cloud.get(at("a", "1"));
    expect([asked.status, asked.text]).toEqual([
      400,
      "version-aware operations require that the container is versioned",
    ]);
    expect((await cloud.get(at("a", "null"))).text).toBe("zero");
    await keep("true");
    for (const text of ["one", "two"]) await cloud.put(at("a"), text);
    const before = await cloud.get(`${account}/v?versions`);
    for (const version of [...(await versionsOf("a")), "1", "x"]) {
      const posted = await cloud.post(at("a", version), "", { headers: { "x-object-meta-a": "b" } });
      expect([posted.status, posted.text]).toEqual([400, "POST to a specific version is not allowed"]);
    }
    expect((await cloud.get(`${account}/v?versions`)).text).toBe(before.text);
    expect((await cloud.get(at("a"))).text).toBe("two");
    expect((await cloud.get(at("a", "x"))).text).toBe("Invalid version parameter");
  });

  it("become the object again", async () => {
    const [two = "", one = "", zero = ""] = await versionsOf("a");
    for (const [version, text] of [
      [one, "one"],
      [zero, "zero"],
      [two, "two"],
    ] as const) {
      const put = await cloud.put(at("a", version), "");
      expect([put.status, put.headers.get("x-object-version-id")]).toEqual([201, version]);
      expect((await cloud.get(at("a"))).text).toBe(text);
      expect((await versionsOf("a")).toSorted()).toEqual([zero, one, two].toSorted());
    }
    const missing = await cloud.put(at("a", "1234567890.00000"), "");
    expect([missing.status, missing.text]).toEqual([404, "The specified version does not exist"]);
    expect((await cloud.put(at("a", one), "body")).status).toBe(400);
  });

  it("note that an object was deleted that was not there", async () => {
    const deleted = await cloud.delete(at("never"));
    const version = deleted.headers.get("x-object-version-id") ?? "";
    expect([deleted.status, version]).toEqual([404, expect.stringMatching(/^\d+\.\d{5}$/)]);
    const content_type = "application/x-deleted;swift_versions_deleted=1";
    expect((await cloud.get(`${account}/v?versions&prefix=never`)).body).toMatchObject([
      { name: "never", version_id: version, content_type, is_latest: true, bytes: 0 },
    ]);
    expect((await cloud.delete(at("never", "null"))).status).toBe(404);
    expect((await cloud.delete(at("never", version))).status).toBe(204);
    expect(await versionsOf("never")).toEqual([]);
  });

  it("stay while the container keeps no new ones", async () => {
    const before = await versionsOf("a");
    await keep("false");
    await cloud.put(at("a"), "three");
    expect((await versionsOf("a")).toSorted()).toEqual(["null", ...before].toSorted());
    expect((await cloud.get(at("a", before[0]))).status).toBe(200);
    expect((await cloud.delete(at("a"))).headers.has("x-object-version-id")).toBe(false);
    expect((await versionsOf("a")).toSorted()).toEqual(before.toSorted());
    await keep("true");
    await cloud.put(at("a"), "four");
    const [current = ""] = await versionsOf("a");
    const gone = await cloud.delete(at("a", before[0]));
    expect(gone.headers.get("x-object-current-version-id")).toBe(current);
    expect((await cloud.delete(`${account}/v`)).text).toBe("Delete all versions before deleting container.");
    expect((await cloud.get(`${account}/v?versions&limit=1`)).body).toHaveLength(1);
  });
});

describe("metadata", () => {
  it.each([
    [{ [`x-object-meta-${"n".repeat(129)}`]: "v" }, `Metadata name too long: x-object-meta-N${"n".repeat(128)}`],
    [{ "x-object-meta-a": "v".repeat(257) }, "Metadata value longer than 256: x-object-meta-A"],
    [{ "x-object-meta-": "v" }, "Metadata name cannot be empty"],
    [
      Object.fromEntries(Array.from({ length: 91 }, (_none, index) => [`x-object-meta-${index}`, "v"])),
      "Too many metadata items; max 90",
    ],
    [
      Object.fromEntries(Array.from({ length: 20 }, (_none, index) => [`x-object-meta-${index}`, "v".repeat(250)])),
      "Total metadata too large; max 4096",
    ],
    [{ "x-other": "v".repeat(8193) }, "Header value too long: X-Other"],
  ] as [Record<string, string>, string][])("has bounds: %#", async (headers, words) => {
    for (const method of ["PUT", "POST"]) {
      const answer = await cloud.request(method, `${account}/c/o`, { headers, body: "" });
      expect([answer.status, answer.text]).toEqual([400, words]);
    }
    const named = Object.entries(headers).map(([name, value]) => [name.replace("object", "container"), value]);
    const answer = await cloud.post(`${account}/c`, "", { headers: Object.fromEntries(named) });
    expect([answer.status, answer.text]).toEqual([400, words.replace("object", "container")]);
    expect((await cloud.get(`${account}/c/o`)).text).toBe("mine");
  });

  it("has bounds also where it comes bit by bit", async () => {
    const some = (from: number) =>
      Object.fromEntries(Array.from({ length: 50 }, (_none, index) => [`x-account-meta-${from + index}`, "v"]));
    expect((await cloud.post(account, "", { headers: some(0) })).status).toBe(204);
    expect((await cloud.post(account, "", { headers: some(50) })).text).toBe("Too many metadata items; max 90");
  });

  it("in UTF-8 comes back as it went, in no header but its own", async () => {
    const value = Buffer.from("größe\u{1f600}").toString("latin1");
    await rawAnswer(cloud, "PUT", `${account}/c/utf`, { headers: { "x-object-meta-a": value }, body: "x" });
    const { headers } = await rawAnswer(cloud, "HEAD", `${account}/c/utf`);
    expect(headers["x-object-meta-a"]).toBe(value);
    await rawAnswer(cloud, "POST", `${account}/c`, { headers: { "x-container-meta-a": value } });
    expect((await rawAnswer(cloud, "GET", `${account}/c`)).headers["x-container-meta-a"]).toBe(value);
    const odd = await rawAnswer(cloud, "PUT", `${account}/c/${encodeURIComponent("a\r\nx-evil: 1\u{1f600}")}`, {
      body: "x",
    });
    expect(odd.status).toBe(201);
    const from = encodeURIComponent("a\r\nx-evil: 1\u{1f600}");
    const copied = await cloud.put(`${account}/c/odd`, undefined, { headers: { "x-copy-from": `c/${from}` } });
    expect([copied.status, copied.headers.get("x-evil"), copied.headers.get("x-copied-from")]).toEqual([
      201,
      null,
      `c/${from}`,
    ]);
  });
});
