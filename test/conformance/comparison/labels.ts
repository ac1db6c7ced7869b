import type { Call } from "./recorder.ts";

/** UUIDs and what Keystone has instead. */
export const idPattern =
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<![0-9a-zA-Z])[0-9a-f]{32}(?![0-9a-zA-Z])/g;

const isId = (value: unknown): value is string =>
  typeof value === "string" && value.replace(idPattern, "") === "" && value !== "";

/**
 * What each id stands for, `<server web>` or `<port>`, so that two clouds' answers are the same where they speak of the same things.
 * A resource is known by the key that it stands under and by its name.
 */
export function labelsOf(calls: Call[]): Map<string, string> {
  const labels = new Map<string, string>();
  for (const { exchanges } of calls) {
    for (const { request, body } of exchanges) collect(body, singular(collectionOf(request)), labels);
  }
  return labels;
}

/** The last part of the path that is no id. */
function collectionOf(request: string): string {
  const path = request.split(" ")[1]?.split("?")[0] ?? "";
  return path.split("/").findLast((part) => part !== "" && !isId(part)) ?? "";
}

function collect(value: unknown, kind: string, labels: Map<string, string>): void {
  if (Array.isArray(value)) {
    for (const element of value) collect(element, kind, labels);
  } else if (typeof value === "object" && value !== null) {
    const { id, name } = value as Record<string, unknown>;
    const known = typeof name === "string" && name !== "";
    if (isId(id) && (known || !labels.has(id)) && !labels.get(id)?.includes(" ")) {
      labels.set(id, known ? `<${kind} ${name}>` : `<${kind}>`);
    }
    for (const [key, member] of Object.entries(value)) collect(member, singular(key), labels);
  }
}

/** `policies` → `policy`, `servers` → `server`; a tenant is a project. */
function singular(plural: string): string {
  const one = plural
    .replaceAll("-", "_")
    .replace(/ies$/, "y")
    .replace(/(ss|x)es$/, "$1")
    .replace(/([^s])s$/, "$1");
  return one === "tenant" ? "project" : one;
}
