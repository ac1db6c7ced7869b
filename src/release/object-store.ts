/** What a file holds: bytes, text, or the content of a file on this machine. */
export type ObjectContent = Uint8Array | string | { file: string };

/** Where a stack's publication lies: Swift, or anything that serves files by path over HTTP. Throws SlipwayError E_CLOUD_API and its like. */
export interface ObjectStore {
  /**
   * Makes the container where there is none, readable by anyone who knows its name, not listable.
   * @returns its base URL, without a slash at its end, as hosts reach it
   */
  ensurePublicContainer(container: string): Promise<string>;
  /** Stores an object, replacing an older one at once and whole. */
  put(container: string, path: string, content: ObjectContent, options: { contentType: string }): Promise<void>;
  /**
   * Stores an object where there is none of that name. Of several at once one is told that it did, where the store can tell: one that
   * knows no conditions stores each of them.
   * @returns false where there is one already, which stays as it is
   */
  putNew(container: string, path: string, content: string): Promise<boolean>;
  /** The object's size in bytes, and how old it is by the store's own clock; undefined where there is none. */
  head(container: string, path: string): Promise<{ size: number; ageMs: number } | undefined>;
  /** The object's content; undefined where there is none. */
  get(container: string, path: string): Promise<Uint8Array | undefined>;
  /** Removes an object; nothing happens where there is none. */
  remove(container: string, path: string): Promise<void>;
  /** The paths of all objects; undefined where there is no such container. */
  list(container: string): Promise<string[] | undefined>;
  /** Removes the container with everything in it; nothing happens where there is none. */
  removeContainer(container: string): Promise<void>;
}
