import { stat } from "node:fs/promises";
import { type Document, isMap, isScalar, isSeq, parseDocument, YAMLMap, YAMLSeq } from "yaml";
import { isErrno, SlipwayError } from "../../../common/errors.ts";
import { readTextIfExists, writeFileAtomic } from "../../../common/files.ts";
import type { Path } from "../values/paths.ts";
import type { Project } from "./project.ts";
import { fullKey } from "./stack-file.ts";

/** What a configuration key is set to: text, or text that was sealed. */
export type NewValue = string | { secure: string };

/** Changes to one stack's file that leave its comments, its order and whatever else it holds as they are. */
export class StackFileEdit {
  readonly #project: Project;
  readonly #path: string;
  readonly #document: Document;

  private constructor(project: Project, path: string, document: Document) {
    this.#project = project;
    this.#path = path;
    this.#document = document;
  }

  /** Opens the file; an absent one is an empty one. Throws SlipwayError E_CONFIG_INVALID. */
  static async open(project: Project, path: string): Promise<StackFileEdit> {
    const document = parseDocument((await readTextIfExists(path)) ?? "");
    const [error] = document.errors;
    if (error !== undefined) throw new SlipwayError("E_CONFIG_INVALID", `${path} is not YAML: ${error.message}`);
    if (!isMap(document.contents)) document.contents = document.createNode({}) as unknown as typeof document.contents;
    return new StackFileEdit(project, path, document);
  }

  /** Notes the salt that sealed values go with; it stands first, as the official engine has it. */
  setSalt(salt: string): void {
    const root = this.#document.contents as unknown as YAMLMap;
    if (root.has("encryptionsalt")) root.set("encryptionsalt", salt);
    else root.items.unshift(this.#document.createPair("encryptionsalt", salt));
  }

  /** Sets a key, or what `path` leads to within its value. Throws SlipwayError E_USAGE for a path that leads nowhere. */
  set(key: string, path: Path, value: NewValue): void {
    const config = this.#config(true) as YAMLMap;
    const name = this.#nameOf(config, key) ?? key;
    if (path.length === 0) {
      config.set(name, this.#node(value, config.get(name, true)));
      return;
    }
    const root = containerAt(config, name, path[0]);
    this.#setWithin(root, path, typeof value === "string" ? typed(value) : value);
  }

  /** Removes a key, or what `path` leads to; answers whether it was there. */
  remove(key: string, path: Path): boolean {
    const config = this.#config(false);
    const name = config === undefined ? undefined : this.#nameOf(config, key);
    if (config === undefined || name === undefined) return false;
    return path.length === 0 ? config.delete(name) : config.deleteIn([name, ...path]);
  }

  /** Writes the file as it is now, with the permissions that it has. */
  async save(): Promise<void> {
    const mode = await stat(this.#path).then(
      (found) => found.mode & 0o777,
      (error) => {
        if (isErrno(error, "ENOENT")) return 0o644;
        throw error;
      },
    );
    await writeFileAtomic(this.#path, this.#document.toString({ lineWidth: 0 }), mode);
  }

  /** A new value with what is said of the one in its place. */
  #node(value: unknown, before: unknown) {
    const node = this.#document.createNode(value);
    if (isScalar(before) && before.comment) node.comment = before.comment;
    return node;
  }

  #config(isNeeded: boolean): YAMLMap | undefined {
    const root = this.#document.contents as unknown as YAMLMap;
    const config = root.get("config", true);
    if (isMap(config)) return config;
    if (!isNeeded) return undefined;
    const made = new YAMLMap();
    root.set("config", made);
    return made;
  }

  /** A key as the file spells it. */
  #nameOf(config: YAMLMap, key: string): string | undefined {
    const names = config.items.map(({ key: name }) => String(isScalar(name) ? name.value : name));
    return names.find((name) => fullKey(this.#project, name) === key);
  }

  #setWithin(container: YAMLMap | YAMLSeq, path: Path, value: unknown): void {
    const [head, ...rest] = path;
    if (isSeq(container) !== (typeof head === "number")) throw wrongWay(head, isSeq(container) ? "a list" : "a map");
    if (isSeq(container) && Number(head) > container.items.length) {
      throw new SlipwayError("E_USAGE", `the list has ${container.items.length} items: there is no place ${head}`, {
        hint: `Its next place is ${container.items.length}.`,
      });
    }
    if (rest.length === 0) {
      if (head === "secure" && container.items.length === 0) {
        throw new SlipwayError("E_USAGE", "`secure` alone in a map stands for what is sealed", {
          hint: "Choose another name.",
        });
      }
      container.set(head, this.#node(value, container.get(head as never, true)));
      return;
    }
    this.#setWithin(containerAt(container, head, rest[0]), rest, value);
  }
}

/** The list or map at a place; one that `next` can be a place in is made where there is neither. */
function containerAt(container: YAMLMap | YAMLSeq, place: Path[number] | undefined, next: Path[number] | undefined) {
  const before: unknown = container.get(place as never, true);
  if (isMap(before) || isSeq(before)) return before;
  const made = typeof next === "number" ? new YAMLSeq() : new YAMLMap();
  container.set(place, made);
  return made;
}

function wrongWay(part: string | number | undefined, what: string): SlipwayError {
  return new SlipwayError("E_USAGE", `${JSON.stringify(part)} is no place in ${what}`, {
    hint: "Write places of a list as [0], names of a map as .name.",
  });
}

/** Within a structure, truth values and whole numbers are what they look like (pulumi/pulumi, config.Map, adjustObjectValue). */
function typed(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  return /^-?(0|[1-9]\d{0,14})$/.test(text) && text !== "-0" ? Number(text) : text;
}
