import { z } from "zod";
import { type PlanCostSpec, trainingSpecSchema } from "../training/spec.ts";
import { Refused } from "./reply.ts";

/** How a model of this name is trained. */
export interface Configuration {
  name: string;
  spec: PlanCostSpec;
}

/** Names become files' names and the registry's. */
const nameSchema = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/);

const known = new Set([
  "model_name",
  "labels",
  "max_epoch",
  "learning_rate",
  "hidden_units",
  "batch_size",
  "dim_red",
  "template_name",
]);

/** The engine has no other. */
const TEMPLATE = "rlstm";

/**
 * Reads what `/configure` is sent: `model_name` and `labels` are needed, all else has the engine's defaults. Numbers may be texts, as the
 * engine takes them.
 * @throws Refused `I` for an unknown key, `M` for one that is missing, `F` for a wrong value
 */
export function readConfiguration(body: Buffer): Configuration {
  const fields = readObject(body);
  const stranger = Object.keys(fields).find((key) => !known.has(key));
  if (stranger !== undefined) throw new Refused("I", `${JSON.stringify(stranger.slice(0, 60))} is no option`);
  for (const key of ["model_name", "labels"]) {
    if (isMissing(fields[key])) throw new Refused("M", `${key} is missing`);
  }
  const name = readName(fields, "model_name");
  const template = fields.template_name;
  if (template !== undefined && template !== TEMPLATE) {
    throw new Refused("F", `template_name: there is no other than ${TEMPLATE}`);
  }
  const number = (key: string) => (fields[key] === undefined ? undefined : numberOf(fields[key]));
  const spec = trainingSpecSchema.safeParse({
    kind: "plan-cost",
    labels: labelsOf(fields.labels),
    maxEpoch: number("max_epoch"),
    learningRate: number("learning_rate"),
    hiddenUnits: number("hidden_units"),
    batchSize: number("batch_size"),
    dimRed: number("dim_red"),
  });
  if (!spec.success) throw new Refused("F", z.prettifyError(spec.error).replaceAll(/\s+/g, " "));
  return { name, spec: spec.data as PlanCostSpec };
}

/** A JSON object of a request. Throws Refused `F` for anything else. */
export function readObject(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new Refused("F", "the body is no JSON", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refused("F", "the body is no JSON object");
  }
  return value as Record<string, unknown>;
}

/** The model's name in the first of these fields that is there. Throws Refused `M`, `F`. */
export function readName(fields: Record<string, unknown>, ...keys: string[]): string {
  const value = keys.map((key) => fields[key]).find((one) => !isMissing(one));
  if (value === undefined) throw new Refused("M", `${keys[0]} is missing`);
  const name = nameSchema.safeParse(value);
  if (!name.success) throw new Refused("F", `${keys[0]}: 1 to 63 letters, digits, "_", "." and "-"`);
  return name.data;
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** A text's number; what is none stays as it is, for the schema to refuse. */
function numberOf(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const text = value.trim();
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : value;
}

/** Labels as a text or as a list of letters. */
function labelsOf(value: unknown): unknown {
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value.join("") : value;
}
