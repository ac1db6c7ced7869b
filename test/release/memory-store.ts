import { readFile } from "node:fs/promises";
import type { ObjectContent, ObjectStore } from "../../src/release/object-store.ts";

/** An object store in memory; `writes` tells what was put, in order. */
export class MemoryStore implements ObjectStore {
  readonly containers = new Map<string, Map<string, Uint8Array>>();
  readonly writes: string[] = [];
  /** Added to the age of every object, by its path. */
  readonly aged = new Map<string, number>();

  async ensurePublicContainer(container: string): Promise<string> {
    if (!this.containers.has(container)) this.containers.set(container, new Map());
    return `http://objects.test/v1/${container}`;
  }

  async put(container: string, path: string, content: ObjectContent): Promise<void> {
    this.writes.push(path);
    const bytes =
      typeof content === "object" && "file" in content ? await readFile(content.file) : Buffer.from(content);
    this.#objects(container).set(path, bytes);
  }

  async putNew(container: string, path: string, content: string): Promise<boolean> {
    if (this.#objects(container).has(path)) return false;
    this.aged.delete(path);
    await this.put(container, path, content);
    return true;
  }

  async head(container: string, path: string): Promise<{ size: number; ageMs: number } | undefined> {
    const found = this.containers.get(container)?.get(path);
    return found && { size: found.length, ageMs: this.aged.get(path) ?? 0 };
  }

  async remove(container: string, path: string): Promise<void> {
    this.containers.get(container)?.delete(path);
  }

  async get(container: string, path: string): Promise<Uint8Array | undefined> {
    return this.containers.get(container)?.get(path);
  }

  async list(container: string): Promise<string[] | undefined> {
    const found = this.containers.get(container);
    return found && [...found.keys()];
  }

  async removeContainer(container: string): Promise<void> {
    this.containers.delete(container);
  }

  #objects(container: string): Map<string, Uint8Array> {
    const found = this.containers.get(container);
    if (found === undefined) throw new Error(`no container ${container}`);
    return found;
  }
}
