import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";

/** One change of how the state is laid out. */
interface Migration {
  /** What it brings, for who reads the list. */
  what: string;
  /** Runs in a transaction of its own, which also writes the new version. */
  up(db: DatabaseSync): void;
}

/**
 * All changes of the state's layout, in order: the first makes version 1, and so on. A state is brought to the last one when it is opened, and
 * says in SQLite's `user_version` where it is. States from before there were versions say 0 and are laid out as version 1.
 *
 * What was released stays as it is: a record that gets a field which its readers cannot do without gets it by a migration added here, see
 * {@link changeRecords}.
 */
export const migrations: readonly Migration[] = [
  {
    what: "records by kind, and settings of the cloud as a whole",
    up: (db) =>
      db.exec(`
        CREATE TABLE IF NOT EXISTS records (
          seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, id)
        );
        CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
      `),
  },
  {
    what: "a list is read in its order, and not sorted each time",
    up: (db) => db.exec("CREATE INDEX records_in_order ON records (kind, seq)"),
  },
  { what: "a port's record says what it is plugged into", up: nameDevices },
  { what: "what is external is so by policies, and the machine's own network says what it lies on", up: tellOutside },
  { what: "an armed fault says how likely it strikes, at what and when", up: tellOfFaults },
  { what: "how much is in each container of objects is kept", up: countObjects },
  { what: "a version of an object outlives the end of what it was", up: keepVersions },
];

/** Of objects and of what they were: how many, their bytes, and how many are versions. */
function countObjects(db: DatabaseSync): void {
  for (const kind of ["object", "object-version"]) {
    db.prepare(
      `INSERT INTO records (kind, id, body)
       SELECT kind || '-figures', container,
         json_object('id', container, 'count', count(*), 'bytes', sum(size), 'versions', count(version))
       FROM (
         SELECT kind, body ->> '$.containerId' AS container, body ->> '$.size' AS size, body ->> '$.versionId' AS version
         FROM records WHERE kind = ?
       ) GROUP BY container`,
    ).run(kind);
  }
}

/** Versions had the end of their objects noted, which nothing looked at. */
function keepVersions(db: DatabaseSync): void {
  changeRecords<{ id: string; deleteAt?: number | null }>(db, "object-version", (version) =>
    typeof version.deleteAt === "number" ? { ...version, deleteAt: null } : version,
  );
}

interface PluggedPort {
  id: string;
  deviceId: string;
  deviceOwner: string;
  status: string;
}

/** Servers and balancers list their ports; a router's leg is called so by its owner and, unlike what else is, ACTIVE. */
function nameDevices(db: DatabaseSync): void {
  const routers = new Set(recordsOf<{ id: string }>(db, "router").map(({ id }) => id));
  const devices = new Map<string, { kind: string; id: string }>();
  for (const { id, nics } of recordsOf<{ id: string; nics: { portId: string }[] }>(db, "server")) {
    for (const { portId } of nics) devices.set(portId, { kind: "server", id });
  }
  for (const { id, vip_port_id } of recordsOf<{ id: string; vip_port_id: string }>(db, "load-balancer")) {
    devices.set(vip_port_id, { kind: "balancer", id });
  }
  changeRecords<PluggedPort>(db, "port", (port) => {
    const { id, deviceId, deviceOwner, status } = port;
    const isLeg = deviceOwner === "network:router_interface" && status === "ACTIVE" && routers.has(deviceId);
    const device = devices.get(id) ?? (isLeg ? { kind: "router", id: deviceId } : undefined);
    return device === undefined ? port : { ...port, device };
  });
}

interface EarlierNetwork {
  id: string;
  projectId: string;
  name: string;
  external: boolean;
  createdAt: string;
  provider?: object;
}

function tellOutside(db: DatabaseSync): void {
  const policies = recordsOf<{ objectId: string; action: string }>(db, "rbac-policy");
  const named = new Set(policies.flatMap(({ objectId, action }) => (action === "access_as_external" ? objectId : [])));
  const add = db.prepare("INSERT INTO records (kind, id, body) VALUES ('rbac-policy', ?, ?)");
  for (const { id, projectId, external, createdAt } of recordsOf<EarlierNetwork>(db, "network")) {
    if (!external || named.has(id)) continue;
    const policy = {
      ...{ id: randomUUID(), projectId, name: "", description: "", tags: [], createdAt, updatedAt: createdAt },
      ...{ revision: 0, objectType: "network", objectId: id, action: "access_as_external", target: "*" },
    };
    add.run(policy.id, JSON.stringify(policy));
  }
  changeRecords<EarlierNetwork>(db, "network", (network) => {
    if (!network.external || network.name !== "public" || network.provider !== undefined) return network;
    return { ...network, provider: { type: "flat", physicalNetwork: "public", segmentationId: null } };
  });
}

interface EarlierFault {
  id: string;
  seed: string | null;
  probability?: number;
  target?: string | null;
  only?: number[] | null;
}

/** One with a seed struck at about every second occasion. */
function tellOfFaults(db: DatabaseSync): void {
  changeRecords<EarlierFault>(db, "fault", (fault) => {
    if (fault.probability !== undefined && fault.target !== undefined && fault.only !== undefined) return fault;
    return { probability: fault.seed === null ? 1 : 0.5, target: null, only: null, ...fault };
  });
}

function recordsOf<T>(db: DatabaseSync, kind: string): T[] {
  const rows = db.prepare("SELECT body FROM records WHERE kind = ? ORDER BY seq").all(kind);
  return rows.map(({ body }) => JSON.parse(String(body)) as T);
}

/** Writes every record of a kind anew that `change` makes another of. */
function changeRecords<T extends { id: string }>(db: DatabaseSync, kind: string, change: (record: T) => T): void {
  const write = db.prepare("UPDATE records SET body = ? WHERE kind = ? AND id = ?");
  for (const record of recordsOf<T>(db, kind)) {
    const changed = change(record);
    if (changed !== record) write.run(JSON.stringify(changed), kind, record.id);
  }
}
