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

/**
 * New inputs in which the ignored paths have their old values again (pulumi/pulumi, properties_path.go, Reset). Where one of them has
 * no place in one of the two, the new inputs stay, and the path is among the missed ones.
 */
export function withIgnoredChanges(
  news: ValueMap,
  olds: ValueMap,
  ignored: readonly string[],
): { inputs: ValueMap; missed: string[] } {
  let inputs = news;
  const missed: string[] = [];
  for (const text of ignored) {
    const miss = () => missed.push(text);
    inputs = reset(inputs, olds, parsePath(text), { oldIsSecret: false, newIsSecret: false, miss }) as ValueMap;
  }
  return { inputs, missed: [...new Set(missed)] };
}

/** What holds for a walk along two values: whether they are within secrets, and whom to tell of a dead end. */
interface Walk {
  oldIsSecret: boolean;
  newIsSecret: boolean;
  miss: () => void;
}

function reset(news: Value, olds: Value | undefined, path: Path, walk: Walk): Value {
  if (news instanceof Secret) return Secret.of(reset(news.value, olds, path, { ...walk, newIsSecret: true }));
  if (olds instanceof Secret) return reset(news, olds.value, path, { ...walk, oldIsSecret: true });
  const [head, ...rest] = path;
  if (head === undefined) return news;
  if (Array.isArray(news)) return resetItems(news, olds, head, rest, walk);
  if (isMap(news)) return resetEntries(news, olds, head, rest, walk);
  if (isContainer(olds)) walk.miss();
  return news;
}

function resetItems(news: Value[], olds: Value | undefined, head: string | number, rest: Path, walk: Walk): Value[] {
  if (!Array.isArray(olds)) {
    if (rest.length > 0 || head !== "*") walk.miss();
    return news;
  }
  const reaches = head === "*" ? olds.length === news.length : Number(head) < Math.min(olds.length, news.length);
  const isNowhere = head !== "*" && rest.length === 0 && Number(head) >= Math.max(olds.length, news.length);
  if (!reaches && !isNowhere) walk.miss();
  return news.map((item, index) => {
    if ((head !== "*" && Number(head) !== index) || index >= olds.length) return item;
    return rest.length > 0 ? reset(item, olds[index], rest, walk) : sealed(olds[index] as Value, walk);
  });
}

function resetEntries(
  news: ValueMap,
  olds: Value | undefined,
  head: string | number,
  rest: Path,
  walk: Walk,
): ValueMap {
  const before = isMap(olds) ? olds : undefined;
  if (before === undefined && (rest.length > 0 || head === "*")) {
    if (rest.length > 0) walk.miss();
    return news;
  }
  const keys = head === "*" ? new Set([...Object.keys(news), ...Object.keys(before ?? {})]) : [String(head)];
  const result = { ...news };
  for (const key of keys) {
    const current = entry(news, key);
    const previous = entry(before ?? {}, key);
    if (rest.length === 0) {
      if (previous === undefined) delete result[key];
      else result[key] = sealed(previous, walk);
    } else if (current !== undefined) result[key] = reset(current, previous, rest, walk);
    else if (previous !== undefined) walk.miss();
  }
  return result;
}

/** An old value that was secret stays so, though its new place is not. */
function sealed(value: Value, { oldIsSecret, newIsSecret }: Walk): Value {
  return oldIsSecret && !newIsSecret ? Secret.of(value) : value;
}

function isContainer(value: Value | undefined): boolean {
  return Array.isArray(value) || isMap(value);
}
