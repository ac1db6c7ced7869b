import { randomUUID } from "node:crypto";
import { Refusal, type Reply, type Request, type Service } from "./server.ts";

/*
 * Designate's API as far as the provider's DNS kinds use it. Every status, message and field here was answered by Designate 23.0.0
 * itself (its API and central services, statuses moved on by hand): 202 with PENDING, an unknown key, a name without a dot, a zone
 * without an address, a secondary zone without masters and the address that it is given, duplicates, a record outside of its zone; a
 * record set is gone with its DELETE, a zone when that is done. Not from there: how long something stays PENDING, and ERROR.
 * The lives in test/provider/service-lives.test.ts pass with the real service in its place.
 */

type Json = Record<string, unknown>;

const zoneKeys = ["name", "email", "description", "ttl", "type", "masters", "attributes"];
const recordSetKeys = ["name", "type", "records", "description", "ttl"];
const fixedKeys = ["name", "type", "attributes"];

export class Designate implements Service {
  readonly prefix = "/designate/v2";
  /** Set: the next zone or record set that is made ends in ERROR. */
  breakNext = false;
  /** The `X-Auth-Sudo-Tenant-ID` of each request that has one. */
  readonly sudo: string[] = [];
  readonly #zones = new Map<string, Json>();
  readonly #recordSets = new Map<string, Json>();
  readonly #projectId: string;
  readonly #pendingMs: number;

  constructor({ projectId, pendingMs = 60 }: { projectId: string; pendingMs?: number }) {
    this.#projectId = projectId;
    this.#pendingMs = pendingMs;
  }

  answer({ method, path, query, headers, json = {} }: Request): Reply {
    for (const table of [this.#zones, this.#recordSets]) moveOn(table);
    const as = headers["x-auth-sudo-tenant-id"];
    if (typeof as === "string") this.sudo.push(as);
    const projectId = typeof as === "string" ? as : this.#projectId;
    const [first, zoneId, second, id] = path;
    if (first !== "zones") return { status: 404 };
    if (zoneId === undefined)
      return method === "POST" ? this.#createZone(json, projectId) : list("zones", this.#zones, query);
    const zone = this.#zones.get(zoneId);
    if (second === undefined) return this.#onZone(method, zoneId, zone, json);
    if (id === undefined && zone === undefined) throw refusal(404, "zone_not_found", "Could not find Zone");
    if (id === undefined && zone !== undefined) {
      return method === "POST" ? this.#createRecordSet(zone, json) : list("recordsets", this.#recordSets, query);
    }
    return this.#onRecordSet(method, id ?? "", json);
  }

  #onZone(method: string, id: string, zone: Json | undefined, json: Json): Reply {
    if (!/^[0-9a-f-]{36}$/.test(id)) throw refusal(400, "invalid_uuid", `Invalid UUID zone_id: ${id}`);
    if (zone === undefined) throw refusal(404, "zone_not_found", "Could not find Zone");
    if (method === "GET") return { status: 200, body: shown(zone) };
    if (method === "PATCH") {
      demandKnown(
        json,
        zoneKeys.filter((key) => !fixedKeys.includes(key)),
        "zone",
      );
      if (zone.action === "DELETE") throw refusal(400, "bad_request", "Can not update a deleting zone");
      return this.#taken(zone, json, "UPDATE");
    }
    for (const [key, set] of this.#recordSets) if (set.zone_id === id) this.#recordSets.delete(key);
    return this.#taken(zone, {}, "DELETE");
  }

  #onRecordSet(method: string, id: string, json: Json): Reply {
    const set = this.#recordSets.get(id);
    if (set === undefined) throw refusal(404, "recordset_not_found", "Could not find RecordSet");
    if (method === "GET") return { status: 200, body: shown(set) };
    if (method === "PUT") {
      demandKnown(
        json,
        recordSetKeys.filter((key) => !fixedKeys.includes(key)),
        "recordset",
      );
      return this.#taken(set, json, "UPDATE");
    }
    this.#recordSets.delete(id);
    return { status: 202, body: { ...shown(set), status: "PENDING", action: "DELETE" } };
  }

  #createZone(json: Json, projectId: string): Reply {
    demandKnown(json, zoneKeys, "zone");
    const name = String(json.name);
    if (!name.endsWith(".")) throw notValid(`Domain ${name} does not end with a dot`);
    const secondary = json.type === "SECONDARY";
    const missing = secondary ? "masters" : "email";
    if (json[missing] === undefined) throw invalidObject(["type", missing], `'${missing}' is a required property`);
    if ([...this.#zones.values()].some((zone) => zone.name === name)) {
      throw refusal(409, "duplicate_zone", "Duplicate Zone");
    }
    const zone = {
      id: randomUUID(),
      project_id: projectId,
      email: "hostmaster@example.com",
      description: null,
      ttl: 3600,
      type: "PRIMARY",
      masters: [],
      attributes: {},
      serial: 1,
      created_at: now(),
      updated_at: null,
      ...json,
    };
    this.#zones.set(zone.id, zone);
    return this.#taken(zone, {}, "CREATE");
  }

  #createRecordSet(zone: Json, json: Json): Reply {
    demandKnown(json, recordSetKeys, "recordset");
    const [name, records] = [String(json.name), (json.records ?? []) as string[]];
    if (!name.endsWith(".")) throw notValid(`Host name ${name} does not end with a dot`);
    if (typeof json.type !== "string") {
      throw invalidObject(["recordset", "type"], `'${json.type ?? null}' is not a valid record type`);
    }
    if (!name.endsWith(`.${zone.name}`) && name !== zone.name) {
      throw refusal(400, "invalid_recordset_location", "RecordSet is not contained within it's parent zone");
    }
    const wrong = json.type === "A" ? records.findIndex((one) => !/^\d+(\.\d+){3}$/.test(one)) : -1;
    if (wrong >= 0) throw invalidObject(["records", wrong], `'${records[wrong]}' is not a 'A' Record`);
    const taken = [...this.#recordSets.values()].some((set) => set.name === name && set.type === json.type);
    if (taken) throw refusal(409, "duplicate_recordset", "Duplicate RecordSet");
    const set = {
      id: randomUUID(),
      zone_id: zone.id,
      zone_name: zone.name,
      project_id: zone.project_id,
      description: null,
      ttl: null,
      created_at: now(),
      updated_at: null,
      ...json,
    };
    this.#recordSets.set(set.id, set);
    return this.#taken(set, {}, "CREATE");
  }

  /** 202: it is taken, and done later. */
  #taken(item: Json, change: Json, action: string): Reply {
    Object.assign(item, change, { status: "PENDING", action, doneAt: performance.now() + this.#pendingMs });
    if (this.breakNext) item.broken = true;
    this.breakNext = false;
    return { status: 202, body: shown(item) };
  }
}

function moveOn(table: Map<string, Json>): void {
  for (const [id, item] of table) {
    if (Number(item.doneAt) > performance.now()) continue;
    if (item.action === "DELETE") table.delete(id);
    else Object.assign(item, { status: item.broken ? "ERROR" : "ACTIVE", action: "NONE" });
  }
}

function shown({ doneAt: _, broken: __, ...view }: Json): Json {
  return view;
}

function list(name: string, table: Map<string, Json>, query: URLSearchParams): Reply {
  const found = [...table.values()].filter((item) => [...query].every(([key, value]) => String(item[key]) === value));
  return { status: 200, body: { [name]: found.map(shown), links: {}, metadata: { total_count: found.length } } };
}

function now(): string {
  return `${new Date().toISOString().slice(0, 19)}.000000`;
}

function demandKnown(json: Json, known: string[], what: string): void {
  const unknown = Object.keys(json).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  const keys = unknown.map((key) => `'${key}'`).join(", ");
  throw refusal(
    400,
    "invalid_object",
    `Provided object does not match schema. Keys [${keys}] are not valid for ${what}`,
  );
}

function notValid(why: string): Refusal {
  return refusal(400, "invalid_object", `Provided object is not valid. Got a ValueError error with message ${why}`);
}

function invalidObject(path: (string | number)[], message: string): Refusal {
  return new Refusal(400, { code: 400, type: "invalid_object", errors: { errors: [{ path, message }] } });
}

function refusal(code: number, type: string, message: string): Refusal {
  return new Refusal(code, { code, type, message });
}
