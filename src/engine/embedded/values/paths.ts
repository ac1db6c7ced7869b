import { entry, isMap, Secret, type Value, type ValueMap } from "./value.ts";

/** A property path's parts; `*` stands for every key or element. */
export type Path = (string | number)[];

/** Reads `a.b[0]["k"].*`, the form of ignoreChanges, replaceOnChanges and detailed diffs. */
export function parsePath(text: string): Path {
  const path: Path = [];
  for (const match of text.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.[\]]+)/g)) {
    const [, quoted, index, name] = match;
    if (quoted !== undefined) path.push(quoted.replace(/\\(.)/g, "$1"));
    else if (index !== undefined) path.push(index === "*" ? "*" : Number(index));
    else if (name !== undefined) path.push(name);
  }
  return path;
}

/** True when `path` is `pattern` or lies below it. */
export function pathWithin(path: Path, pattern: Path): boolean {
  return (
    pattern.length <= path.length &&
    pattern.every((part, index) => part === "*" || String(part) === String(path[index]))
  );
}

/** The value at a path, undefined where there is none. Secrets on the way are opened; the value found keeps its secrecy. */
export function valueAt(map: ValueMap, path: Path): Value | undefined {
  let value: Value | undefined = map;
  let secret = false;
  for (const part of path) {
    if (value instanceof Secret) {
      secret = true;
      value = value.value;
    }
    if (Array.isArray(value)) value = value[Number(part)];
    else if (isMap(value)) value = entry(value, String(part));
    else return undefined;
  }
  return secret && value !== undefined ? Secret.of(value) : value;
}

/** New inputs in which the ignored paths have their old values again; a path whose parent is missing is left alone. */
export function withIgnoredChanges(news: ValueMap, olds: ValueMap, ignored: readonly string[]): ValueMap {
  return ignored.reduce((map, text) => reset(map, olds, parsePath(text)) as ValueMap, news);
}

function reset(news: Value, olds: Value | undefined, path: Path): Value {
  const [head, ...rest] = path;
  if (head === undefined) return news;
  if (news instanceof Secret) return Secret.of(reset(news.value, olds instanceof Secret ? olds.value : olds, path));
  const old = olds instanceof Secret ? olds.value : olds;
  if (Array.isArray(news)) {
    const before = Array.isArray(old) ? old : [];
    return news.map((item, index) => {
      if (head !== "*" && Number(head) !== index) return item;
      return rest.length > 0 ? reset(item, before[index], rest) : (before[index] ?? item);
    });
  }
  if (!isMap(news)) return news;
  const before = isMap(old) ? old : {};
  const keys = head === "*" ? new Set([...Object.keys(news), ...Object.keys(before)]) : new Set([String(head)]);
  const result = { ...news };
  for (const key of keys) {
    const current = entry(news, key);
    const previous = entry(before, key);
    if (rest.length > 0) {
      if (current !== undefined) result[key] = reset(current, previous, rest);
    } else if (previous === undefined) delete result[key];
    else result[key] = previous;
  }
  return result;
}
