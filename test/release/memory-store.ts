import { readFile } from "node:fs/promises";
import type { ObjectContent, ObjectStore } from "../../src/release/object-store.ts";

/** An object store in memory; `writes` tells what was put, in order. */
export class MemoryStore implements ObjectStore {
  readonly containers = new Map<string, Map<string, Uint8Array>>();
  readonly writes: string[] = [];

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

  async head(container: string, path: string): Promise<{ size: number } | undefined> {
    const found = this.#objects(container).get(path);
    return found && { size: found.length };
  }

  async get(container: string, path: string): Promise<Uint8Array | undefined> {
    return this.#objects(container).get(path);
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
