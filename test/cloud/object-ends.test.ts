import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { TestCloud } from "./support.ts";

// Objects with `X-Delete-At`: what Swift's expirer leaves of them.

const begin = Date.parse("2030-01-01T00:00:00Z");
let cloud: TestCloud;
let account: string;
beforeAll(async () => {
  cloud = await TestCloud.start({ time: { frozenAt: begin } });
  account = `/object-store/v1/AUTH_${cloud.projectId}`;
});
afterAll(() => cloud.remove());

const contents = () => readdir(join(cloud.stateDir, "objects"));
const put = (path: string, text: string, headers: Record<string, string> = {}) =>
  cloud.put(`${account}/${path}`, text, { headers });
const endsIn = (seconds: number) => ({ "x-delete-after": String(seconds) });
const countOf = async (path: string) => {
  const { headers } = await cloud.request("HEAD", `${account}/${path}`);
  return ["count", "used"].map((end) => headers.get(`x-container-${end === "count" ? "object-count" : "bytes-used"}`));
};

describe("an object that has come to its end", () => {
  it("is gone with its content, and a container that held nothing else can be deleted", async () => {
    await cloud.put(`${account}/c`);
    await put("c/first", "1", endsIn(10));
    await put("c/later", "22", endsIn(1000));
    await put("c/sooner", "333", endsIn(5));
    expect(await contents()).toHaveLength(3);
    await cloud.cloud.clock.advance(5_000);
    await expect.poll(contents).toHaveLength(2);
    expect(await countOf("c")).toEqual(["2", "3"]);
    expect((await cloud.delete(`${account}/c`)).status).toBe(409);
    await cloud.cloud.clock.advance(5_000);
    await expect.poll(contents).toHaveLength(1);
    await cloud.post(`${account}/c/later`, "", { headers: endsIn(20) });
    await cloud.cloud.clock.advance(20_000);
    await expect.poll(contents).toEqual([]);
    expect(await countOf("c")).toEqual(["0", "0"]);
    expect((await cloud.delete(`${account}/c`)).status).toBe(204);
  });

  it("ends no later than Swift's times go, which nobody waits for", async () => {
    await cloud.put(`${account}/c`);
    await put("c/late", "1", { "x-delete-at": "999999999999999" });
    expect((await cloud.request("HEAD", `${account}/c/late`)).headers.get("x-delete-at")).toBe("9999999999");
    expect(cloud.cloud.clock.time()).toMatchObject({ next: null, waiting: 0 });
    await cloud.delete(`${account}/c/late`);
    await cloud.delete(`${account}/c`);
  });

  it("has a new end by being put again", async () => {
    await cloud.put(`${account}/c`);
    await put("c/a", "old", endsIn(10));
    await put("c/a", "new");
    await cloud.cloud.clock.advance(11_000);
    expect((await cloud.get(`${account}/c/a`)).text).toBe("new");
    await cloud.delete(`${account}/c/a`);
  });

  it("is removed at the next start where it ended meanwhile", async () => {
    await put("c/a", "x", endsIn(10));
    const [file = ""] = await contents();
    const { now } = cloud.cloud.clock.time();
    await cloud.cloud.close();
    const store = new Store(stateFiles(cloud.stateDir).database);
    store.setSetting("clock", JSON.stringify({ frozenAt: Date.parse(now) + 11_000 }));
    store.close();
    await cloud.restart();
    await cloud.logIn();
    await expect.poll(contents).not.toContain(file);
    expect((await cloud.delete(`${account}/c`)).status).toBe(204);
  });

  it("stays a version where the container keeps them", async () => {
    await cloud.put(`${account}/v`, undefined, { headers: { "x-versions-enabled": "true" } });
    await put("v/a", "one", endsIn(10));
    await cloud.cloud.clock.advance(10_000);
    expect((await cloud.get(`${account}/v/a`)).status).toBe(404);
    const lines = (await cloud.get(`${account}/v?versions`)).body;
    expect(lines).toMatchObject([{ name: "a", bytes: 3, is_latest: false }]);
    const version = `${account}/v/a?version-id=${lines[0].version_id}`;
    expect((await cloud.get(version)).text).toBe("one");
    expect(await countOf("v")).toEqual(["0", "3"]);
    expect((await cloud.delete(version)).status).toBe(204);
    expect(await contents()).toEqual([]);
  });
});
