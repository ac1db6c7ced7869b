import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ArmedFaults } from "../../../src/cloud/faults/armed.ts";
import { keyOf } from "../../../src/cloud/faults/fault.ts";
import { ledger } from "../../../src/cloud/faults/ledger.ts";
import { backupOf, migrate } from "../../../src/cloud/store/migrate.ts";
import { migrations } from "../../../src/cloud/store/migrations.ts";
import { stateFiles } from "../../../src/cloud/store/state.ts";
import { Store } from "../../../src/cloud/store/store.ts";
import { TestCloud } from "../support.ts";
import { layOut, shown } from "./laid-out.ts";

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "slipway-state-"));
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const layoutOf = (path: string) => {
  const db = new DatabaseSync(path);
  const layout = Number(db.prepare("PRAGMA user_version").get()?.user_version);
  db.close();
  return layout;
};

/** Nova and the router hold their ports by what the ports' records say, which older ones did not. */
async function isPluggedInStill(cloud: TestCloud): Promise<void> {
  const { ports } = (await cloud.get("/network/v2.0/ports")).body;
  for (const { id, device_id: device, device_owner: owner } of ports) {
    if (owner === "compute:nova") {
      expect((await cloud.get(`/compute/v2.1/servers/${device}/os-interface/${id}`)).status).toBe(200);
    } else {
      const refused = (await cloud.delete(`/network/v2.0/routers/${device}`)).body.NeutronError;
      expect(refused.message).toBe(`Router ${device} has ports still attached: ${id}`);
    }
  }
  expect(ports.length).toBeGreaterThan(1);
}

/** What is counted as it changes was not counted before. */
async function isCounted(cloud: TestCloud): Promise<void> {
  const papers = await cloud.get(`/object-store/v1/AUTH_${cloud.projectId}/papers?format=json`);
  const bytes = papers.body.map((object: { bytes: number }) => object.bytes);
  expect(bytes.length).toBeGreaterThan(0);
  expect(papers.headers.get("x-container-object-count")).toBe(String(bytes.length));
  expect(Number(papers.headers.get("x-container-bytes-used"))).toBe(
    bytes.reduce((sum: number, size: number) => sum + size, 0),
  );
}

describe("a state of an earlier version", () => {
  const kept = readdirSync(import.meta.dirname).filter((name) => name.startsWith("layout-"));

  it.each(kept)("%s is served as it was, and goes on", async (name) => {
    const folder = join(import.meta.dirname, name);
    await layOut(folder, stateDir);
    const { database } = stateFiles(stateDir);
    const before = layoutOf(database);
    const cloud = await TestCloud.start({ stateDir });
    try {
      expect(await shown(cloud)).toEqual(JSON.parse(await readFile(join(folder, "shown.json"), "utf8")));
      await isPluggedInStill(cloud);
      expect((await cloud.get("/network/v2.0/networks?router:external=true")).body.networks).toHaveLength(1);
      await isCounted(cloud);
      const { servers } = (await cloud.get("/compute/v2.1/servers?name=stopped")).body;
      await cloud.post(`/compute/v2.1/servers/${servers[0].id}/action`, { "os-start": null });
      await cloud.cloud.idle();
      expect(await cloud.server(servers[0].id)).toMatchObject({ status: "ACTIVE" });
    } finally {
      await cloud.remove();
    }
    expect(before).toBeLessThanOrEqual(migrations.length);
  });

  it("is kept beside, as it was", async () => {
    await layOut(join(import.meta.dirname, "layout-0"), stateDir);
    const { database } = stateFiles(stateDir);
    const rows = (path: string) => {
      const db = new DatabaseSync(path);
      const found = db.prepare("SELECT * FROM records ORDER BY seq").all();
      db.close();
      return found;
    };
    const before = rows(database);
    const names = (path: string) =>
      rows(path).flatMap(({ seq, kind, id }) => (String(kind).endsWith("-figures") ? [] : [{ seq, kind, id }]));
    new Store(database).close();
    expect(layoutOf(database)).toBe(migrations.length);
    expect(layoutOf(backupOf(database, 1))).toBe(0);
    expect(rows(backupOf(database, 1))).toEqual(before);
    // what later layouts tell by records of their own comes after
    expect(names(database).slice(0, before.length)).toEqual(before.map(({ seq, kind, id }) => ({ seq, kind, id })));
  });
});

describe("a fault that was armed by an earlier version", () => {
  const armed = (seed: string | null, more: object = {}) => {
    const database = join(stateDir, `${seed}.sqlite`);
    const db = new DatabaseSync(database);
    migrate(db, database, migrations.slice(0, 3));
    const [fault] = ledger;
    if (fault === undefined) throw new Error("there are no faults");
    const record = { id: keyOf(fault), times: null, seed, delayMs: 0, met: 0, struck: 0, firings: [], ...more };
    const insert = "INSERT INTO records (kind, id, body) VALUES ('fault', ?, ?)";
    db.prepare(insert).run(record.id, JSON.stringify(record));
    db.close();
    const store = new Store(database);
    const found = new ArmedFaults(store).find(fault);
    store.close();
    return found;
  };

  it("strikes as it did", () => {
    expect(armed(null)).toMatchObject({ probability: 1, target: null, only: null });
    expect(armed("seed")).toMatchObject({ probability: 0.5, target: null, only: null });
    expect(armed("own", { probability: 0.1, target: "web", only: [3] })).toMatchObject({
      ...{ probability: 0.1, target: "web", only: [3] },
    });
  });
});

describe("a state's layout", () => {
  it("is the last one from the start, with nothing kept beside", () => {
    const { database } = stateFiles(stateDir);
    new Store(database).close();
    expect(layoutOf(database)).toBe(migrations.length);
    expect(readdirSync(stateDir)).toEqual(["cloud.sqlite"]);
  });

  it("of a newer version is refused and left alone", () => {
    const { database } = stateFiles(stateDir);
    const db = new DatabaseSync(database);
    db.exec(`PRAGMA user_version = ${migrations.length + 1}; CREATE TABLE newer (a)`);
    db.close();
    expect(() => new Store(database)).toThrow(
      expect.objectContaining({ code: "E_UNSUPPORTED", message: expect.stringContaining("newer Slipway") }),
    );
    expect(layoutOf(database)).toBe(migrations.length + 1);
    expect(readdirSync(stateDir)).toEqual(["cloud.sqlite"]);
  });

  it("stays where a step fails, and goes on from there", () => {
    const path = join(stateDir, "state.sqlite");
    const one = { what: "one", up: (db: DatabaseSync) => db.exec("CREATE TABLE one (a); INSERT INTO one VALUES (1)") };
    const two = { what: "two", up: (db: DatabaseSync) => db.exec("ALTER TABLE one ADD COLUMN b DEFAULT 2") };
    const bad = {
      what: "bad",
      up: (db: DatabaseSync) => {
        two.up(db);
        throw new Error("half of it");
      },
    };
    const db = new DatabaseSync(path);
    migrate(db, path, [one]);
    expect(existsSync(backupOf(path, 1))).toBe(false);
    expect(() => migrate(db, path, [one, bad])).toThrow("half of it");
    expect({ ...db.prepare("SELECT * FROM one").get() }).toEqual({ a: 1 });
    migrate(db, path, [one, two]);
    expect({ ...db.prepare("SELECT * FROM one").get() }).toEqual({ a: 1, b: 2 });
    expect(existsSync(backupOf(path, 2))).toBe(true);
    db.close();
    expect(layoutOf(path)).toBe(2);
  });
});
