import { readFile } from "node:fs/promises";
import { type DocumentOptions, parse, type SchemaOptions, type Tags, YAMLError } from "yaml";
import { isErrno, SlipwayError } from "../common/errors.ts";
import { type CloudsFileKind, type CloudsFileSearch, cloudsFileCandidates } from "./clouds-search.ts";

/** One entry of clouds.yaml; the keys, `auth`'s too, have underscores where the file may have dashes. */
export type CloudEntry = Record<string, unknown> & { auth?: Record<string, unknown> };

/** A found entry. */
export interface FoundCloud {
  name: string;
  entry: CloudEntry;
  /** The files that it was read from, clouds.yaml before secure.yaml. */
  files: string[];
}

/** What there is to choose from: entries by name, with the files that they were read from. */
interface Choice {
  clouds: Map<string, CloudEntry>;
  files: string[];
}

/** The user's clouds, and after them each extra file's; an entry is looked for in this order. */
export async function cloudsToChooseFrom(search: CloudsFileSearch): Promise<Choice[]> {
  const [own, secure] = await Promise.all([firstFile("clouds", search), firstFile("secure", search)]);
  const users = {
    clouds: mergeDeep(cloudsIn(own), cloudsIn(secure)),
    files: [own, secure].flatMap((read) => (read === undefined ? [] : [read.file])),
  };
  const extra = (search.extraFiles ?? []).map(async (file) => ({ clouds: await readClouds(file), files: [file] }));
  return [users, ...(await Promise.all(extra))];
}

/**
 * The named entry; without a name, the only entry of those who have just one.
 * @returns undefined where there is no such entry
 * @throws SlipwayError E_CREDENTIALS_MISSING for a file that is not what it should be
 */
export function findCloud(name: string | undefined, choices: Choice[]): FoundCloud | undefined {
  for (const { clouds, files } of choices) {
    const chosen = name ?? (clouds.size === 1 ? [...clouds.keys()][0] : undefined);
    const entry = chosen === undefined ? undefined : clouds.get(chosen);
    if (chosen !== undefined && entry !== undefined) return { name: chosen, entry, files };
  }
  return undefined;
}

/** The entries of one file; none where there is no such file. */
export async function readClouds(file: string): Promise<Map<string, CloudEntry>> {
  return cloudsIn(await readMapping(file));
}

/** What the first clouds-public.yaml knows of a provider. */
export async function findProfile(name: string, search: CloudsFileSearch): Promise<CloudEntry | undefined> {
  const read = await firstFile("clouds-public", search);
  return read === undefined ? undefined : entriesIn(read, "public-clouds").get(name);
}

/** A file that was read: a mapping, empty for an empty file. */
interface ReadFile {
  file: string;
  content: Record<string, unknown>;
}

async function firstFile(kind: CloudsFileKind, search: CloudsFileSearch): Promise<ReadFile | undefined> {
  for (const file of cloudsFileCandidates(kind, search)) {
    const read = await readMapping(file);
    if (read !== undefined) return read;
  }
  return undefined;
}

/** @returns undefined for a file that is not there, or that others may read and we may not */
async function readMapping(file: string): Promise<ReadFile | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES", "EISDIR"].some((code) => isErrno(error, code))) return undefined;
    throw error;
  }
  const content = parsed(file, text) ?? {};
  if (!isMapping(content)) throw unusable(file, "is not a mapping");
  return { file, content };
}

function parsed(file: string, text: string): unknown {
  try {
    return file.endsWith("json") ? JSON.parse(text) : parse(text, { ...yamlAsPythonReadsIt, intAsBigInt: true });
  } catch (error) {
    throw unusable(file, `cannot be read: ${problemOf(error)}`);
  }
}

/** Where a file is wrong and, in the parser's terms, how. Its message quotes the file, and with it passwords. */
function problemOf(error: unknown): string {
  if (error instanceof YAMLError) {
    const [start] = error.linePos ?? [];
    return start === undefined ? error.code : `${error.code} at line ${start.line}, column ${start.col}`;
  }
  if (error instanceof SyntaxError) {
    const [, line, column] = /\(line (\d+) column (\d+)\)$/.exec(error.message) ?? [];
    return line === undefined ? "it is not JSON" : `it is not JSON at line ${line}, column ${column}`;
  }
  return "an alias (*) or a merge (<<) in it leads nowhere; a value that begins with such a sign needs quotes";
}

/** YAML 1.1: `no` is false, `<<` merges; but a project id such as `12e34` or a name such as `2026-01-02` stays text. */
const yamlAsPythonReadsIt: DocumentOptions & SchemaOptions = {
  version: "1.1",
  logLevel: "error", // a warning quotes the file as well
  customTags: (tags) => tags.filter((tag) => typeof tag === "string" || !readAsText(tag)),
};

function readAsText(tag: Exclude<Tags[number], string>): boolean {
  return tag.tag === "tag:yaml.org,2002:timestamp" || ("format" in tag && tag.format === "EXP");
}

function cloudsIn(read: ReadFile | undefined): Map<string, CloudEntry> {
  return read === undefined ? new Map() : entriesIn(read, "clouds");
}

function entriesIn({ file, content }: ReadFile, section: string): Map<string, CloudEntry> {
  const entries = content[section] ?? {};
  if (!isMapping(entries)) throw unusable(file, `has ${section} that are not a mapping`);
  return new Map(
    Object.entries(entries).map(([name, entry]) => {
      if (!isMapping(entry ?? {})) throw unusable(file, `has ${section} ${name} that is not a mapping`);
      return [name, underscored(entry ?? {}) as CloudEntry];
    }),
  );
}

function underscored(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(underscored);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.replaceAll("-", "_"), underscored(item)]));
}

/** Mappings are merged, everything else is replaced by the later value, lists too. */
function mergeDeep(base: Map<string, CloudEntry>, over: Map<string, CloudEntry>): Map<string, CloudEntry> {
  const merged = new Map(base);
  for (const [name, entry] of over) merged.set(name, mergedValue(merged.get(name), entry) as CloudEntry);
  return merged;
}

function mergedValue(base: unknown, over: unknown): unknown {
  if (!isMapping(base) || !isMapping(over)) return over;
  const changed = Object.entries(over).map(([key, value]) => [key, mergedValue(base[key], value)]);
  return { ...base, ...Object.fromEntries(changed) };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unusable(file: string, problem: string): SlipwayError {
  return new SlipwayError("E_CREDENTIALS_MISSING", `${file} ${problem}`, {
    hint: "Correct the file; docs/reference/credentials.md tells its form.",
  });
}
