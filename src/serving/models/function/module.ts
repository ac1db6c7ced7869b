import { pathToFileURL } from "node:url";
import { messageOf } from "../../../common/errors.ts";
import { descriptionSchema, type FunctionDescription } from "./contract.ts";
import { keywordParameters } from "./parameters.ts";

type UserFunction = (...parameters: unknown[]) => unknown;
type Exports = Record<string, unknown>;

/** A module as its user wrote it, loaded. */
export interface FunctionModule {
  exports: Exports;
  call: UserFunction;
}

/** Loads a module, and has it load what it needs. Throws what it throws, and Error where it exports no function to call. */
export async function loadModule(file: string): Promise<FunctionModule> {
  const exports = await exportsOf(file);
  const { load } = exports;
  if (typeof load === "function") await load();
  return { exports, call: functionIn(exports) };
}

/**
 * What a module says of itself.
 * @param original the module before it was bundled, which may rename parameters
 * @throws Error where its exports are not what they should be
 */
export async function describeModule(
  { exports, call }: FunctionModule,
  original: string,
): Promise<FunctionDescription> {
  const { timeoutMs, memoryMiB, concurrency, pure = true, golden, description } = exports;
  const named = exports.parameters === undefined ? await parametersOf(call, original) : asParameters(exports);
  const form = {
    ...(named && { parameters: named }),
    schema: schemasIn(exports.schema),
    ...(description !== undefined && { description }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(memoryMiB !== undefined && { memoryMiB }),
    ...(concurrency !== undefined && { concurrency }),
  };
  const { data, error } = descriptionSchema.safeParse({ form, pure, ...(golden !== undefined && { golden }) });
  if (data) return data;
  const [issue] = error.issues;
  throw new Error(`its export ${issue?.path.filter((part) => part !== "form").join(".")}: ${issue?.message}`);
}

async function exportsOf(file: string): Promise<Exports> {
  const namespace = (await import(pathToFileURL(file).href)) as Exports;
  const { default: standard } = namespace;
  // a CommonJS module's exports, or an object of what could have been exports
  return typeof standard === "object" && standard !== null ? { ...(standard as Exports), ...namespace } : namespace;
}

/** `predict`, else the default export, else the only function beside `load`. */
function functionIn(exports: Exports): UserFunction {
  for (const name of ["predict", "default"]) {
    const found = exports[name];
    if (typeof found === "function") return found as UserFunction;
  }
  const functions = Object.entries(exports).filter(([name, value]) => name !== "load" && typeof value === "function");
  const [only] = functions;
  if (functions.length === 1 && only) return only[1] as UserFunction;
  const names = functions.map(([name]) => name).join(", ");
  throw new Error(functions.length > 1 ? `it exports ${names}: call one predict` : "it exports no function predict");
}

/** By the text of the function as it was written; where that cannot be loaded as it stands, by the bundle's. */
async function parametersOf(call: UserFunction, original: string) {
  const written = await exportsOf(original).then(functionIn, () => call);
  return keywordParameters(String(written));
}

function asParameters({ parameters, predict }: Exports) {
  if (parameters === null || parameters === false) return undefined;
  if (!Array.isArray(parameters) || !parameters.every((name) => typeof name === "string")) {
    throw new Error("its export parameters is no list of names");
  }
  const required = typeof predict === "function" ? predict.length : parameters.length;
  return parameters.map((name: string, index) => ({ name, optional: index >= required }));
}

/** The module's `schema`: of the arguments, or of arguments and result. */
function schemasIn(schema: unknown) {
  if (schema === undefined) return {};
  if (typeof schema !== "object" || schema === null) throw new Error("its export schema is no object");
  const { arguments: given, result } = schema as Exports;
  if (given === undefined && result === undefined) return { arguments: jsonSchemaOf(schema, "input") };
  return {
    ...(given !== undefined && { arguments: jsonSchemaOf(given, "input") }),
    ...(result !== undefined && { result: jsonSchemaOf(result, "output") }),
  };
}

/** A JSON Schema as it is, or that of an object that can tell its own, as zod's do (https://standardschema.dev/json-schema). */
function jsonSchemaOf(schema: unknown, side: "input" | "output"): unknown {
  const standard = (schema as { "~standard"?: { jsonSchema?: Record<string, (options: object) => unknown> } })[
    "~standard"
  ];
  if (standard === undefined) return schema;
  const convert = standard.jsonSchema?.[side];
  if (convert === undefined) throw new Error("its export schema cannot be told as a JSON Schema");
  try {
    return convert({ target: "draft-07" });
  } catch (cause) {
    throw new Error(`its export schema cannot be told as a JSON Schema: ${messageOf(cause)}`, { cause });
  }
}
