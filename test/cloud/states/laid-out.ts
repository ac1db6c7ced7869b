import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { stateFiles } from "../../../src/cloud/store/state.ts";
import { pathExists } from "../../../src/common/files.ts";
import type { TestCloud } from "../support.ts";

/** A database as text, so that a change of it can be read. */
interface Written {
  layout: number;
  schema: string[];
  records: { seq: number; kind: string; id: string; body: unknown }[];
  settings: { name: string; value: string }[];
}

/** What goes along with the database. */
const contents = ["credentials.json", "objects", "images"];

/** Writes the state of a cloud that does not run to a folder that git can hold. */
export async function writeState(stateDir: string, folder: string): Promise<void> {
  const db = new DatabaseSync(stateFiles(stateDir).database);
  const rows = (sql: string) =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  const written = {
    layout: rows("PRAGMA user_version")[0]?.user_version,
    schema: rows("SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").map(({ sql }) => sql),
    records: rows("SELECT seq, kind, id, body FROM records ORDER BY seq").map((row) => ({
      ...row,
      body: JSON.parse(String(row.body)),
    })),
    settings: rows("SELECT name, value FROM settings ORDER BY name"),
  };
  db.close();
  await mkdir(folder, { recursive: true });
  const moved = JSON.stringify(written, null, 1).replaceAll(stateDir, "STATE");
  await writeFile(join(folder, "database.json"), `${moved}\n`);
  for (const name of contents) await cp(join(stateDir, name), join(folder, name), { recursive: true });
}

/** Makes a state of what {@link writeState} wrote. */
export async function layOut(folder: string, stateDir: string): Promise<void> {
  const text = await readFile(join(folder, "database.json"), "utf8");
  const written = JSON.parse(text.replaceAll("STATE", stateDir)) as Written;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(stateFiles(stateDir).database);
  for (const sql of written.schema) db.exec(sql);
  const record = db.prepare("INSERT INTO records (seq, kind, id, body) VALUES (?, ?, ?, ?)");
  for (const { seq, kind, id, body } of written.records) record.run(seq, kind, id, JSON.stringify(body));
  const setting = db.prepare("INSERT INTO settings VALUES (?, ?)");
  for (const { name, value } of written.settings) setting.run(name, value);
  db.exec(`PRAGMA user_version = ${written.layout}`);
  db.close();
  for (const name of contents) {
    if (await pathExists(join(folder, name))) await cp(join(folder, name), join(stateDir, name), { recursive: true });
  }
}

const pick = (row: Record<string, unknown>, keys: string[]) => Object.fromEntries(keys.map((key) => [key, row[key]]));

/** What a cloud shows of what people have made in it: names, ids, addresses, contents. */
export async function shown(cloud: TestCloud): Promise<Record<string, unknown>> {
  const listed = async (path: string, key: string, keys: string[]) => {
    const { status, text, body } = await cloud.get(path);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    // lists have the order of the version that answers
    const order = (row: unknown) => JSON.stringify(row);
    const rows = (body[key] as Record<string, unknown>[]).map((row) => pick(row, keys));
    return rows.sort((one, other) => order(one).localeCompare(order(other)));
  };
  const objects = `/object-store/v1/AUTH_${cloud.projectId}/papers`;
  return {
    project: cloud.projectId,
    servers: await listed("/compute/v2.1/servers/detail", "servers", ["id", "name", "status", "addresses", "metadata"]),
    keypairs: (await cloud.get("/compute/v2.1/os-keypairs")).body.keypairs,
    networks: await listed("/network/v2.0/networks", "networks", ["id", "name", "mtu", "tags", "router:external"]),
    subnets: await listed("/network/v2.0/subnets", "subnets", ["id", "cidr", "gateway_ip", "allocation_pools"]),
    ports: await listed("/network/v2.0/ports", "ports", ["id", "mac_address", "fixed_ips", "device_id", "status"]),
    routers: await listed("/network/v2.0/routers", "routers", ["id", "name", "external_gateway_info"]),
    floatingips: await listed("/network/v2.0/floatingips", "floatingips", ["floating_ip_address", "port_id", "status"]),
    groups: await listed("/network/v2.0/security-groups", "security_groups", ["id", "name"]),
    volumes: await listed(`/volume/v3/${cloud.projectId}/volumes/detail`, "volumes", ["id", "name", "size", "status"]),
    images: await listed("/image/v2/images", "images", ["id", "name", "status", "size", "checksum", "visibility"]),
    objects: (await cloud.get(`${objects}?format=json`)).body.map((row: Record<string, unknown>) =>
      pick(row, ["name", "bytes", "hash", "content_type"]),
    ),
    content: (await cloud.get(`${objects}/one.txt`)).text,
  };
}
