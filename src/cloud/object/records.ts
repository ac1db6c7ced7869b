import type { Collection, Store } from "../store/store.ts";

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
  /** Seconds since 1970, Swift's `X-Timestamp`. */
  timestamp: number;
}

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
}

export interface ObjectTables {
  containers: Collection<Container>;
  objects: Collection<StoredObject>;
}

export function objectTables(store: Store): ObjectTables {
  return { containers: store.collection("container"), objects: store.collection("object") };
}

export function objectsOf(tables: ObjectTables, container: Container): StoredObject[] {
  return tables.objects
    .list((object) => object.containerId === container.id)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Swift's clock: seconds with fractions. */
export function swiftNow(): number {
  return Math.round(Date.now() * 100) / 100_000;
}
