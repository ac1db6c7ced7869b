import type { z } from "zod";
import { ApiError } from "./api-error.ts";
import { pythonRepr, pythonText } from "./python-repr.ts";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Nova's own words for a name that is none (`valid_name_regex`). */
export const nameReason =
  "An invalid 'name' value was provided. The name must be: printable characters. Can not start or end with whitespace.";

/**
 * Checks a body as Nova and Cinder do, which describe theirs by JSON schemas: of several mistakes the first one that Python's
 * `jsonschema` comes to is told, in its words, with the last word of the path and the value in Python's form.
 * @throws ApiError 400
 */
export function parseSchema<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new ApiError(400, schemaWords(result.error.issues, body));
}

/** What `jsonschema` says of a zod refusal. Pure. */
export function schemaWords(issues: readonly Issue[], body: unknown): string {
  const first = firstOf(issues.map((issue) => wordsOf(issue, body)));
  if (first === undefined) return "Invalid request body";
  if (first.whole === true || first.path.length === 0) return first.message;
  const name = String(first.path.at(-1));
  return `Invalid input for field/attribute ${name}. Value: ${pythonText(valueAt(body, first.path))}. ${first.message}`;
}

interface Words {
  path: Path;
  message: string;
  /** Of an object as a whole: told after what is wrong inside of it. */
  ofObject?: boolean;
  /** The message is all that is said. */
  whole?: boolean;
}

/** The first that a walk through properties, then required ones, then superfluous ones comes to. */
function firstOf(told: Words[]): Words | undefined {
  let first = told[0];
  while (first?.ofObject === true) {
    const { path } = first;
    const inside = told.find(
      (other) => other.path.length > path.length && path.every((key, at) => other.path[at] === key),
    );
    if (inside === undefined) return first;
    first = inside;
  }
  return first;
}

function wordsOf(issue: Issue, body: unknown): Words {
  const { path } = issue;
  const value = valueAt(body, path);
  if (value === undefined && path.length > 0) {
    return ofObject(path.slice(0, -1), `${pythonRepr(String(path.at(-1)))} is a required property`);
  }
  const shown = pythonRepr(value);
  switch (issue.code) {
    case "unrecognized_keys":
      return ofObject(path, superfluous(issue.keys));
    case "invalid_key":
      return ofObject(path.slice(0, -1), unfitKey(issue, String(path.at(-1))));
    case "invalid_type":
      if (issue.expected === "never" || issue.expected === "undefined") {
        return ofObject(path.slice(0, -1), superfluous([String(path.at(-1))]));
      }
      return { path, message: `${shown} is not of type ${types([issue.expected])}` };
    case "invalid_value":
      return { path, message: `${shown} is not one of ${pythonRepr(issue.values)}` };
    case "too_small":
      return {
        path,
        message: isNumeric(issue.origin)
          ? `${shown} is less than the minimum of ${issue.minimum}`
          : `${shown} is too short`,
      };
    case "too_big":
      return {
        path,
        message: isNumeric(issue.origin)
          ? `${shown} is greater than the maximum of ${issue.maximum}`
          : `${shown} is too long`,
      };
    case "invalid_format":
      if (issue.format !== "regex") return { path, message: `${shown} is not a ${pythonRepr(issue.format)}` };
      return { path, message: `${shown} does not match ${pythonRepr(patternText(issue.pattern))}` };
    case "invalid_union":
      return { path, message: ofUnion(issue, shown) };
    default:
      return { path, message: issue.message, whole: isWhole(issue) };
  }
}

/** Whether a refusal is said as it is, without the field and its value: Nova's of names. */
function isWhole(issue: Issue): boolean {
  return issue.message === nameReason || (issue.code === "custom" && issue.params?.whole === true);
}

const ofObject = (path: Path, message: string): Words => ({ path, message, ofObject: true });

const isNumeric = (origin: string) => origin === "number" || origin === "int" || origin === "bigint";

/** The message that marks a union as alternatives (`oneOf`) and not as a list of types. */
export const alternatives = "oneOf";

/** A union of plain types is a list of types to Nova. */
function ofUnion(issue: Extract<Issue, { code: "invalid_union" }>, shown: string): string {
  const expected = issue.errors.flatMap(([first]) => (first?.code === "invalid_type" ? [first.expected] : []));
  const isTypeList = issue.message !== alternatives && expected.length === issue.errors.length && expected.length > 0;
  return isTypeList
    ? `${shown} is not of type ${types(expected)}`
    : `${shown} is not valid under any of the given schemas`;
}

/** A key of free ones that does not fit their pattern. */
function unfitKey(issue: Extract<Issue, { code: "invalid_key" }>, key: string): string {
  const [reason] = issue.issues;
  const pattern = reason?.code === "invalid_format" ? patternText(reason.pattern) : undefined;
  if (pattern === undefined) return superfluous([key]);
  return `${pythonRepr(key)} does not match any of the regexes: ${pythonRepr(pattern)}`;
}

function superfluous(keys: readonly string[]): string {
  const verb = keys.length === 1 ? "was" : "were";
  return `Additional properties are not allowed (${keys.map(pythonRepr).join(", ")} ${verb} unexpected)`;
}

function valueAt(body: unknown, path: Path): unknown {
  return path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | null | undefined)?.[key], body);
}

/** JSON schema's names of zod's types. */
const typeNames: Record<string, string> = { record: "object", int: "integer", number: "integer" };

function types(expected: readonly string[]): string {
  return expected.map((type) => pythonRepr(typeNames[type] ?? type)).join(", ");
}

/** `/^a$/` as zod keeps it, without the slashes. */
function patternText(pattern: string | undefined): string {
  return (pattern ?? "").replace(/^\/(.*)\/[a-z]*$/s, "$1");
}
