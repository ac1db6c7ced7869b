import { now } from "../clock/clock.ts";
import type { Collection, Store } from "../store/store.ts";
import { CountedCollection, type Figures } from "./counted-collection.ts";

/** A Swift container. */
export interface Container {
  /** `<project id>/<name>` */
  id: string;
  projectId: string;
  name: string;
  /** `X-Container-Read`, e.g. `.r:*,.rlistings`. */
  readAcl: string;
  writeAcl: string;
  /** `X-Container-Meta-*`, lower-case names without the prefix. */
  metadata: Record<string, string>;
  /** `X-Container-Sync-To` and `-Key`: kept and shown; this cloud has nobody to be in step with. */
  syncTo?: string;
  syncKey?: string;
  /** Whether what is overwritten or deleted stays as a version. */
  versioned?: boolean;
  /** Seconds since 1970, Swift's `X-Timestamp`. */
  timestamp: number;
}

/** A part of a static large object: another object, or some bytes in base64. */
export type Segment =
  | {
      /** `/container/object` */
      name: string;
      bytes: number;
      hash: string;
      content_type: string;
      last_modified: string;
      /** `first-last` */
      range?: string;
      sub_slo?: boolean;
    }
  | { data: string };

/** A Swift object; its content is a file of its own. */
export interface StoredObject {
  /** `<project id>/<container>/<name>` */
  id: string;
  containerId: string;
  name: string;
  /** MD5 of the content, hex. */
  etag: string;
  /** Bytes. */
  size: number;
  contentType: string;
  contentEncoding: string | null;
  contentDisposition: string | null;
  metadata: Record<string, string>;
  timestamp: number;
  /** File name below the object folder. */
  file: string;
  /** Seconds since 1970; from then on it is gone. */
  deleteAt?: number | null;
  /** `X-Object-Manifest`: the content is that of all objects whose container and name begin so. */
  manifest?: string | null;
  /** Of a static large object: what its content is made of; its own is the manifest's. */
  segments?: Segment[];
  /** Of a static large object: bytes and ETag of all segments. */
  slo?: { size: number; etag: string };
  /** In containers that keep versions; absent for what was there before. */
  versionId?: string;
}

/** What an object was: its content, or, with a null file, that it was deleted. Its id is the object's, `?`, the version's. */
export interface ObjectVersion extends Omit<StoredObject, "file" | "versionId"> {
  file: string | null;
  versionId: string;
}

/** An account, by project id: it is there from the first container or the first metadata on. */
interface Account {
  id: string;
  /** `X-Account-Meta-*`, lower-case names without the prefix. */
  metadata: Record<string, string>;
  /** Seconds since 1970; absent for one from before it was kept. */
  timestamp?: number;
  /** From then on it is told how much it has in each storage policy. */
  hasHadContainers?: true;
}

/** The account, made where it is not there yet. */
export function ensureAccount(
  { accounts }: ObjectTables,
  id: string,
  change: Partial<Pick<Account, "metadata" | "hasHadContainers">>,
): void {
  const found = accounts.get(id) ?? { id, metadata: {}, timestamp: swiftNow() };
  accounts.put({ ...found, ...change });
}

export interface ObjectTables {
  containers: Collection<Container>;
  objects: CountedCollection<StoredObject>;
  versions: CountedCollection<ObjectVersion>;
  accounts: Collection<Account>;
}

export function objectTables(store: Store): ObjectTables {
  return {
    containers: store.collection("container"),
    objects: new CountedCollection(store, "object"),
    versions: new CountedCollection(store, "object-version"),
    accounts: store.collection("object-account"),
  };
}

/** A container's objects by name. */
export function objectsOf(tables: ObjectTables, container: Container): StoredObject[] {
  return tables.objects
    .list((object) => object.containerId === container.id && !isExpired(object))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** How many objects a container has, and what they take with their versions: a manifest is its own text, so that its segments are not counted twice. */
export function figuresOf({ objects, versions }: ObjectTables, { id }: Pick<Container, "id">): Figures {
  const current = objects.figuresOf(id);
  return { count: current.count, bytes: current.bytes + versions.figuresOf(id).bytes };
}

/** The same of a container and the hidden one that Swift keeps its versions in, where an object that is a version is besides. */
export function allFiguresOf({ objects, versions }: ObjectTables, { id }: Pick<Container, "id">): Figures {
  const [current, old] = [objects.figuresOf(id), versions.figuresOf(id)];
  return { count: current.count + current.versions + old.count, bytes: current.bytes + old.bytes };
}

/** Bytes of an object in a listing: a static large object is as long as a reader gets it. */
export function listedSize({ slo, size }: Pick<StoredObject, "slo" | "size">): number {
  return slo?.size ?? size;
}

/** True from the moment on that `X-Delete-At` names. */
export function isExpired({ deleteAt }: Pick<StoredObject, "deleteAt">): boolean {
  return typeof deleteAt === "number" && deleteAt <= now() / 1000;
}

/** Swift's clock: seconds with fractions. */
export function swiftNow(): number {
  return Math.round(now() * 100) / 100_000;
}
