import type { ModelCard } from "../../models/card.ts";
import { type Golden, hasGoldenRows } from "../../models/golden.ts";

/** A field of a form for one question to a model that takes no rows of numbers. */
export interface QuestionField {
  name: string;
  /** `text`: as it is. `number`, `choice` and `json`: read as JSON. */
  kind: "text" | "number" | "choice" | "json";
  /** What may be chosen, as JSON. */
  choices: string[];
  required: boolean;
  /** What the golden question has there. */
  example: string;
  hint: string | undefined;
}

/** What was typed, field by field, and what is wrong with it. */
export interface TypedQuestion {
  texts: string[];
  problems: (string | undefined)[];
}

type Json = Record<string, unknown>;

/** The fields for one call of a function, by its schema or its parameters, or one for the tensors of any other model. */
export function questionFields(card: ModelCard, golden: Golden): QuestionField[] {
  if (card.platform !== "function") return [tensorField(card, golden)];
  const example = firstCall(golden);
  const schema = card.function?.schema.arguments;
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
  const required = isObject(schema) && Array.isArray(schema.required) ? schema.required : [];
  const { parameters } = card.function ?? {};
  const names = parameters?.map(({ name }) => name) ?? Object.keys(properties);
  if (names.length === 0) {
    return [jsonField("arguments", "The call's arguments as JSON.", JSON.stringify(example ?? {}, null, 2))];
  }
  return names.map((name) => {
    const value = isObject(example) ? example[name] : undefined;
    const parameter = parameters?.find((one) => one.name === name);
    return fieldOf(name, properties[name], required.includes(name) || parameter?.optional === false, value);
  });
}

function tensorField({ inputs }: ModelCard, golden: Golden): QuestionField {
  const tensors = hasGoldenRows(golden)
    ? inputs.map(({ name, datatype }) => {
        const [row = []] = golden.rows;
        return { name, datatype, shape: [1, row.length], data: row };
      })
    : golden.inputs;
  const text = `[\n${tensors.map((tensor) => `  ${JSON.stringify(tensor)}`).join(",\n")}\n]`;
  return jsonField("inputs", "The tensors as in the Open Inference Protocol: name, shape, datatype, data.", text);
}

function jsonField(name: string, hint: string, example: string): QuestionField {
  return { name, kind: "json", choices: [], required: true, example, hint };
}

function fieldOf(name: string, schema: unknown, required: boolean, value: unknown): QuestionField {
  const { type, enum: allowed, minimum, maximum, description } = isObject(schema) ? schema : ({} as Json);
  const choices = Array.isArray(allowed) ? allowed : type === "boolean" ? [true, false] : [];
  const range = typeof minimum === "number" && typeof maximum === "number" ? `${minimum} to ${maximum}` : undefined;
  const kind =
    choices.length > 0
      ? "choice"
      : type === "string"
        ? "text"
        : type === "integer" || type === "number"
          ? "number"
          : "json";
  const told = typeof description === "string" ? description : undefined;
  const hint = [told, range, kind === "json" ? "as JSON" : undefined, required ? undefined : "may be left out"]
    .filter((part) => part !== undefined)
    .join(", ");
  return {
    name,
    kind,
    choices: choices.map((choice) => JSON.stringify(choice)),
    required,
    example: value === undefined ? "" : kind === "text" ? String(value) : JSON.stringify(value),
    hint: hint === "" ? undefined : hint,
  };
}

/** A form that nobody has sent yet, with the golden question in it. */
export function unsentQuestion(fields: readonly QuestionField[]): TypedQuestion {
  return { texts: fields.map(({ example }) => example), problems: [] };
}

/** Reads what was typed. @returns the values by the fields' names, where nothing is wrong */
export function readQuestion(
  fields: readonly QuestionField[],
  sent: URLSearchParams,
): TypedQuestion & { values: Json | undefined } {
  const sentTexts = sent.getAll("value");
  const texts = fields.map((_, at) => sentTexts[at] ?? "");
  const values: Json = {};
  const problems = fields.map(({ name, kind, required, choices }, at) => {
    const text = texts[at] as string;
    // an empty text is a text; an empty field of another kind is none
    if (text.trim() === "" && (kind !== "text" || !required)) return required ? "Something is missing." : undefined;
    try {
      const value: unknown = kind === "text" ? text : JSON.parse(text);
      if (kind === "number" && typeof value !== "number") return "This is not a number.";
      if (kind === "choice" && !choices.includes(text)) return "This cannot be chosen.";
      define(values, name, value);
      return undefined;
    } catch {
      return kind === "number" ? "This is not a number." : "This is not JSON.";
    }
  });
  return { texts, problems, values: problems.every((problem) => problem === undefined) ? values : undefined };
}

/** An own property also where a name means something to objects. */
function define(object: Json, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

function firstCall(golden: Golden): unknown {
  const text = hasGoldenRows(golden) ? undefined : golden.inputs[0]?.data[0];
  try {
    return typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
