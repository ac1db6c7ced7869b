import type { z } from "zod";
import { ApiError } from "../http/api-error.ts";

/** The names that Octavia's own handlers have for their bodies: refusals tell them. */
const argumentNames: Record<string, string> = { loadbalancer: "load_balancer", healthmonitor: "health_monitor_" };

/** Checks a request's body; the refusal is worded as Octavia's framework words it. @throws ApiError 400 */
export function parseAsked<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw new ApiError(400, "Invalid request body");
  const [member = "body"] = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const argument = argumentNames[member] ?? `${member}_`;
    const place = [argument, ...issue.path.map(String)].join(".");
    throw new ApiError(400, `Unknown attribute for argument ${place}: ${issue.keys.join(", ")}`);
  }
  const value = issue.path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | null)?.[key], body);
  const field = String(issue.path.at(-1) ?? member);
  const shown =
    value === undefined || value === null ? "None" : typeof value === "object" ? JSON.stringify(value) : value;
  const problem = value === undefined ? "Mandatory field missing." : issue.message;
  throw new ApiError(400, `Invalid input for field/attribute ${field}. Value: '${shown}'. ${problem}`);
}
