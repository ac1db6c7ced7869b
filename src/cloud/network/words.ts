import type { z } from "zod";
import type { InvalidInput } from "../http/invalid-input.ts";
import { pythonRepr, pythonText } from "../http/python-repr.ts";

const types: Record<string, string> = {
  string: "is not a valid string",
  boolean: "is not a valid boolean value",
  int: "is not an integer",
  number: "is not an integer",
  array: "is not a list",
  object: "is not a dictionary",
  record: "is not a dictionary",
};

/** What Neutron says of a body that does not fit, in the words of neutron-lib's validators. */
export function neutronWords({ issues: [issue], body }: InvalidInput): string {
  if (issue === undefined) return "Body contains invalid data";
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null)?.[key], body);
  const [field] = issue.path;
  if (issue.code === "unrecognized_keys") return `Unrecognized attribute(s) '${issue.keys.join(", ")}'`;
  if (value === undefined && field !== undefined) {
    return `Failed to parse request. Required attribute '${String(issue.path.at(-1))}' not specified`;
  }
  const reason = reasonOf(issue, value);
  return field === undefined ? reason : `Invalid input for ${String(field)}. Reason: ${reason}.`;
}

function reasonOf(issue: z.core.$ZodIssue, value: unknown): string {
  const shown = `'${pythonText(value)}'`;
  switch (issue.code) {
    case "invalid_type":
      return `${shown} ${types[issue.expected] ?? "is not a valid input"}`;
    case "invalid_value":
      return `${shown} is not in ${pythonRepr(issue.values)}`;
    case "too_big":
      if (issue.origin === "string") return `${shown} exceeds maximum length of ${issue.maximum}`;
      return `${shown} is too large - must be no larger than '${issue.maximum}'`;
    case "too_small":
      if (issue.origin === "string") return `${shown} is not a valid input`;
      return `${shown} is too small - must be at least '${issue.minimum}'`;
    case "custom":
      return issue.message;
    default:
      return `${shown} is not a valid input`;
  }
}
